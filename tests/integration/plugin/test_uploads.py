"""Uploads, byte by byte: from our own page only, by who may start runs, whole or not at all."""

import asyncio
import http.client
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.core_api import security

from include.inbox.uploads import MAX_BYTES
from stagehouse.ui import uploads as ui_uploads
from stagehouse.ui.app import create_app
from tests.integration.plugin.api_server import ApiServer

URL = "/stagehouse/inbox/uploads"
VARIABLE = {"key": "inbox_uploads", "value": "on"}


@pytest.fixture(scope="module")
def clients(server: ApiServer) -> Iterator[dict[str, httpx.Client]]:
    """A client of each user's, as a page of this Airflow sends."""
    opened = {name: server.client(name) for name in ("admin", "op", "user", "viewer")}
    for client in opened.values():
        client.headers.update({"Origin": server.url, "X-Stagehouse-Upload": "1"})
    yield opened
    for client in opened.values():
        client.close()


@pytest.fixture
def uploads(clients: dict[str, httpx.Client], inbox: Path) -> Iterator[Path]:
    """The folder of uploads, which are on; all that a test has sent goes."""
    assert clients["admin"].post("/api/v2/variables", json=VARIABLE).status_code == 201
    yield inbox / "uploads"
    assert clients["admin"].delete(f"/api/v2/variables/{VARIABLE['key']}").status_code == 204
    shutil.rmtree(inbox / "uploads", ignore_errors=True)


def kept(uploads: Path) -> list[Path]:
    """All files of the folder, hidden ones too."""
    return sorted(uploads.rglob("*")) if uploads.exists() else []


def send(
    client: httpx.Client, data: Any = b"id\n007\n", name: str = "users.csv", **headers: str
) -> httpx.Response:
    """Send a file."""
    return client.put(URL, params={"name": name}, content=data, headers=headers)


def test_an_upload_is_kept(clients: dict[str, httpx.Client], uploads: Path):
    """Under a name of ours, beside the user's; the pages show both."""
    answer = send(clients["op"], name="../<b>мой.csv")
    assert answer.status_code == 201
    path = answer.json()["path"]
    assert re.fullmatch(r"uploads/\d{8}T\d{6}Z-[0-9a-f]{16}\.csv", path)
    assert (uploads.parent / path).read_bytes() == b"id\n007\n"
    for page in ("/stagehouse/inbox/?folder=uploads", f"/stagehouse/inbox/file?path={path}"):
        html = clients["viewer"].get(page).text
        assert "../&lt;b&gt;мой.csv" in html
        assert " op" in html


def test_a_large_upload_streams(clients: dict[str, httpx.Client], uploads: Path):
    """In pieces, with no size announced."""
    answer = send(clients["op"], (b"x" * 2**20 for _ in range(20)))
    assert answer.status_code == 201
    assert (uploads.parent / answer.json()["path"]).stat().st_size == 20 * 2**20


@pytest.mark.parametrize("value", [None, "", "off", "On", "true", "1"])
def test_uploads_are_off_unless_the_variable_says_on(
    clients: dict[str, httpx.Client], inbox: Path, value: str | None
):
    """Exactly that word; the page has no field for a file then."""
    if value is not None:
        clients["admin"].post("/api/v2/variables", json=VARIABLE | {"value": value})
    try:
        answer, page = send(clients["op"]), clients["op"].get("/stagehouse/inbox/").text
    finally:
        clients["admin"].delete(f"/api/v2/variables/{VARIABLE['key']}")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Uploads are off. Next: set the Airflow variable inbox_uploads to on"
    assert 'type="file"' not in page
    assert kept(inbox / "uploads") == []


def test_who_may_start_runs_may_send(clients: dict[str, httpx.Client], server: ApiServer, uploads: Path):
    """Of Airflow's roles all but the viewer's; nobody without a token, or with a forged one."""
    for user, status in {"admin": 201, "op": 201, "user": 201, "viewer": 403}.items():
        assert send(clients[user]).status_code == status
        assert ('type="file"' in clients[user].get("/stagehouse/inbox/").text) == (status == 201)
    sent = kept(uploads)
    ours = {"Origin": server.url, "X-Stagehouse-Upload": "1"}
    url, forged = f"{server.url}{URL}?name=a.csv", f"{server.token('admin')[:-4]}AAAA"
    assert httpx.put(url, content=b"x", headers=ours).status_code == 401
    assert (
        httpx.put(url, content=b"x", headers=ours | {"Authorization": f"Bearer {forged}"}).status_code == 403
    )
    assert kept(uploads) == sent


@pytest.mark.parametrize(
    "origin",
    [
        *("", "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1.evil.example:{port}"),
        *("https://127.0.0.1:{port}", "http://127.0.0.1:{port}@evil.example", "http://localhost:{port}"),
        *(
            "http://evil.example#http://127.0.0.1:{port}",
            "http://127.0.0.1:{port}1",
            "http://[",
            "127.0.0.1:{port}",
        ),
    ],
)
def test_another_site_sends_nothing(
    clients: dict[str, httpx.Client], server: ApiServer, uploads: Path, origin: str
):
    """With the rights, and the cookie, of who looks at it."""
    answer = send(clients["op"], Origin=origin.format(port=server.port))
    assert answer.status_code == 403
    assert "An upload comes from the page Inbox of this Airflow" in answer.json()["detail"]
    assert kept(uploads) == []


def test_a_request_without_our_header_is_no_upload(server: ApiServer, uploads: Path):
    """A form of another site cannot set it; nor one without Origin, or with two."""
    token = {"Authorization": f"Bearer {server.token('op')}"}
    ours = [("Origin", server.url), ("X-Stagehouse-Upload", "1")]
    for headers in (ours[:1], ours[1:], [*ours, ("Origin", server.url)]):
        url = f"{server.url}{URL}?name=a.csv"
        assert httpx.put(url, content=b"x", headers=[*token.items(), *headers]).status_code == 403
    assert kept(uploads) == []


def test_another_site_may_not_even_ask(server: ApiServer):
    """The browser's question before such a request is refused."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    answer = httpx.options(f"{server.url}{URL}", headers=asked)
    assert answer.status_code in (401, 405)
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.csv", "the file is empty"),
        (b"id\n\0\n", "a.csv", "it has a NUL"),
        (b"id\n", "a\0.csv", "the file's name is empty, has a NUL"),
        (b"id\n", "", "the file's name is empty"),
        (b"id\n", "x" * 256, "more than 255 characters"),
    ],
)
def test_what_is_no_text_file_is_refused(
    clients: dict[str, httpx.Client], uploads: Path, data: bytes, name: str, said: str
):
    """With the reason and the next step."""
    answer = send(clients["op"], data, name)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert "Next: " in answer.json()["detail"]
    assert kept(uploads) == []


def raw(server: ApiServer, *headers: str) -> socket.socket:
    """Open a connection and send the head of an upload by `op`."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    lines = [
        f"PUT {URL}?name=a.csv HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Origin: {server.url}",
        "X-Stagehouse-Upload: 1",
        f"Authorization: Bearer {server.token('op')}",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def answered(connection: socket.socket) -> http.client.HTTPResponse:
    """Read the answer."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer


def until_gone(uploads: Path) -> None:
    """Wait until nothing is left of what was sent."""
    deadline = time.monotonic() + 20
    while kept(uploads):
        assert time.monotonic() < deadline, kept(uploads)
        time.sleep(0.1)


def test_an_announced_size_above_the_bound_is_refused_at_once(server: ApiServer, uploads: Path):
    """Before a byte of it is sent."""
    with raw(server, f"Content-Length: {MAX_BYTES + 1}") as connection:
        answer = answered(connection)
        assert answer.status == 413
        assert b"more than 100 MiB" in answer.read()
    assert kept(uploads) == []


def test_an_endless_upload_is_refused(server: ApiServer, uploads: Path):
    """One that announces no size, as soon as it is above the bound; nothing stays."""
    piece = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
    with raw(server, "Transfer-Encoding: chunked") as connection:
        try:
            for _ in range(MAX_BYTES // 2**20 + 30):
                connection.sendall(piece)
            answer = answered(connection)
            assert answer.status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was told so while it went on sending
    until_gone(uploads)


@pytest.mark.parametrize("sent", [0, 1, 200_000])
@pytest.mark.parametrize("head", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_cut_connection_leaves_nothing(server: ApiServer, uploads: Path, head: str, sent: int):
    """Wherever it is cut; the server goes on."""
    connection = raw(server, head)
    if sent:
        chunked = head.startswith("Transfer")
        connection.sendall((b"%x\r\n" % sent if chunked else b"") + b"x" * sent)
        deadline = time.monotonic() + 20
        while not kept(uploads):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    connection.close()
    until_gone_but_the_folder(uploads)
    with server.client("op") as client:
        headers = {"Origin": server.url, "X-Stagehouse-Upload": "1"}
        assert send(client, **headers).status_code == 201


def until_gone_but_the_folder(uploads: Path) -> None:
    """Wait a moment for what is on its way, then until nothing is left."""
    time.sleep(0.5)
    until_gone(uploads)


async def test_a_sender_who_falls_silent_is_not_waited_for(
    metadb: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who takes up a place for uploads gives it back after a while; nothing is kept."""
    monkeypatch.setattr(ui_uploads, "SILENT_S", 0.3)
    may_all = SimpleNamespace(is_authorized_dag=lambda **_: True)
    monkeypatch.setattr(security, "get_auth_manager", lambda: may_all)
    for name, value in {"INBOX_ROOT": str(tmp_path), "INBOX_UPLOADS": "on"}.items():
        monkeypatch.setenv(f"AIRFLOW_VAR_{name}", value)
    app = create_app()
    app.dependency_overrides[security.get_user] = lambda: SimpleNamespace(get_name=lambda: "ada")
    wait = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"id\n"
        await wait.wait()

    headers = {"Origin": "http://here", "X-Stagehouse-Upload": "1"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        url = "/inbox/uploads?name=a.csv"
        answer = await asyncio.wait_for(client.put(url, content=pieces()), 10)
    assert answer.status_code == 400
    assert "the rest of it never came" in answer.json()["detail"]
    assert not any(path.is_file() for path in kept(tmp_path))


def test_several_uploads_at_once(clients: dict[str, httpx.Client], server: ApiServer, uploads: Path):
    """Slow ones do not keep others from the pages; each is kept."""
    slow = [raw(server, "Content-Length: 6") for _ in range(6)]  # more than are taken at once
    try:
        for connection in slow:
            connection.sendall(b"abc")
        assert clients["viewer"].get("/stagehouse/inbox/").status_code == 200
        for connection in slow:
            connection.sendall(b"def")
        assert [answered(connection).status for connection in slow] == [201] * 6
    finally:
        for connection in slow:
            connection.close()
    assert sorted(path.read_bytes() for path in kept(uploads) if path.suffix == ".csv") == [b"abcdef"] * 6
