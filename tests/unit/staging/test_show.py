"""`python -m include.staging show`: rows of either form, and whether the part is what was written."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from include.staging.__main__ import main
from include.staging.manifest import MANIFEST, Manifest, save_manifest
from include.staging.parts import write_table
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST
from tests.unit.staging.text_columns import EVERY_TEXT, HIGH, LOW, NULLS


@pytest.fixture(params=["ndjson", "text"])
def part(request, tmp_path: Path) -> Path:
    """A part of each form, with its manifest."""
    table, rows = (
        (EVERY_KIND, [LOWEST, HIGHEST]) if request.param == "ndjson" else (EVERY_TEXT, [LOW, HIGH, NULLS])
    )
    staged = write_table(tmp_path, table, rows)
    written_at = datetime(2026, 8, 21, tzinfo=UTC)
    given = {"dag_id": "d", "run_id": "r", "day": written_at.date(), "host": "here", "written_at": written_at}
    save_manifest(tmp_path, Manifest(**given, tables={table.name: staged}))
    return tmp_path / staged.parts[0].file


def show(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it prints."""
    out = io.StringIO()
    code = main(["show", *arguments], Console(file=out, width=5000, highlight=False, markup=False))
    return code, out.getvalue()


def test_rows_are_shown_and_the_hash_is_checked(part: Path):
    """Under their columns, each row on one line, whatever is in it."""
    code, text = show(str(part), "--rows", "2")
    assert code == 0
    assert "UInt64" in text
    assert "18446744073709551615" in text
    assert text.isprintable() or set(text) - {"\n"} <= set(filter(str.isprintable, text))
    assert "rows of table every_" in text
    assert text.endswith("as the manifest says\n")


@pytest.mark.parametrize("change", [(b"-128", b"-127"), (b"-128", b"-x28")])
def test_a_part_that_is_not_what_was_written_is_red(part: Path, change: tuple[bytes, bytes]):
    """Neither rows that can be read hide it, nor one that cannot."""
    part.write_bytes(part.read_bytes().replace(*change))
    code, text = show(str(part), "--rows", "0")
    assert code == 1
    assert "is damaged" in text
    assert "Next: " in text


def test_what_is_no_part_of_a_run_is_named(part: Path, tmp_path: Path):
    """The parts that there are, or that there is no manifest."""
    assert show(str(tmp_path / "other.tsv"))[0] == 1
    assert part.name in show(str(tmp_path / "other.tsv"))[1]
    (tmp_path / MANIFEST).unlink()
    code, text = show(str(part))
    assert (code, f"{MANIFEST} is missing" in text) == (1, True)


def test_it_runs_as_a_command(part: Path):
    """From the repository's root."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "include.staging", "show", str(part)]
    environment = os.environ | {"COLUMNS": "500"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert "as the manifest says" in done.stdout
