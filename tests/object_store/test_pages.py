"""The pages in Airflow's UI from reports on S3, asked for by a user who may read the DAG."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from airflow.api_fastapi.core_api import security
from fastapi.testclient import TestClient

from stagehouse.ui.app import create_app
from tests.faults.canaries import Canary, leaks
from tests.integration.plugin.reports import DAYS, RUN, TSV, write_phrase_views, write_reports
from tests.servers.free_port import free_ports
from tests.servers.object_store import ObjectStore

NEWEST, NEXT = DAYS[-1], "2026-11-22"
KEY = Canary("Heron")
OVERVIEW = "/phrase-views/?campaign=all"


@pytest.fixture(autouse=True)
def reports(
    object_store: ObjectStore, bucket: str, connect: Callable, set_variable: Callable, tmp_path: Path
) -> None:
    """Reports of three days, as the renderers leave them; the API server may only read."""
    upload(object_store, bucket, write_reports(tmp_path))
    connect("aws_default", object_store.reader)
    set_variable("reports_root", f"s3://{bucket}/reports")


def upload(store: ObjectStore, bucket: str, directory: Path) -> None:
    """Put all files there."""
    for file in directory.rglob("*.*"):
        store.put(bucket, f"reports/{file.relative_to(directory)}", file.read_bytes())


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What Airflow's auth manager says of each DAG; it may be changed."""
    answers = {"phrase_views_report": True, "github_top_repositories": True}

    class AuthManager:
        def is_authorized_dag(self, *, details, **_: object) -> bool:
            return answers[details.id]

    monkeypatch.setattr(security, "get_auth_manager", AuthManager)
    return answers


@pytest.fixture
def client(allowed: dict[str, bool], metadb: None) -> httpx.Client:
    """Somebody who is signed in; an error that nobody handles fails the test."""
    app = create_app()
    app.dependency_overrides[security.get_user] = lambda: "somebody"
    return TestClient(app)


def test_days_are_served(client: httpx.Client):
    """Pages, downloads and the way from a run to its page; what is not there is a 404."""
    assert [day for day in DAYS if day in client.get(OVERVIEW).text] == list(DAYS)
    assert client.get(f"/phrase-views/{NEWEST}/1111111.tsv").text == TSV
    assert f"Ranking of {NEWEST}" in client.get(f"/top-repositories/{NEWEST}/index.html").text
    asked = {"dag_id": "phrase_views_report", "run_id": f"{RUN[:-1]}1"}
    run = client.get("/runs/", params=asked, follow_redirects=False)
    assert (run.status_code, run.headers["location"]) == (303, f"../phrase-views/?day={DAYS[1]}")
    for missing in ("2026-11-21/index.html", f"{NEWEST}/7.tsv", "../2026-11-20/index.html"):
        assert client.get(f"/phrase-views/{missing}").status_code == 404


def test_a_day_rendered_meanwhile_is_seen(
    client: httpx.Client, object_store: ObjectStore, bucket: str, tmp_path: Path
):
    """The tasks that render are other processes; a page rendered anew is the new one."""
    assert NEXT not in client.get(OVERVIEW).text
    write_phrase_views(tmp_path / "new", NEXT, RUN, (7,))
    upload(object_store, bucket, tmp_path / "new")
    assert NEXT in client.get(OVERVIEW).text
    object_store.put(bucket, f"reports/phrase_views/{NEXT}/7.tsv", b"rendered anew")
    assert client.get(f"/phrase-views/{NEXT}/7.tsv").text == "rendered anew"


def test_who_may_not_read_the_dag_sees_nothing(client: httpx.Client, allowed: dict[str, bool]):
    """The same rules as on a disk."""
    allowed["phrase_views_report"] = False
    for path in (OVERVIEW, f"/phrase-views/{NEWEST}/1111111.tsv"):
        assert client.get(path).status_code == 403
    assert client.get("/top-repositories/").status_code == 200


def gone(store: ObjectStore, connect: Callable, set_variable: Callable) -> str:
    """Nobody is there."""
    connect(endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    return "endpoint_url in the extra of connection 'aws_default'"


def refusing(store: ObjectStore, connect: Callable, set_variable: Callable) -> str:
    """The key is not right."""
    connect("aws_default", (store.reader[0], KEY))
    return "check login and password of connection 'aws_default'"


def without_bucket(store: ObjectStore, connect: Callable, set_variable: Callable) -> str:
    """It has no such bucket."""
    set_variable("reports_root", "s3://no-such-bucket/reports")
    return "create the bucket, or correct the URL"


def with_a_password_in_the_url(store: ObjectStore, connect: Callable, set_variable: Callable) -> str:
    """As URLs of databases have it."""
    connect(endpoint_url=f"http://user:{KEY}@127.0.0.1:1")
    return "connection 'aws_default', extra.endpoint_url: is no URL"


@pytest.mark.parametrize("state", [gone, refusing, without_bucket, with_a_password_in_the_url])
@pytest.mark.parametrize(
    "path", [OVERVIEW, f"/phrase-views/{NEWEST}/1111111.tsv", f"/top-repositories/{NEWEST}/index.html"]
)
def test_a_store_that_cannot_be_read_is_a_503(
    client: httpx.Client,
    object_store: ObjectStore,
    connect: Callable,
    set_variable: Callable,
    state: Callable,
    path: str,
):
    """With the variable and what to look at, for a person and for a program; no traceback, no secret."""
    said = state(object_store, connect, set_variable)
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith(("variable 'reports_root': 's3://", "connection 'aws_default'"))
    assert said in answer.json()["detail"]
    page = client.get(path, headers={"accept": "text/html"})
    assert (page.status_code, "Traceback" in page.text) == (503, False)
    assert any(named in page.text for named in ("reports_root", "aws_default"))
    assert leaks([KEY], {"answer": answer.content, "page": page.content}) == []


def test_a_silent_store_is_asked_once(client: httpx.Client, connect: Callable):
    """Somebody waits for the answer, in a thread that others need; by itself the client asks for minutes."""
    came = []

    def accept() -> None:
        with suppress(OSError):  # it is closed
            while True:
                came.append(silent.accept())

    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=accept, daemon=True).start()
        connect(
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", config_kwargs={"read_timeout": 0.3}
        )
        answer = client.get(OVERVIEW)
    assert (answer.status_code, len(came)) == (503, 1)
    assert "Read timeout" in answer.json()["detail"]
