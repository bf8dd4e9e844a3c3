"""Files that are whole or not there, whatever happens while they are written."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.staging.files import run_directory, write_atomically, written_atomically

DAY = date(2026, 8, 20)
WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
from include.staging.files import write_atomically
for number in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([number % 256]) * 2_000_000)
    if number == 0:
        print("begun", flush=True)
"""
WRITE_WITH_LITTLE_ROOM = """
import resource, signal, sys
from pathlib import Path
from include.staging.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_atomically(Path(sys.argv[1]), b"x" * 5000)
"""


def test_a_file_is_written_with_its_parents(tmp_path: Path):
    """Makes the directories, replaces what was there, leaves nothing else."""
    path = tmp_path / "a" / "b" / "file.json"
    for data in (b"first and longer", b"second", b""):
        write_atomically(path, data)
        assert path.read_bytes() == data
        assert list(path.parent.iterdir()) == [path]


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, root: Path):
    """SIGKILL at any moment: the file holds one write in full, never a mixture or a part."""
    path, lucky = tmp_path / "file", random.Random(1)  # noqa: S311
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(path)], cwd=root, stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"begun\n"
        time.sleep(lucky.uniform(0, 0.03))
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
        writer.stdout.close()
        data = path.read_bytes()
        assert data == data[:1] * 2_000_000


def test_readers_meet_whole_files_only(tmp_path: Path):
    """While writers replace it again and again, whoever reads gets one write in full."""
    path = tmp_path / "file"
    write_atomically(path, b"0" * 100_000)

    def write(digit: int) -> None:
        for _ in range(20):
            write_atomically(path, b"%d" % digit * 100_000)

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, digit) for digit in (1, 2)]
        while not all(writer.done() for writer in writers):
            data = path.read_bytes()
            assert data == data[:1] * 100_000
        assert [writer.result() for writer in writers] == [None, None]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "shared"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640)])
def test_a_file_is_its_writers_alone_unless_told(tmp_path: Path, umask: int, shared: int):
    """With a mode it is as readable as the umask leaves it."""
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "alone", b"x")
        write_atomically(tmp_path / "shared", b"x", mode=0o644)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("alone", "shared")] == [0o600, shared]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, where we may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mount.returncode != 0:
        pytest.skip("no right to mount; a limit on the size of files is tested beside")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_the_old_file(small_disk: Path):
    """Names the file and the bytes, leaves nothing of the try, and serves on with less."""
    path = small_disk / "file"
    write_atomically(path, b"old")
    with pytest.raises(
        OSError, match=r"No space left on device: 100000 bytes not written: '.*/file'"
    ) as full:
        write_atomically(path, b"x" * 100_000)
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_limit_on_the_size_of_files_keeps_the_old_file(tmp_path: Path, root: Path):
    """Like a full disk: one line with the path, nothing of the try."""
    path = tmp_path / "file"
    write_atomically(path, b"old")
    command = [sys.executable, "-c", WRITE_WITH_LITTLE_ROOM, str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    last_line = done.stderr.splitlines()[-1]
    assert last_line == f"OSError: [Errno 27] File too large: 5000 bytes not written: '{path}'"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path):
    """The error holds the path, whichever step failed."""
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken" / "file", b"x")
    (tmp_path / "directory" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"1 bytes not written: '.*/directory'"):
        write_atomically(tmp_path / "directory", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "taken"]


def test_an_object_store_gets_one_put(tmp_path: Path):
    """Airflow's ObjectStoragePath is written and read like a directory."""
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(f"file://{tmp_path}/") / "some_dag" / "file"
    os.makedirs(tmp_path / "some_dag")  # noqa: PTH103 - a prefix of an object store needs no making
    write_atomically(path, b"data")
    assert (tmp_path / "some_dag" / "file").read_bytes() == b"data"


@pytest.fixture(params=["disk", "object store"])
def large(request: pytest.FixtureRequest, tmp_path: Path):
    """The path of a file that holds `old`."""
    from airflow.sdk import ObjectStoragePath

    path = tmp_path / "large"
    path.write_bytes(b"old")
    return path if request.param == "disk" else ObjectStoragePath(f"file://{path}")


def test_a_large_file_is_written_piece_by_piece(large, tmp_path: Path):
    """Keeps the old content until the last piece, and leaves nothing else."""
    with written_atomically(large) as write:
        for digit in range(10):
            write(b"%d" % digit * 300_000)
            assert large.read_bytes() == b"old"
    assert large.read_bytes() == b"".join(b"%d" % digit * 300_000 for digit in range(10))
    assert [file.name for file in tmp_path.iterdir()] == ["large"]


def test_a_large_file_that_is_not_finished(large, tmp_path: Path):
    """Keeps the old content, leaves nothing of the try, and passes on what went wrong."""

    def write_half() -> None:
        with written_atomically(large) as write:
            write(b"x" * 300_000)
            raise ConnectionError("no more rows")

    with pytest.raises(ConnectionError, match="no more rows"):
        write_half()
    assert large.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["large"]


def test_a_full_disk_in_the_middle_of_a_large_file(small_disk: Path):
    """Names the file and the bytes so far, and leaves nothing of the try."""

    def write_all() -> None:
        with written_atomically(small_disk / "file") as write:
            for _ in range(100):
                write(b"x" * 1000)

    with pytest.raises(OSError, match=r"No space left on device: \d+ bytes not written: '.*/file'"):
        write_all()
    assert list(small_disk.iterdir()) == []


@given(st.text(min_size=1, max_size=250))
@example("..")
@example("../../etc/passwd")
@example("/etc/passwd")
@example("manual__2026-08-20T00:00:00+00:00\n")
@example("\0")
@example("~" * 250)
@example("ф" * 250)
def test_a_run_never_leaves_its_place(run_id: str):
    """Whatever its id, the directory is exactly root/dag/day/16 hex digits."""
    directory = run_directory(Path("/root/of/staging"), "some_dag", DAY, run_id)
    *place, name = directory.parts
    assert place == ["/", "root", "of", "staging", "some_dag", "2026-08-20"]
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_runs_have_directories_of_their_own():
    """Another id, day or DAG is another place; the same is the same."""
    asked = [("a", DAY, "1"), ("a", DAY, "2"), ("b", DAY, "1"), ("a", date(2026, 8, 21), "1")]
    places = {run_directory(Path("/r"), *names) for names in asked * 2}
    assert len(places) == len(asked)
