"""Leases of publications on a real server: what they guard, also beside an older version."""

import json
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from include.postgres.errors import LeaseTaken
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.hooks.publication import publication_lock
from tests.servers.postgres import PostgresServer

DAY, OTHER_DAY = date(2026, 8, 20), date(2026, 8, 19)
MAIN, REPORT, IMPORT = "github_top_repositories", "phrases_views_by_hour", "phrases_views"
# The name that an older version gives to a lease, by what it guards now.
OLD_NAMES = {
    (MAIN, DAY): f"publish {DAY}",
    (REPORT, DAY): f"publish phrases_views_by_hour {DAY}",
    (IMPORT, None): "publish phrases_views",
}


@pytest.fixture(autouse=True)
def connections(
    postgres_server: PostgresServer, postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of the test's own, whose leases meet no others."""
    postgres = postgres_server.airflow_connection(schema=postgres_database)
    clickhouse = {"conn_type": "clickhouse", "extra": {"path": str(tmp_path / "chdb")}}
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres)
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", json.dumps(clickhouse))


def by_old_version(guarded: tuple[str, date | None]) -> AbstractContextManager[object]:
    """The lease as a task of the older version takes it."""
    return StagehousePostgresHook().lease(OLD_NAMES[guarded], holder="older version")


@pytest.mark.parametrize("guarded", OLD_NAMES, ids=lambda guarded: guarded[0])
def test_one_publication_at_a_time(guarded: tuple[str, date | None]):
    """The second gives its slot back, and has its turn when the first is through."""
    with publication_lock(*guarded) as (_, lease):
        lease.check()
        with pytest.raises(AirflowRescheduleException), publication_lock(*guarded):
            pass
    with publication_lock(*guarded) as (_, lease):
        lease.check()


@pytest.mark.parametrize("guarded", OLD_NAMES, ids=lambda guarded: guarded[0])
def test_an_older_version_takes_turns_with_this_one(guarded: tuple[str, date | None]):
    """During an upgrade and back: whichever of them comes first, the other one waits."""
    with by_old_version(guarded), pytest.raises(AirflowRescheduleException), publication_lock(*guarded):
        pass
    with publication_lock(*guarded), pytest.raises(LeaseTaken), by_old_version(guarded):
        pass
    with by_old_version(guarded):
        pass


def test_dags_that_publish_the_same_day_do_not_wait_for_each_other():
    """Nor do days of one DAG, nor a table with all its days; none of them is a name of the older version."""
    with (
        by_old_version((REPORT, DAY)),
        publication_lock(MAIN, DAY),
        publication_lock(MAIN, OTHER_DAY),
        publication_lock("another_dag", DAY),
        publication_lock("another_dag", OTHER_DAY),
        publication_lock("another_dag"),
        publication_lock(IMPORT),
    ):
        pass


def test_a_lease_that_is_half_taken_is_given_back():
    """The older version publishes the day: waiting for it keeps nobody else from the newer name."""
    with by_old_version((MAIN, DAY)):
        with pytest.raises(AirflowRescheduleException), publication_lock(MAIN, DAY):
            pass
        with StagehousePostgresHook().lease(f"publish {MAIN} {DAY}", holder="free again"):
            pass
