"""What is finished together is there whole, by its name, or it is asked for again."""

import json
from pathlib import Path

import pytest

from include.staging.checkpoint import Checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """Of a run that saves numbered batches."""
    return Checkpoint(tmp_path / "calls", "[0-9]+", "asking again")


def numbers(lines: list[bytes]) -> list[int]:
    """Parse a batch."""
    return [int(json.loads(line)["n"]) for line in lines]


def batch(*values: int) -> list[bytes]:
    """Make the lines of a batch."""
    return [json.dumps({"n": value}).encode() for value in values]


def test_batches_come_back_in_the_order_asked_for(checkpoint: Checkpoint):
    """By their names, also the empty one; the last one of a name counts."""
    for name, values in {"2": (3,), "1": (9, 9), "3": ()}.items():
        checkpoint.save(name, batch(*values))
    checkpoint.save("1", batch(1, 2))
    assert list(checkpoint.read(sorted(checkpoint.names()), numbers)) == [
        ("1", [1, 2]),
        ("2", [3]),
        ("3", []),
    ]
    checkpoint.remove("2")
    checkpoint.remove("2")
    assert sorted(checkpoint.names()) == ["1", "3"]


def test_a_new_run_has_nothing(checkpoint: Checkpoint, tmp_path: Path):
    """And makes no folder before there is something to keep."""
    assert list(checkpoint.read(checkpoint.names(), numbers)) == []
    checkpoint.forget()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_or_damaged_is_left_out(checkpoint: Checkpoint, tmp_path: Path, caplog):
    """With a warning that says what becomes of it; a killed write is no news."""
    for name in ("1", "2", "3"):
        checkpoint.save(name, batch(int(name)))
    (tmp_path / "calls" / "2.ndjson").write_bytes(b'{"n"')
    (tmp_path / "calls" / "readme.txt").write_text("hello")
    (tmp_path / "calls" / ".4.ndjson.0badcafe.part").write_bytes(b'{"n"')
    assert dict(checkpoint.read(checkpoint.names(), numbers)) == {"1": [1], "3": [3]}
    assert "2.ndjson is not readable, asking again: " in caplog.text
    assert "readme.txt is not of this run" in caplog.text
    assert ".part" not in caplog.text


def test_what_is_kept_elsewhere_is_forgotten_whole(checkpoint: Checkpoint, tmp_path: Path):
    """With what killed writes left."""
    checkpoint.save("1", batch(1))
    (tmp_path / "calls" / ".1.ndjson.0badcafe.part").write_bytes(b"")
    checkpoint.forget()
    assert list((tmp_path / "calls").iterdir()) == []
