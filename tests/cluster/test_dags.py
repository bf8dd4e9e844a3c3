"""The DAGs through Airflow's own runner on a cluster: each row, as each server shows it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pytest

from include.phrase_views.sample import sample_csv
from tests.clock import DAY, run_by_clock
from tests.cluster.conftest import ClusterDatabase
from tests.dags.sample_github import SampleGitHub, sample_github
from tests.e2e.counters_truth import read_truth
from tests.object_store.place import github, parsed
from tests.servers.postgres import PostgresServer

MAIN, IMPORT, REPORT = "github_top_repositories", "phrases_views_import", "phrase_views_report"
WATCH = "day_published_watch"
TOP = 20


@pytest.fixture
def sample(
    database: ClusterDatabase,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SampleGitHub]:
    """A GitHub, and connections and variables of a place of the test's own."""
    (tmp_path / "inbox").mkdir()
    server = database.cluster.nodes[1, 1]
    with sample_github() as served:
        for name, value in {
            "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
            "CONN_CLICKHOUSE_DEFAULT": server.airflow_connection(
                schema=database.name, extra={"cluster": database.cluster.name}
            ),
            "CONN_GITHUB_DEFAULT": github(served.url),
            "VAR_PUBLISHED_BY_HOUR": json.dumps({MAIN: 0, REPORT: 0}),
            **{f"VAR_{root.upper()}_ROOT": str(tmp_path / root) for root in ("staging", "reports", "inbox")},
        }.items():
            monkeypatch.setenv(f"AIRFLOW_{name}", value)
        yield served


def green(root: Path, dag_id: str, **params: object) -> None:
    """Have a run of the DAG end well."""
    assert str(run_by_clock(parsed(root, dag_id), **params).state) == "success"


def require_everywhere(database: ClusterDatabase, select: str, rows: Iterable[tuple]) -> None:
    """Each server shows these rows and no others."""
    expected = Counter(rows)
    assert expected
    for shard, replica in database.cluster.nodes:
        with database.connect(shard=shard, replica=replica) as clickhouse:
            assert Counter(clickhouse.execute(f"SELECT {select}")) == expected, (shard, replica)


def require_main_job(database: ClusterDatabase, sample: SampleGitHub, day: date) -> None:
    """All tables of the main job have what was counted from the sample."""
    ranked = sample.top(TOP)
    authors = {r.full_name: sample.authors(r, day) for r in ranked}
    of_day = f"WHERE date = '{day}'"
    tables = {
        f"position, repo, id, stars FROM repositories_positions {of_day}": [
            (n, r.full_name, r.id, r.stars) for n, r in enumerate(ranked, start=1)
        ],
        f"repo, author, commits_num FROM repositories_authors_commits {of_day}": [
            (repo, *each) for repo, counted in authors.items() for each in counted.items()
        ],
        f"repo, commits FROM repositories_outcomes {of_day}": [
            (repo, counted.total()) for repo, counted in authors.items()
        ],
        "id, owner, name, stars, forks FROM repositories FINAL": [
            (r.id, r.owner.login, r.name, r.stars, r.forks) for r in ranked
        ],
    }
    for select, rows in tables.items():
        require_everywhere(database, select, rows)


def test_the_dags(root: Path, metadb: None, database: ClusterDatabase, sample: SampleGitHub, tmp_path: Path):
    """The main job; an import and the report of what it brought; and the watch, which finds both."""
    green(root, MAIN, top=TOP)
    require_main_job(database, sample, DAY)
    row = "dag_id, `top`, fits, finished_at > planned_at FROM runs FINAL"
    require_everywhere(database, row, [(MAIN, TOP, 1, 1)])
    counters = tmp_path / "inbox" / "counters.csv"
    counters.write_bytes(sample_csv(DAY))
    green(root, IMPORT, path=counters.name)
    green(root, REPORT, day=DAY.isoformat())
    hours = f"campaign_id, phrase, hour, views, flags FROM phrases_views_by_hour WHERE date = '{DAY}'"
    require_everywhere(database, hours, read_truth([counters], DAY))
    green(root, WATCH)
    assert database.staging_tables() == set()
    pages = {path.parent.parent.name for path in (tmp_path / "reports").rglob("index.html")}
    assert pages == {"top_repositories", "phrase_views"}
