"""The example of docs/adding-a-source.md: its blocks of code, and a copy of the project that has them.

A block stands below a line that names its file: "`dags/a.py`:". It is the whole file, unless that line goes
on with "below the row of `x`" or "above the heading `x`".
"""

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.dag_runner import bundle_per_file

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "adding-a-source.md"

_BLOCK = re.compile(
    r"^`(?P<file>[\w./-]+)`(?:, (?P<place>below the row of|above the heading) `(?P<of>[^`\n]+)`)?:\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".stagehouse", ".hypothesis", "__pycache__", "*_cache")


class Block(NamedTuple):
    """A block of code. Attributes: file; place in it, None for all of it; of, a row or heading; text."""

    file: str
    place: str | None
    of: str | None
    text: str


def example() -> list[Block]:
    """Return the blocks of the page."""
    return [Block(**found.groupdict()) for found in _BLOCK.finditer(PAGE.read_text())]


def new_files() -> list[str]:
    """Return the files that the example adds to the project."""
    return [block.file for block in example() if block.place is None]


def without_example(page: str) -> str:
    """Return a page without the blocks of the example and the lines that name their files."""
    return _BLOCK.sub("", page)


def copy_with_example(copy: Path) -> None:
    """Copy the project, and do in the copy what the page says."""
    shutil.copytree(ROOT, copy, ignore=_NOT_COPIED)
    for block in example():
        path = copy / block.file
        if block.place is None:
            assert not path.exists(), f"{block.file} is there already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
        else:
            path.write_text(_inserted(path.read_text(), block))


def environment_of(project: Path) -> dict[str, str]:
    """Return what a process needs that imports this project, and not the one that it was copied from."""
    return bundle_per_file(project / "dags") | {
        "PYTHONPATH": os.pathsep.join([str(project), str(project / "plugins")]),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
    }


def _inserted(page: str, block: Block) -> str:
    if block.place == "above the heading":
        heading = f"\n## {block.of}\n"
        assert page.count(heading) == 1, block
        return page.replace(heading, f"\n{block.text}{heading}")
    lines = page.splitlines(keepends=True)
    row = re.compile(rf"\| \[?`?{re.escape(str(block.of))}\b")
    (place,) = [number for number, line in enumerate(lines, 1) if row.match(line)]
    return "".join([*lines[:place], block.text, *lines[place:]])
