"""What lies in a folder of the inbox is listed whatever it is called, and nothing outside is looked at."""

import os
from pathlib import Path

import pytest

from include.inbox.errors import OutsideInbox
from include.inbox.listing import list_folder


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox, beside a file and a folder that are none of its business."""
    (tmp_path / "inbox" / "august").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("longer than a byte")
    return tmp_path / "inbox"


def write(path: Path, at: int) -> None:
    """Write a file, stamped with seconds since 1970."""
    path.write_text("x")
    os.utime(path, (at, at))


def test_folders_come_first_then_the_newest(inbox: Path):
    """With size and time; a path leads to each."""
    for name, at in {"old.csv": 100, "new.csv": 300, "august/in.csv": 200}.items():
        write(inbox / name, at)
    found = list_folder(inbox, "")
    assert [(entry.path, entry.is_folder) for entry in found] == [
        ("august", True),
        ("new.csv", False),
        ("old.csv", False),
    ]
    assert (found[1].size, found[1].written.timestamp()) == (1, 300)
    assert [entry.path for entry in list_folder(inbox, "august")] == ["august/in.csv"]


def test_files_that_are_being_written_are_left_out(inbox: Path):
    """A name with a dot before it: a half-written file of ours, or a note of an upload."""
    for name in (".a.csv.0a1b2c3d.part", ".hidden", "a.csv"):
        (inbox / name).write_text("x")
    assert [entry.name for entry in list_folder(inbox, "") if not entry.is_folder] == ["a.csv"]


def test_what_no_run_can_take_says_why(inbox: Path):
    """Links out, in circles and to nothing, pipes, names that are no text: listed, with the reason."""
    (inbox / "out.csv").symlink_to(inbox.parent / "secret.csv")
    (inbox / "outside").symlink_to(inbox.parent)
    (inbox / "circle").symlink_to(inbox / "circle")
    (inbox / "nothing").symlink_to(inbox / "no.csv")
    os.mkfifo(inbox / "pipe")
    (inbox / "line\nend.csv").write_text("x")
    (inbox / "back\\slash.csv").write_text("x")
    Path(os.fsdecode(bytes(inbox) + b"/\xff.csv")).write_text("x")
    problems = {entry.name: entry.problem for entry in list_folder(inbox, "") if entry.name != "august"}
    assert len(problems) == 8
    assert all(problems.values()), problems
    assert "symbolic link" in problems["out.csv"]


def test_links_that_stay_inside_are_what_they_lead_to(inbox: Path):
    """A file or a folder."""
    write(inbox / "august" / "20.csv", 100)
    (inbox / "newest.csv").symlink_to(inbox / "august" / "20.csv")
    (inbox / "newest").symlink_to(inbox / "august")
    found = {entry.name: (entry.is_folder, entry.problem) for entry in list_folder(inbox, "")}
    assert found == {"august": (True, ""), "newest": (True, ""), "newest.csv": (False, "")}


@pytest.mark.parametrize(
    "folder", ["..", "../inbox", "/etc", "no", "august/../..", "a.csv", "link", "a\0b", "\ud800"]
)
def test_no_folder_leads_out(inbox: Path, folder: str):
    """Refused by name, as a file would be."""
    (inbox / "a.csv").write_text("x")
    (inbox / "link").symlink_to(inbox.parent)
    with pytest.raises(OutsideInbox):
        list_folder(inbox, folder)


def test_an_inbox_that_is_not_there_is_empty(tmp_path: Path):
    """Nobody has delivered anything yet."""
    assert list_folder(tmp_path / "none", "") == []
