"""The pages Inbox and API calls over S3: files listed, shown, sent; runs and their files."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from airflow.api_fastapi.core_api import security
from fastapi.testclient import TestClient

from include.errors import PermanentError
from include.inbox.errors import InboxAway, OutsideInbox
from include.inbox.files import locate
from include.staging.files import run_folder
from stagehouse.hooks.storage_roots import inbox_root
from stagehouse.ui.app import create_app
from tests.faults.canaries import Canary, leaks
from tests.integration.plugin.reports import CALLED, CALLED_ON, RESULTS_CSV, write_calls
from tests.servers.free_port import free_ports
from tests.servers.object_store import ObjectStore

KEY = Canary("Heron")
OURS = {"Origin": "http://testserver", "X-Stagehouse-Upload": "1"}


@pytest.fixture(autouse=True)
def inbox(object_store: ObjectStore, bucket: str, connect: Callable, set_variable: Callable) -> None:
    """An inbox with a file, a packed one and a folder; the API server may write."""
    object_store.put(bucket, "inbox/users.csv", b"id,name\n007,<b>Ada</b>\n")
    object_store.put(bucket, "inbox/august/20.csv.gz", gzip.compress(b"id\n1\n"))
    object_store.put(bucket, "inbox/empty/", b"")
    object_store.put(bucket, "secret.csv", b"what nobody may read")
    connect()
    set_variable("inbox_root", f"s3://{bucket}/inbox")
    set_variable("reports_root", f"s3://{bucket}/reports")
    set_variable("inbox_uploads", "on")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, metadb: None) -> httpx.Client:
    """Somebody who may do all; an error that nobody handles fails the test."""

    class AuthManager:
        def is_authorized_dag(self, **_: object) -> bool:
            return True

    class User:
        def get_name(self) -> str:
            return "ada"

    monkeypatch.setattr(security, "get_auth_manager", AuthManager)
    app = create_app()
    app.dependency_overrides[security.get_user] = User
    return TestClient(app)


def test_files_are_listed_and_shown(client: httpx.Client):
    """With sizes and times of the store; a packed one unpacked."""
    html = client.get("/inbox/").text
    assert '<a href="file?path=users.csv">' in html
    assert '<a href="./?folder=august">' in html
    assert '<td class="n">23</td>' in html
    assert f"{datetime.now(UTC):%Y-%m}" in html
    assert "august/20.csv.gz" in client.get("/inbox/", params={"folder": "august"}).text
    assert "007,&lt;b&gt;Ada&lt;/b&gt;" in client.get("/inbox/file", params={"path": "users.csv"}).text
    assert "id\n1\n" in client.get("/inbox/file", params={"path": "august/20.csv.gz"}).text
    assert client.get("/inbox/", params={"folder": "empty"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["no.csv", "../secret.csv", "august", "a/../../secret.csv", "s3://other/x", "..\\x"]
)
def test_no_path_leads_out(client: httpx.Client, path: str):
    """Answers 404, as on a disk."""
    answer = client.get("/inbox/file", params={"path": path})
    assert (answer.status_code, "what nobody" in answer.text) == (404, False)


def test_an_upload_is_kept(client: httpx.Client, object_store: ObjectStore, bucket: str):
    """As one object under a name of ours, with a note of the user's; it is listed with both."""
    answer = client.put("/inbox/uploads", params={"name": "<i>.csv"}, content=b"id\n1\n", headers=OURS)
    assert answer.status_code == 201, answer.text
    files = object_store.files(bucket, "inbox/")
    assert files[answer.json()["path"]] == b"id\n1\n"
    html = client.get("/inbox/", params={"folder": "uploads"}).text
    assert "was <bdi>&lt;i&gt;.csv</bdi>, from ada" in html
    assert html.count("file?path=") == 1


@pytest.mark.parametrize(("data", "status"), [(b"", 400), (b"a\0b", 400)])
def test_what_is_refused_leaves_nothing(
    client: httpx.Client, object_store: ObjectStore, bucket: str, data: bytes, status: int
):
    """No object, and no part of one; the reason is the upload's, not the store's."""
    answer = client.put("/inbox/uploads", params={"name": "a.csv"}, content=data, headers=OURS)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith("nothing was kept: ")
    assert not any(name.startswith("uploads") for name in object_store.files(bucket, "inbox/"))


def test_a_server_that_may_only_read_says_so(
    client: httpx.Client, connect: Callable, object_store: ObjectStore, bucket: str
):
    """With the variable and the connection, and keeps nothing."""
    connect("aws_default", object_store.reader)
    answer = client.put("/inbox/uploads", params={"name": "a.csv"}, content=b"x", headers=OURS)
    assert answer.status_code == 503
    assert "variable 'inbox_root'" in answer.json()["detail"]
    assert "refused" in answer.json()["detail"]
    assert client.get("/inbox/").status_code == 200


def gone(store: ObjectStore, connect: Callable, set_variable: Callable) -> None:
    """Nobody is there."""
    connect(endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")


def refusing(store: ObjectStore, connect: Callable, set_variable: Callable) -> None:
    """The key is not right."""
    connect("aws_default", (store.reader[0], KEY))


def without_bucket(store: ObjectStore, connect: Callable, set_variable: Callable) -> None:
    """It has no such bucket."""
    for name in ("inbox", "reports"):
        set_variable(f"{name}_root", f"s3://no-such-bucket/{name}")


@pytest.mark.parametrize("state", [gone, refusing, without_bucket])
@pytest.mark.parametrize("path", ["/inbox/", "/inbox/file?path=users.csv", "/api-calls/"])
def test_a_store_that_cannot_be_read_is_a_503(
    client: httpx.Client,
    object_store: ObjectStore,
    connect: Callable,
    set_variable: Callable,
    state: Callable,
    path: str,
):
    """With the variable and what to look at; no traceback, no secret."""
    state(object_store, connect, set_variable)
    answer = client.get(path)
    assert answer.status_code == 503
    variable = "reports_root" if path == "/api-calls/" else "inbox_root"
    assert answer.json()["detail"].startswith(f"variable '{variable}': 's3://")
    assert answer.text.count("variable '") == 1
    assert leaks([KEY], {"answer": answer.content}) == []


@pytest.mark.parametrize("state", [gone, refusing])
def test_a_run_is_told_that_its_store_is_away(
    object_store: ObjectStore, bucket: str, connect: Callable, set_variable: Callable, state: Callable
):
    """A later try may find the file: it is not said to be missing."""
    state(object_store, connect, set_variable)
    said = rf"^inbox s3://aws_default@{bucket}/inbox: no usable answer \(.+\)\. Next: see whether"
    with pytest.raises(InboxAway, match=said) as caught:
        locate(inbox_root(), "users.csv")
    assert not isinstance(caught.value, PermanentError)
    assert leaks([KEY], {"error": str(caught.value).encode()}) == []


def test_a_run_is_told_that_its_file_is_missing(bucket: str):
    """Where the store says so, also of a folder."""
    said = f"no regular file of that name is in the inbox s3://aws_default@{bucket}/inbox"
    for name in ("no.csv", "august", "empty"):
        with pytest.raises(OutsideInbox, match=said):
            locate(inbox_root(), name)


def test_runs_and_their_files(client: httpx.Client, object_store: ObjectStore, bucket: str, tmp_path):
    """As on a disk, also while they run."""
    run = "manual__2026-11-20T08:00:00+00:00"
    write_calls(tmp_path, CALLED_ON, run, ok=2, failed=1)
    write_calls(tmp_path, CALLED_ON, "live", "calling", done=1, ok=1)
    for file in (tmp_path / "api_calls").rglob("*.*"):
        object_store.put(bucket, f"reports/{file.relative_to(tmp_path)}", file.read_bytes())
    html = client.get("/api-calls/").text
    assert html.count(f"{CALLED_ON}/") == 2
    assert "1 failed" in html
    assert client.get(f"/api-calls/{CALLED_ON}/{CALLED}/results.csv").text == RESULTS_CSV
    assert 'src="index.html"' in client.get(f"/api-calls/{CALLED_ON}/{CALLED}/").text
    assert client.get(f"/api-calls/{CALLED_ON}/{run_folder('live')}/progress").json()["done"] == 1
    assert client.get(f"/api-calls/{CALLED_ON}/{run_folder('none')}/").status_code == 404
