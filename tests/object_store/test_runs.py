"""The DAGs through Airflow's own runner with all roots on S3: the same rows and files as on a disk."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import pytest

from include.clickhouse.embedded import EmbeddedClient
from include.phrase_views.sample import EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, sample_counters, sample_csv
from tests import clock
from tests.clock import run_by_clock
from tests.dags.sample_github import SampleGitHub, sample_github
from tests.object_store.place import embedded, environment, github, parsed
from tests.servers.object_store import ObjectStore
from tests.servers.postgres import PostgresServer

TOP = 5
DAY = date(2025, 1, 1)
EXAMPLE_TSV = f"phrase\tviews_by_hour\n{EXAMPLE_PHRASE}\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"
PARSE = """
import sys
from pathlib import Path
connected = []
sys.addaudithook(lambda event, facts: connected.append(facts) if event == "socket.connect" else None)
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=Path("dags"))
assert bag.dags and not bag.import_errors, bag.import_errors
clients = [name for name in ("s3fs", "botocore", "aiobotocore", "boto3") if name in sys.modules]
sys.exit(f"{connected} {clients}" if connected or clients else 0)
"""


class Place:
    """What runs work with. Attributes: github; store; bucket, of all roots; directory: chDB is in it."""

    def __init__(self, github: SampleGitHub, store: ObjectStore, bucket: str, directory: Path) -> None:
        self.github, self.store, self.bucket, self.directory = github, store, bucket, directory

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects below `prefix`."""
        return self.store.files(self.bucket, prefix)

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.directory / "chdb", "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)


@pytest.fixture
def place(
    object_store: ObjectStore,
    bucket: str,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A GitHub, PostgreSQL, chDB and the store, with connections to them."""
    with sample_github() as served:
        connections = {
            "postgres": postgres_server.airflow_connection(),
            "clickhouse": embedded(tmp_path / "chdb"),
            "github": github(served.url),
        }
        for name, value in environment(object_store, bucket, **connections).items():
            monkeypatch.setenv(name, value)
        yield Place(served, object_store, bucket, tmp_path)


def require_no_secret(output: str, *keys: tuple[str, str]) -> None:
    """In no line of the output, no log file and nothing that Airflow has stored, in no form."""
    home = Path(os.environ["AIRFLOW_HOME"])
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for _, secret in keys:
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert form not in output
            assert form.encode() not in kept


def test_the_main_job(root: Path, metadb: None, place: Place, capfd: pytest.CaptureFixture[str]):
    """Rows are those of the sample; staging and page are on the store, and nothing else on the disk."""
    run = run_by_clock(parsed(root, "github_top_repositories"), top=TOP)
    assert str(run.state) == "success"
    day, ranked = clock.DAY, place.github.top(TOP)
    positions = place.read("SELECT date, position, repo FROM repositories_positions ORDER BY position")
    assert positions == [(day, n, r.full_name) for n, r in enumerate(ranked, start=1)]
    commits = place.read("SELECT repo, author, commits_num FROM repositories_authors_commits")
    counted = [(r.full_name, *each) for r in ranked for each in place.github.authors(r, day).items()]
    assert sorted(commits) == sorted(counted)
    staged = place.files(f"staging/github_top_repositories/{day}/")
    assert {"manifest.json", "ranking.ndjson"} < {key.partition("/")[2] for key in staged}
    pages = place.files(f"reports/top_repositories/{day}/")
    assert set(pages) == {"index.html", "repositories.csv", "index.json"}
    assert ranked[0].full_name.encode() in pages["repositories.csv"]
    assert {path.name for path in place.directory.iterdir()} <= {"chdb", "chdb.lock"}
    require_no_secret("".join(capfd.readouterr()), place.store.worker)


def test_counters_from_a_file_to_the_report(
    root: Path, metadb: None, place: Place, capfd: pytest.CaptureFixture[str]
):
    """The inbox with credentials that may only read; the example of the documentation, to the letter."""
    place.store.put(place.bucket, "inbox/sample/day.csv", sample_csv(DAY))
    path = f"s3://{place.bucket}/inbox/sample/day.csv"
    assert str(parsed(root, "phrases_views_import").test(run_conf={"path": path}).state) == "success"
    counters = list(sample_counters(DAY))
    views = sum(each[2] for each in counters)
    found = place.read("SELECT count(), sum(views) FROM phrases_views FINAL")
    assert found == [(len(counters), views)]
    staged = [key.rpartition(".")[2] for key in place.files("staging/phrases_views_import/")]
    assert sorted(staged) == ["json", "ndjson", "tsv"]  # the manifest, no rejects, one part
    report = parsed(root, "phrase_views_report")
    assert str(report.test(run_conf={"day": DAY.isoformat()}).state) == "success"
    files = place.files(f"reports/phrase_views/{DAY}/")
    assert files[f"{EXAMPLE_CAMPAIGN}.tsv"].decode() == EXAMPLE_TSV
    rows = place.read(f"SELECT count() FROM phrases_views_by_hour WHERE date = '{DAY}'")
    assert rows == [(len(files["rows.csv"].splitlines()) - 1,)]
    again = parsed(root, "phrase_views_report").test(
        run_conf={"day": DAY.isoformat(), "campaign_ids": [EXAMPLE_CAMPAIGN]}
    )
    assert str(again.state) == "success"
    assert set(place.files(f"reports/phrase_views/{DAY}/")) == set(files)
    require_no_secret("".join(capfd.readouterr()), place.store.worker, place.store.reader)


@pytest.mark.parametrize("dag_id", ["github_top_repositories", "phrases_views_import"])
def test_a_refused_key_stops_the_run_before_anything_is_made(
    root: Path,
    metadb: None,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    dag_id: str,
):
    """The first task names variable and connection and is not tried again."""
    key, secret = place.store.worker
    wrong = key, f"{secret[:-4]}AAAA"
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", place.store.airflow_connection(wrong))
    place.store.put(place.bucket, "inbox/day.csv", sample_csv(DAY))
    dag = parsed(root, dag_id)
    dag.task_dict["postgres_health"].retries = 3
    run = dag.test(run_conf={"path": "day.csv"} if "path" in dag.params else {})
    assert run.get_task_instance("postgres_health").try_number == 1
    assert str(run.get_task_instance("tables").state) == "upstream_failed"
    said = "".join(capfd.readouterr())
    assert "check login and password of connection 'aws_default'" in said
    assert place.github.requests == []
    assert set(place.files()) == {"inbox/day.csv"}
    assert list(place.directory.iterdir()) == []
    require_no_secret(said, wrong)


def test_parsing_the_dags_reaches_for_nothing(root: Path, place: Place):
    """With every root on the store, no connection is opened and no client of S3 is imported."""
    subprocess.run([sys.executable, "-c", PARSE], cwd=root, check=True)
