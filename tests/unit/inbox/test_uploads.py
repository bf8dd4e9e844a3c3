"""An upload is in the inbox whole, under a name of ours, or not at all."""

import codecs
import gzip
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from include.inbox import uploads
from include.inbox.errors import BadUpload, OutsideInbox, UploadCut, UploadTooLarge
from include.inbox.uploads import FOLDER, MAX_NAME, Sender, sender_of, store_upload
from tests.clock import now


def sender(name: str = "users.csv") -> Sender:
    """Somebody who sends a file of that name."""
    return Sender(name=name, user="ada", sent_at=now())


def kept(inbox: Path) -> list[str]:
    """The files of the folder, hidden ones too."""
    return sorted(path.name for path in inbox.rglob("*") if path.is_file())


def test_an_upload_is_kept(tmp_path: Path):
    """Byte for byte, with what is known of it beside it, readable for workers under another user."""
    ada = sender()
    path = store_upload(tmp_path, ada, [b"id\n", b"007\n"], 7)
    assert re.fullmatch(r"uploads/\d{8}T\d{6}Z-[0-9a-f]{16}\.csv", path)
    assert (tmp_path / path).read_bytes() == b"id\n007\n"
    assert sender_of(tmp_path, path).model_dump() == ada.model_dump()
    assert (tmp_path / path).stat().st_mode & 0o444 == 0o444
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.csv", ".csv"),
        ("A.NDJSON.GZ", ".ndjson.gz"),
        ("../../etc/passwd", ".data"),
        ("/etc/cron.d/x.csv", ".csv"),
        ("a.csv/..", ".data"),
        ("a.csv\n", ".data"),
        ("a.сsv", ".data"),  # noqa: RUF001 - a Cyrillic letter
        ("a.csv.exe", ".data"),
        ("a.csv.csv", ".csv"),
        ("<img src=x onerror=alert(1)>.tsv", ".tsv"),
        ("..", ".data"),
        (".csv", ".csv"),
        ("x" * MAX_NAME, ".data"),
    ],
)
def test_the_name_is_ours(tmp_path: Path, name: str, ending: str):
    """Of the user's name a known ending is kept; the name itself is a text beside the file."""
    path = store_upload(tmp_path, sender(name), [b"x"], None)
    assert re.fullmatch(rf"uploads/\d{{8}}T\d{{6}}Z-[0-9a-f]{{16}}{re.escape(ending)}", path)
    assert sender_of(tmp_path, path).name == name
    assert [each.parent for each in tmp_path.rglob("*") if each.is_file()] == [tmp_path / FOLDER] * 2


@pytest.mark.parametrize("name", ["", " ", "a\0.csv", "x" * (MAX_NAME + 1)])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str):
    """Before anything is written."""
    with pytest.raises(BadUpload, match=r"nothing was kept: .* Next: rename it"):
        store_upload(tmp_path, sender(name), [b"x"], None)
    assert kept(tmp_path) == []


def test_two_of_one_name_are_two_files(tmp_path: Path):
    """Nothing takes the place of what was sent before."""
    assert len({store_upload(tmp_path, sender(), [b"x"], 1) for _ in range(20)}) == 20


def too_many() -> Iterator[bytes]:
    """More than is allowed, in the tests' measure."""
    while True:
        yield b"x" * 10


def broken_off() -> Iterator[bytes]:
    """A connection that is lost in the middle."""
    yield b"x" * 10
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("pieces", "announced", "error"),
    [
        (too_many(), None, UploadTooLarge),
        ([b"x"], 101, UploadTooLarge),
        ([b"x" * 9], 10, UploadCut),
        ([b"x" * 11], 10, UploadCut),
        ([], None, BadUpload),
        ([], 0, BadUpload),
        ([b"id\n", b"\0\n"], None, BadUpload),
        ([b"\xff", b"\0"], None, BadUpload),
        (broken_off(), 20, ConnectionResetError),
    ],
)
def test_what_goes_wrong_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pieces: Iterator[bytes],
    announced: int | None,
    error: type,
):
    """No file, no note, no half of one."""
    monkeypatch.setattr(uploads, "MAX_BYTES", 100)
    with pytest.raises(error):
        store_upload(tmp_path, sender(), pieces, announced)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    "data", [gzip.compress(b"id\n1\n", mtime=0), "id\n1\n".encode("utf-16"), codecs.BOM_UTF16_BE + b"\0i\0d"]
)
def test_bytes_that_are_text_all_the_same_may_hold_nul(tmp_path: Path, data: bytes):
    """Packed, or UTF-16 by its mark, in whatever pieces they come."""
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert (tmp_path / store_upload(tmp_path, sender(), pieces, len(data))).read_bytes() == data


def test_a_note_that_cannot_be_written_takes_the_file_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file whose sender nobody knows is not kept."""
    monkeypatch.setattr(uploads, "_note", lambda _: "no/such/\0/place")
    with pytest.raises(ValueError, match="null"):
        store_upload(tmp_path, sender(), [b"x"], 1)
    assert kept(tmp_path) == []


def test_a_folder_of_uploads_that_leads_out_is_refused(tmp_path: Path):
    """Somebody who may write into the inbox sends no upload elsewhere."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / FOLDER).symlink_to(tmp_path)
    with pytest.raises(OutsideInbox):
        store_upload(tmp_path / "inbox", sender(), [b"x"], 1)
    assert kept(tmp_path) == []


def test_what_a_killed_server_left_goes(tmp_path: Path):
    """With a later upload."""
    half = tmp_path / FOLDER / ".a.csv.0a1b2c3d.part"
    half.parent.mkdir()
    half.write_text("half")
    old = (now() - timedelta(days=3)).timestamp()
    os.utime(half, (old, old))
    store_upload(tmp_path, sender(), [b"x"], 1)
    assert not half.exists()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"name": 1}', "x" * 100_000])
def test_a_note_that_is_none_tells_nothing(tmp_path: Path, note: str):
    """Other systems write into the inbox too."""
    path = store_upload(tmp_path, sender(), [b"x"], 1)
    (tmp_path / FOLDER / f".{Path(path).name}.json").write_text(note)
    assert sender_of(tmp_path, path) is None
    assert sender_of(tmp_path, "other/a.csv") is None
