"""What nobody needs any more goes, on a disk and in an object store; everything else stays."""

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec import filesystem

from include.staging.cleaning import (
    KEPT_AFTER_LAST_WRITE,
    KEPT_UNFINISHED,
    drop_old_runs,
    drop_unfinished_files,
)
from include.staging.files import run_directory, write_atomically
from include.staging.manifest import MANIFEST

DAY = date(2026, 8, 20)
WRITE_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from include.staging.files import written_atomically
with written_atomically(Path(sys.argv[1])) as write:
    write(b"half")
    print("begun", flush=True)
    time.sleep(60)
"""


def before(wait: timedelta) -> datetime:
    """A moment when it is not yet."""
    return datetime.now(UTC) + wait - timedelta(minutes=1)


def after(wait: timedelta) -> datetime:
    """A moment when what is written now is just old enough."""
    return datetime.now(UTC) + wait + timedelta(seconds=5)


@pytest.fixture(params=["disk", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path):
    """A staging root."""
    if request.param == "disk":
        return tmp_path
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    attach("memory", fs=filesystem("memory"))
    return ObjectStoragePath(f"memory://{uuid4().hex}/staging")


def staged(root, run_id: str, dag_id: str = "some_dag", day: date = DAY):
    """The directory of a run with some files in it."""
    directory = run_directory(root, dag_id, day, run_id)
    for name in ("part.ndjson", MANIFEST):
        write_atomically(directory / name, b"x")
    write_atomically(directory / "fetched" / "0001.json", b"x")
    return directory


def test_runs_that_nobody_needs_are_removed(root):
    """All of the DAG's, whatever their day; a second time there is nothing to do."""
    days = [DAY, DAY - timedelta(days=400)]
    old = [staged(root, "run 1", day=day) for day in days]
    names = sorted(f"{day}/{run.name}" for day, run in zip(days, old, strict=True))
    moment = after(KEPT_AFTER_LAST_WRITE)
    assert drop_old_runs(root, "some_dag", moment) == names
    assert not any(run.exists() for run in old)
    assert drop_old_runs(root, "some_dag", moment) == []


def test_a_run_that_may_still_be_tried_again_is_kept(root):
    """A run of long ago's day that was staged a moment ago, up to the last moment."""
    recent = staged(root, "backfill", day=DAY - timedelta(days=4000))
    assert drop_old_runs(root, "some_dag", before(KEPT_AFTER_LAST_WRITE)) == []
    assert (recent / MANIFEST).read_bytes() == b"x"


def test_one_file_that_is_new_keeps_the_run(tmp_path: Path):
    """A fetch that goes on after days is not an old run; the youngest file counts, however deep."""
    directory, long_ago = staged(tmp_path, "run 1"), after(-KEPT_AFTER_LAST_WRITE * 2).timestamp()
    for path in directory.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    write_atomically(directory / "fetched" / "0002.json", b"x")
    assert drop_old_runs(tmp_path, "some_dag", datetime.now(UTC)) == []
    os.utime(directory / "fetched" / "0002.json", (long_ago, long_ago))
    assert drop_old_runs(tmp_path, "some_dag", datetime.now(UTC)) == [f"{DAY}/{directory.name}"]
    assert list((tmp_path / "some_dag").iterdir()) == []


def test_other_dags_and_other_things_are_left_alone(root):
    """Only directories with names of our own making are looked at."""
    kept = [staged(root, "run", dag_id="another_dag") / MANIFEST]
    staged(root, "run")
    for name in ("limits.json", "some_dag/notes.txt", "some_dag/2026-08-20/mine/file", "some_dag/old/file"):
        path = root
        for part in name.split("/"):
            path = path / part
        write_atomically(path, b"x")
        kept.append(path)
    assert len(drop_old_runs(root, "some_dag", after(KEPT_AFTER_LAST_WRITE))) == 1
    assert all(path.read_bytes() == b"x" for path in kept)


def test_nothing_is_there_yet(root):
    """A DAG's first run cleans up too."""
    assert drop_old_runs(root, "some_dag", datetime.now(UTC)) == []
    assert drop_unfinished_files(root, datetime.now(UTC)) == []


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path):
    """It stays, and so does what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    write_atomically(elsewhere / "file", b"x")
    run = run_directory(tmp_path, "some_dag", DAY, "run")
    run.parent.mkdir(parents=True)
    run.symlink_to(elsewhere)
    assert drop_old_runs(tmp_path, "some_dag", after(KEPT_AFTER_LAST_WRITE)) == []
    assert (run / "file").read_bytes() == b"x"


def test_what_killed_writers_left_is_removed(tmp_path: Path):
    """Not before no writer can be alive any more, and nothing else with it."""
    file = tmp_path / "some_dag" / "file.ndjson"
    write_atomically(file, b"old")
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(file)]
    repository = Path(__file__).resolve().parents[3]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "begun\n"
        writer.send_signal(signal.SIGKILL)
    (left,) = set(file.parent.iterdir()) - {file}
    assert drop_unfinished_files(tmp_path, before(KEPT_UNFINISHED)) == []
    assert drop_unfinished_files(tmp_path, after(KEPT_UNFINISHED)) == [f"some_dag/{left.name}"]
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == b"old"
