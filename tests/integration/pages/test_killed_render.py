"""What is left of a day where its renderer was killed: all of one publication, or nothing that is shown."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from stagehouse.ui.archive import Archive, NotPublished

DAY = date(2026, 8, 20)
SCRIPT = Path(__file__).with_name("killed_render.py")


@pytest.fixture(scope="module", params=["phrase_views", "top_repositories"])
def section(request: pytest.FixtureRequest) -> str:
    """The directory of a section, below reports_root."""
    return request.param


@pytest.fixture(scope="module")
def top(section: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script leaves."""
    top = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, SCRIPT, section, top], check=True)
    return top


def files(root: Path, section: str) -> dict[str, bytes]:
    """Every file of the day but what a killed writer left unfinished."""
    found = (root / section / DAY.isoformat()).iterdir()
    return {file.name: file.read_bytes() for file in found if file.suffix != ".part"}


def test_a_day_in_sight_is_of_one_publication(top: Path, section: str):
    """Wherever it was killed; and it was killed at places where files of both lay side by side."""
    before, after = (files(top / name, section) for name in ("before", "after"))
    states = []
    for root in (top / "killed").iterdir():
        found, archive = files(root, section), Archive(root, section)
        if archive.days():
            assert found in (before, after)
            states.append("before" if found == before else "after")
            continue
        states.append("mixed" if found.items() & after.items() and found.items() & before.items() else "")
        for name in found:
            with pytest.raises(NotPublished, match="not finished"):
                archive.open(DAY, name)
    assert {"before", "mixed", "after"} <= set(states)


def test_the_next_try_ends_with_the_new_publication(top: Path, section: str):
    """Whatever the killed one left."""
    after, tries = files(top / "after", section), list((top / "again").iterdir())
    assert len(tries) > 3
    assert all(files(root, section) == after for root in tries)
