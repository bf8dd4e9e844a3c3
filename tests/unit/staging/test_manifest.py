"""The manifest: what a run staged, readable or refused."""

import json
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.staging.errors import StagingFileDamaged, StagingFileForeign, StagingFileMissing
from include.staging.manifest import (
    MANIFEST,
    Manifest,
    StagedBy,
    own_manifest,
    parts_are_whole,
    read_manifest,
    save_manifest,
)
from include.staging.parts import write_table
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST

RUN = StagedBy("some_dag", "manual__2026-08-20T00:00:00+00:00 'ф'\n", date(2026, 8, 20), "some_task")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A manifest of two parts and an empty table, saved."""
    tables = {
        "every_kind": write_table(tmp_path, EVERY_KIND, [LOWEST, HIGHEST], rows_per_part=1),
        "empty": write_table(tmp_path, EVERY_KIND.model_copy(update={"name": "empty"}), []),
    }
    made = Manifest(
        **RUN._asdict(),
        host="here",
        written_at=datetime(2026, 8, 21, 0, 31, 7, 123456, tzinfo=UTC),
        tables=tables,
        facts={"query": "stars:>1", "n": [1, None, 2.5, {"a": True}]},
    )
    save_manifest(tmp_path, made)
    return made


def test_a_manifest_comes_back(manifest: Manifest, tmp_path: Path):
    """Equal in every field, also checksums of 64 bits."""
    assert read_manifest(tmp_path, RUN) == manifest
    assert manifest.tables["every_kind"].checksum > 2**53


def test_a_missing_manifest_says_which_task_to_clear(tmp_path: Path):
    """And what it means where several hosts work."""
    with pytest.raises(StagingFileMissing) as caught:
        read_manifest(tmp_path, RUN)
    assert caught.value.path == str(tmp_path / MANIFEST)
    assert "clear task some_task with all after it" in str(caught.value)
    assert "staging_root" in str(caught.value)
    assert str(caught.value).isprintable()


def _without(field: str):
    def damage(data: bytes) -> bytes:
        fields = json.loads(data)
        del fields[field]
        return json.dumps(fields).encode()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda _: b"",
        lambda _: b"[]",
        lambda data: data.replace(b"2026-08-20", b"2026-02-30"),
        lambda data: data.replace(b"every_kind-", b"../every_kind-"),
        lambda data: data.replace(b"here", b"\xff"),
        _without("tables"),
        _without("day"),
    ],
    ids=[
        "torn",
        "empty",
        "a list",
        "no day",
        "a path for a name",
        "no UTF-8",
        "no tables",
        "nothing for day",
    ],
)
def test_a_damaged_manifest_is_refused(manifest: Manifest, tmp_path: Path, damage):
    """One line with the file and what to do; a part's name never leads out of the directory."""
    path = tmp_path / MANIFEST
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StagingFileDamaged) as caught:
        read_manifest(tmp_path, RUN)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"staging file {path} is damaged (")
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("). Next: clear task some_task with all after it")
    assert own_manifest(tmp_path, RUN) is None


@pytest.mark.parametrize(
    "changed",
    [{"dag_id": "other_dag"}, {"run_id": "other run"}, {"day": date(2026, 8, 21)}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_manifest_of_another_is_refused(manifest: Manifest, tmp_path: Path, changed: dict):
    """It says whose it is, whose was expected, and which task writes the right one."""
    with pytest.raises(StagingFileForeign) as caught:
        read_manifest(tmp_path, reader := RUN._replace(**changed))
    said, expected = str(caught.value).split(", expected ")
    assert said.startswith(f"staging file {tmp_path / MANIFEST} is of DAG 'some_dag', run \"manual__2026-08-")
    assert said.endswith("day 2026-08-20")
    assert str(next(iter(changed.values()))) in expected
    assert expected.endswith(". Next: clear task some_task with all after it")
    assert str(caught.value).isprintable()
    assert own_manifest(tmp_path, reader) is None


def test_what_this_run_has_staged_is_found_again(manifest: Manifest, tmp_path: Path):
    """As long as each part is there and is what was written."""
    assert own_manifest(tmp_path, RUN) == manifest
    assert parts_are_whole(tmp_path, manifest)
    part = tmp_path / manifest.tables["every_kind"].parts[1].file
    part.write_bytes(part.read_bytes()[:-1])
    assert not parts_are_whole(tmp_path, manifest)
    part.unlink()
    assert not parts_are_whole(tmp_path, manifest)


def test_what_is_found_again_is_read_by_pieces(manifest: Manifest, tmp_path: Path):
    """A part of text has hundreds of megabytes."""
    tables = {"every_kind": write_table(tmp_path, EVERY_KIND, [LOWEST, HIGHEST] * 20_000)}
    large = manifest.model_copy(update={"tables": tables})
    (part,) = tables["every_kind"].parts
    tracemalloc.start()
    assert parts_are_whole(tmp_path, large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (tmp_path / part.file).stat().st_size / 10
