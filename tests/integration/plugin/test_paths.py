"""No path leads out of reports_root: sent byte by byte, past what a polite client would mend."""

import http.client
from pathlib import Path

import pytest

from tests.integration.plugin.api_server import ApiServer

SECRET = "what nobody may read"
DAY = "/stagehouse/phrase-views/2026-11-20"


@pytest.fixture(scope="module")
def token(server: ApiServer) -> str:
    """An admin's token: it is not the rights that keep a path in."""
    return server.token("admin")


@pytest.fixture(scope="module")
def secrets(reports: Path) -> Path:
    """Files beside reports_root and in it, with names that a trick may reach."""
    for path in (reports.parent / "secret.tsv", reports / "secret.tsv", reports / "phrase_views" / "1.tsv"):
        path.write_text(SECRET)
    yield reports
    for path in (reports.parent / "secret.tsv", reports / "secret.tsv", reports / "phrase_views" / "1.tsv"):
        path.unlink()


def get(server: ApiServer, token: str, path: str) -> tuple[int, str]:
    """Ask for exactly these bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/stagehouse/phrase-views/../secret.tsv",
        "/stagehouse/phrase-views/../../secret.tsv",
        "/stagehouse/phrase-views/%2e%2e/secret.tsv",
        "/stagehouse/phrase-views/%2e%2e/%2e%2e/secret.tsv",
        "/stagehouse/phrase-views/..%2fsecret.tsv",
        "/stagehouse/phrase-views/%2e%2e%2fsecret.tsv",
        "/stagehouse/phrase-views/..%5csecret.tsv",
        "/stagehouse/phrase-views/%252e%252e/secret.tsv",
        "/stagehouse/phrase-views/./1.tsv",
        "/stagehouse/phrase-views//1.tsv",
        f"{DAY}/../1.tsv",
        f"{DAY}/%2e%2e/1.tsv",
        f"{DAY}/..%2f1.tsv",
        f"{DAY}//etc/passwd",
        f"{DAY}/%2fetc%2fpasswd.tsv",
        f"{DAY}/1111111.tsv%00.html",
        f"{DAY}/1111111%00.tsv",
        f"{DAY}/1111111%0a.tsv",
        f"{DAY}/1111111.tsv%0a",
        f"{DAY}/01111111.tsv",
        f"{DAY}/%D9%A1111111.tsv",
        f"{DAY}/index.json",
        f"{DAY}/99999999999999999999.tsv",
        "/stagehouse/phrase-views/2026-11-20%0a/1111111.tsv",
        "/stagehouse/phrase-views/2026-11-20%00/1111111.tsv",
        "/stagehouse/phrase-views/20261120/1111111.tsv",
        "/stagehouse/phrase-views/2026-W47-5/1111111.tsv",
        "/stagehouse/static/../app.py",
        "/stagehouse/static/%2e%2e/app.py",
        "/stagehouse/top-repositories/..%2fphrase_views%2f2026-11-20/index.html",
        "/stagehouse/top-repositories/..%2fphrase_views%2f2026-11-20/repositories.csv",
        "/stagehouse/top-repositories/2026-11-20/index.json",
    ],
)
def test_a_trick_finds_nothing(server: ApiServer, token: str, secrets: Path, path: str):
    """Answers 404 to every path that is not exactly a day and a file of the report."""
    status, text = get(server, token, path)
    assert (status, SECRET in text) == (404, False), text


def test_the_honest_path_works(server: ApiServer, token: str):
    """Answers 200 to the path that the tricks above are made of."""
    assert get(server, token, f"{DAY}/1111111.tsv")[0] == 200


@pytest.mark.parametrize("link", ["7.tsv", "7.html"])
def test_a_link_that_leads_out(server: ApiServer, token: str, secrets: Path, link: str):
    """Answers 404 to a symbolic link out of the section's folder, even to elsewhere in reports_root."""
    for target in (secrets.parent / "secret.tsv", secrets / "secret.tsv"):
        path = secrets / "phrase_views" / "2026-11-20" / link
        path.symlink_to(target)
        try:
            status, text = get(server, token, f"{DAY}/{link}")
        finally:
            path.unlink()
        assert (status, SECRET in text) == (404, False)


def test_a_directory_that_leads_out(server: ApiServer, token: str, secrets: Path, tmp_path: Path):
    """Answers 404 for a day whose directory is a link to another place."""
    (tmp_path / "7.tsv").write_text(SECRET)
    link = secrets / "phrase_views" / "2026-01-01"
    link.symlink_to(tmp_path)
    try:
        status, text = get(server, token, "/stagehouse/phrase-views/2026-01-01/7.tsv")
    finally:
        link.unlink()
    assert (status, SECRET in text) == (404, False)


def test_a_directory_in_place_of_a_file(server: ApiServer, token: str, secrets: Path):
    """Answers 404 where a directory has the name of a file."""
    path = secrets / "phrase_views" / "2026-11-20" / "8.tsv"
    path.mkdir()
    status, _ = get(server, token, f"{DAY}/8.tsv")
    path.rmdir()
    assert status == 404
