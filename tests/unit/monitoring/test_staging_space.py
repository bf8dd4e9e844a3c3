"""How much is counted in staging."""

from datetime import UTC, datetime
from pathlib import Path

from include.monitoring.facts import Staging
from include.monitoring.metrics import Facts, samples
from include.monitoring.staging_space import read_staging
from tests.unit.monitoring.nothing import AIRFLOW


def test_bytes_and_files_by_dag(tmp_path: Path):
    """What lies below the folder of each DAG, and how much room is left."""
    (tmp_path / "api_calls" / "2026-11-20").mkdir(parents=True)
    (tmp_path / "api_calls" / "2026-11-20" / "part").write_bytes(b"12345")
    (tmp_path / "api_calls" / "progress").write_bytes(b"1")
    found = read_staging(tmp_path)
    assert (found.bytes, found.files, found.is_whole) == ({"api_calls": 6}, {"api_calls": 2}, True)
    assert found.free_bytes > 0


def test_other_folders_are_no_labels():
    """Only DAGs are: how many folders somebody keeps there is nobody's to say."""
    airflow = AIRFLOW._replace(paused={"somebody_s": False})
    staging = Staging({"api_calls": 6, "somebody_s": 5, "private": 4, "": 3}, {}, 1, is_whole=True)
    found = samples(Facts(datetime.now(UTC), {}, (), airflow, staging=staging))
    sizes = {labels: value for name, labels, value in found if name == "staging_bytes"}
    assert sizes == {("api_calls",): 6, ("somebody_s",): 5, ("",): 7}


def test_a_root_that_is_not_there_is_empty(tmp_path: Path):
    """It is made by the first run."""
    found = read_staging(tmp_path / "none" / "yet")
    assert (found.bytes, found.files, found.is_whole) == ({}, {}, True)
    assert found.free_bytes > 0


def test_a_walk_ends_in_time(tmp_path: Path):
    """What was not seen is not told as if it were all."""
    (tmp_path / "file").touch()
    assert not read_staging(tmp_path, walk_s=-1.0).is_whole
