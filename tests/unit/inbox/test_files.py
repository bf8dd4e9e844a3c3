"""Files of the inbox are read and nothing else, and none that somebody writes meanwhile."""

import os
from pathlib import Path

import pytest

from include.inbox.errors import ImportFileChanged, OutsideInbox
from include.inbox.files import locate, unchanged


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox with a file, beside a file that is none of its business."""
    (tmp_path / "inbox" / "august").mkdir(parents=True)
    (tmp_path / "inbox" / "august" / "20.csv").write_text("x")
    (tmp_path / "secret.csv").write_text("x")
    return tmp_path / "inbox"


def test_finds_a_file_below(inbox: Path):
    """Folders and links that stay inside are followed."""
    (inbox / "newest.csv").symlink_to(inbox / "august" / "20.csv")
    for name in ("august/20.csv", "newest.csv", "./august/20.csv"):
        assert locate(inbox, name) == inbox.resolve() / "august" / "20.csv"


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "august", "../secret.csv", "august/../../secret.csv", "/etc/passwd"),
        *("august/20.csv\n", "august/20.csv\0", "\ud800", "file:///etc/passwd", "http://127.0.0.1/20.csv"),
        *("..\\secret.csv", "no.csv", "link.csv", "folder/secret.csv", "loop", "pipe", "x" * 5000),
    ],
)
def test_refuses_what_is_not_a_file_of_the_inbox(inbox: Path, name: str):
    """Whatever leads out, hangs or is not there is refused by name."""
    (inbox / "link.csv").symlink_to(inbox.parent / "secret.csv")
    (inbox / "folder").symlink_to(inbox.parent)
    (inbox / "loop").symlink_to(inbox / "loop")
    os.mkfifo(inbox / "pipe")
    with pytest.raises(OutsideInbox, match="import file"):
        locate(inbox, name)


def test_a_file_that_is_written_while_it_is_read_is_named(inbox: Path):
    """One that stays as it is passes, and an error of the reader is not hidden."""
    path = locate(inbox, "august/20.csv")
    with unchanged(path, "august/20.csv"):
        path.read_bytes()
    said = "import file 'august/20.csv': somebody wrote it .* Next: see that the file is complete"
    with pytest.raises(ImportFileChanged, match=said), unchanged(path, "august/20.csv"):
        path.write_text("more")
    with pytest.raises(ValueError, match="line 1"), unchanged(path, "august/20.csv"):
        refuse_while_it_is_written(path)


def refuse_while_it_is_written(path: Path) -> None:
    """A reader that finds a bad line."""
    path.write_text("still more")
    raise ValueError("line 1")
