"""The manifest: what a run staged, readable or refused."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.staging.errors import StagingFileDamaged, StagingFileMissing
from include.staging.manifest import MANIFEST, Manifest, read_manifest, save_manifest
from include.staging.tables import write_table
from tests.unit.staging.columns import EVERY_KIND, HIGHEST, LOWEST


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A manifest of two parts and an empty table, saved."""
    tables = {
        "every_kind": write_table(tmp_path, EVERY_KIND, [LOWEST, HIGHEST], rows_per_part=1),
        "empty": write_table(tmp_path, EVERY_KIND.model_copy(update={"name": "empty"}), []),
    }
    made = Manifest(
        dag_id="some_dag",
        run_id="manual__2026-08-20T00:00:00+00:00 'ф'\n",
        day=date(2026, 8, 20),
        host="here",
        written_at=datetime(2026, 8, 21, 0, 31, 7, 123456, tzinfo=UTC),
        tables=tables,
        facts={"query": "stars:>1", "n": [1, None, 2.5, {"a": True}]},
    )
    save_manifest(tmp_path, made)
    return made


def test_a_manifest_comes_back(manifest: Manifest, tmp_path: Path):
    """Equal in every field, also checksums of 64 bits."""
    assert read_manifest(tmp_path) == manifest
    assert manifest.tables["every_kind"].checksum > 2**53


def test_a_missing_manifest_says_which_task_to_clear(tmp_path: Path):
    """And what it means where several hosts work."""
    with pytest.raises(StagingFileMissing) as caught:
        read_manifest(tmp_path)
    assert caught.value.path == str(tmp_path / MANIFEST)
    assert "clear the task that stages" in str(caught.value)
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
        read_manifest(tmp_path)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"staging file {path} is damaged (")
    assert str(caught.value).isprintable()
