"""The page Inbox: what is there, how it begins, whatever it is called and whatever it holds."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from airflow.api_fastapi.core_api import security
from fastapi.testclient import TestClient

from stagehouse.ui.app import create_app

INBOX, FILE = "/stagehouse/inbox/", "/stagehouse/inbox/file"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def folder(inbox: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of the test's own."""
    place = inbox / f"of {request.node.name.partition('[')[0]}"
    place.mkdir()
    yield place
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


def test_files_and_folders_are_listed(reader: httpx.Client):
    """With links to each, and the way back."""
    html = reader.get(INBOX).text
    assert '<a href="./?folder=august"><bdi>august</bdi>/</a>' in html
    html = reader.get(INBOX, params={"folder": "august"}).text
    assert '<a href="file?path=august/users.csv"><bdi>users.csv</bdi></a>' in html
    assert '<td class="n">16</td>' in html
    assert '<a href="./">inbox</a>' in html


def test_a_file_shows_how_it_begins_and_the_way_to_a_run(reader: httpx.Client):
    """Size, first lines, its path to copy, and both DAGs that take it."""
    html = reader.get(FILE, params={"path": "august/users.csv"}).text
    assert "16 bytes" in html
    assert "id,name\n007,Ada\n</pre>" in html
    assert 'value="august/users.csv"' in html
    for dag in ("api_calls", "phrases_views_import"):
        assert f'<a target="_top" href="/dags/{dag}">{dag}</a>' in html


@pytest.mark.parametrize(
    "name",
    [
        f"{SCRIPT.replace('/', '')}.csv",
        '" onmouseover="alert(1)" x=".csv',
        "a&b=c#d?e%2e%2e%2f+f.csv",
        "x" * 200 + ".csv",
        "мой файл.csv",
        "gpj.\u202ecsv",
        "'; DROP TABLE x; --.csv",
        "{{ 7 * 7 }}.csv",
    ],
)
def test_a_hostile_name_is_a_text(reader: httpx.Client, folder: Path, name: str):
    """It is shown with nothing of it in force, and its link leads to that very file."""
    (folder / name).write_text("of this very file")
    listed = reader.get(INBOX, params={"folder": folder.name})
    assert listed.status_code == 200
    for html in (listed.text, reader.get(FILE, params={"path": f"{folder.name}/{name}"}).text):
        assert SCRIPT.replace("/", "") not in html
        assert 'onmouseover="alert' not in html
        assert "\u202e" not in html.partition("value=")[0]
        assert "49.csv" not in html
    (link,) = [part.partition('"')[0] for part in listed.text.split('href="file?path=')[1:]]
    assert "of this very file" in reader.get(f"{FILE}?path={link.replace('&amp;', '&')}").text


def test_names_that_no_run_takes(reader: httpx.Client, folder: Path):
    """Are listed with the reason and without a link; bytes that are no text do not break the page."""
    for name in (b"line\nend.csv", b"\xff\xfe.csv", b"esc\x1b[2J.csv"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("x")
    (folder / "out.csv").symlink_to("/etc/passwd")
    answer = reader.get(INBOX, params={"folder": folder.name})
    assert answer.status_code == 200
    assert answer.text.count("No run can take it") == 4
    assert "file?path" not in answer.text
    for shown in (r"line\nend.csv", r"\udcff\udcfe.csv", r"esc\x1b[2J.csv"):
        assert shown in answer.text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (f"{SCRIPT},</pre>\n".encode(), "&lt;script&gt;alert(1)&lt;/script&gt;,&lt;/pre&gt;"),
        (bytes(range(256)), r"\x00\x01\x02"),
        ("жук\n".encode("cp1251"), "It is not UTF-8"),
        (gzip.compress(b"id\n007\n", mtime=0), "id\n007\n"),
        (gzip.compress(b"id\n" * 9, mtime=0)[:-3], "The gzip is cut short"),
        (gzip.compress(b"0" * 10**8, mtime=0), "0" * 300 + "…"),
        (b"", "0 bytes"),
    ],
)
def test_hostile_content_is_a_text(reader: httpx.Client, folder: Path, data: bytes, shown: str):
    """Any bytes make a small page with nothing of them in force."""
    (folder / "a.csv").write_bytes(data)
    answer = reader.get(FILE, params={"path": f"{folder.name}/a.csv"})
    assert answer.status_code == 200
    assert shown in answer.text
    assert SCRIPT not in answer.text
    assert len(answer.content) < 20_000
    assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            ".",
            "..",
            "../secret.csv",
            "/etc/passwd",
            "august",
            "august/../../secret.csv",
            "no.csv",
            "a\0b",
        ),
        *(
            "..\\secret.csv",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "august/users.csv/x",
            "link.csv",
            "pipe",
        ),
    ],
)
def test_no_path_leads_out(reader: httpx.Client, inbox: Path, path: str):
    """Answers 404 as for a file that is not there, and waits for no pipe."""
    (inbox.parent / "secret.csv").write_text("what nobody may read")
    (inbox / "link.csv").symlink_to(inbox.parent / "secret.csv")
    os.mkfifo(inbox / "pipe")
    try:
        answers = [reader.get(FILE, params={"path": path}), reader.get(INBOX, params={"folder": path})]
    finally:
        for name in ("link.csv", "pipe", "../secret.csv"):
            (inbox / name).unlink()
    assert answers[0].status_code == 404
    assert answers[1].status_code == (200 if path in ("", ".", "august") else 404)
    assert not any("what nobody may read" in answer.text for answer in answers)


def test_a_path_that_is_too_long_is_refused(reader: httpx.Client):
    """Before a disk is asked."""
    assert reader.get(FILE, params={"path": "x" * 1025}).status_code == 422


def test_many_files_are_cut(reader: httpx.Client, folder: Path):
    """The newest are shown, the others counted."""
    for number in range(250):
        path = folder / f"{number:03}.csv"
        path.write_text("x")
        os.utime(path, (number, number))
    html = reader.get(INBOX, params={"folder": folder.name}).text
    assert html.count("file?path=") == 200
    assert "249.csv" in html
    assert "049.csv" not in html
    assert "50 more are here" in html


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "variable 'inbox_root': not set"),
        ("relative", "variable 'inbox_root': is no absolute path"),
        ("/etc/passwd", "variable 'inbox_root': '/etc/passwd': Not a directory"),
    ],
)
def test_an_inbox_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, metadb: None, value: str, said: str
):
    """With 503 and the variable."""
    monkeypatch.setenv("AIRFLOW_VAR_INBOX_ROOT", value)
    answer = asked_by(monkeypatch, lambda _: True).get("/inbox/")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith(said)


@pytest.mark.parametrize("missing", ["api_calls", "phrases_views_import"])
@pytest.mark.parametrize("path", ["/inbox/", "/inbox/file?path=a.csv"])
def test_who_may_not_read_each_dag_sees_nothing(
    monkeypatch: pytest.MonkeyPatch, metadb: None, tmp_path: Path, path: str, missing: str
):
    """The inbox holds the files of both."""
    (tmp_path / "a.csv").write_text("x")
    monkeypatch.setenv("AIRFLOW_VAR_INBOX_ROOT", str(tmp_path))
    assert asked_by(monkeypatch, lambda _: True).get(path).status_code == 200
    assert asked_by(monkeypatch, lambda dag_id: dag_id != missing).get(path).status_code == 403


def asked_by(monkeypatch: pytest.MonkeyPatch, may_read) -> httpx.Client:
    """Return a client of somebody who may read these DAGs and start none."""

    class AuthManager:
        def is_authorized_dag(self, *, method, details, **_: object) -> bool:
            return method == "GET" and may_read(details.id)

    monkeypatch.setattr(security, "get_auth_manager", AuthManager)
    app = create_app()
    app.dependency_overrides[security.get_user] = lambda: "somebody"
    return TestClient(app)
