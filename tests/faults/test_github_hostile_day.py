"""A day of answers as bad as GitHub may send them: fetched, staged, published, in both engines."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from include.clickhouse.client import NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.load import load_part
from include.clickhouse.publish import check_day, publish_day
from include.clickhouse.schema import migrate
from include.github.api.bounds import GitHubBounds
from include.github.api.client import GitHubClient
from include.github.commits.rest import RestCommits
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.http.cooldown_store import CooldownStore
from tests.integration.http.server import RecordingServer

DAY = date(2026, 8, 20)
NOW = datetime(2026, 8, 21, 1, tzinfo=UTC)
LONG, LARGE = "x" * 100, "я" * 2**19  # as long as a name of GitHub's may be; a megabyte
REPOSITORIES = [
    {
        "id": 2**63 - 1,
        "owner": {"login": LONG},
        "name": LONG,
        "stargazers_count": 2**31 - 1,
        "watchers_count": 2**31 - 1,
        "forks_count": 0,
        "language": "'; DROP TABLE repositories; -- \\ \ud83d\0\t\n",
        "updated_at": "1970-01-01T00:00:00Z",
        "pushed_at": "2105-12-31T23:59:59Z",
        "more": [LARGE, None, 10**400],
    },
    {
        "id": 1,
        "owner": {"login": "-"},
        "name": "_.-",
        "stargazers_count": 0,
        "watchers_count": 0,
        "forks_count": 0,
        "language": LARGE,
        "updated_at": "2026-08-20T23:59:59.999999-14:00",
        "pushed_at": None,
    },
]
# As they are sent, and as they are kept.
AUTHORS = {
    "\ud83d": "\ufffd",
    "c\udc00": "c\ufffd",
    "a\0b": "ab",
    "ab": "ab",
    "A" * 10_000: "A" * 10_000,
    LARGE: LARGE[:20_000],
    "'; DROP TABLE loads; --": "'; DROP TABLE loads; --",
    "%(day)s {{ 7*7 }} \\N \\' \" `": "%(day)s {{ 7*7 }} \\N \\' \" `",
    "a\tb\r\nc": "a\tb\r\nc",
    "\u202e\u05e2\u2028🧵\x1b[31m": "\u202e\u05e2\u2028🧵\x1b[31m",
    "],[": "],[",
    " \0\t": "m@x",
    "": "m@x",
}
OUTSIDE = [
    "1970-01-01T00:00:00Z",
    "2031-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-08-21T00:00:00Z",
]


def commit(number, name, at="2026-08-20T12:00:00Z"):
    """Make a commit whose author has no account."""
    author = {"name": name, "email": "m@x", "date": "never"}
    return {"sha": f"{number:040x}", "author": None, "commit": {"author": author, "committer": {"date": at}}}


COMMITS = [commit(n, name) for n, name in enumerate(AUTHORS)]
COMMITS += [commit(n, "late", at) for n, at in enumerate(OUTSIDE, start=100)]


async def hostile(request):
    """Answer as an API would that checks nothing; json writes lone surrogates as escapes, which is legal."""
    if request.path.startswith("/search/"):
        value = {"total_count": 2, "incomplete_results": False, "items": REPOSITORIES}
    else:
        value = COMMITS if LONG in request.path else []
    return web.Response(text=json.dumps(value), content_type="application/json")


@pytest.fixture(params=["18.16 native", "26.9 embedded"])
def clickhouse(request):
    """An engine with the project's tables."""
    if request.param == "26.9 embedded":
        client = EmbeddedClient("'embedded'", request.getfixturevalue("chdb_path"), "stagehouse", wait_s=20)
    else:
        server = request.getfixturevalue("clickhouse_server")
        account = {"user": server.user, "password": server.password}
        database = request.getfixturevalue("clickhouse_database")
        server.execute(f"CREATE DATABASE {database}")
        client = NativeClient("'native'", server.host, server.port, database, **account)
    with client as connection:
        migrate(connection)
        yield connection


async def fetched(directory: Path):
    """Fetch the day from the hostile API."""
    server = RecordingServer(hostile)
    await server.start()
    client = GitHubClient(
        str(server.url),
        tokens=(),
        requests_per_second=500,
        max_concurrent_requests=2,
        timeout_s=10,
        limits=CooldownStore(directory / "limits"),
        now=lambda: NOW,
        bounds=GitHubBounds(attempts=1),
    )
    request = TopRepositoriesRequest(top=2, query="stars:>1", day=DAY)
    try:
        async with client:
            ranking = await rank(client, RestSearch(client), request, directory, NOW)
            named = {"dag_id": "d", "run_id": "r", "now": lambda: NOW}
            return await fetch(client, RestCommits(client), ranking, request, directory, **named)
    finally:
        await server.stop()


async def test_what_is_taken_arrives_as_it_is_kept(clickhouse, tmp_path):
    """Each value is in its table as it was sent; what no table takes is cleaned by rule, and counted."""
    manifest = await fetched(tmp_path)
    staged = [
        load_part(clickhouse, tmp_path, manifest, table=name, file=part.file, attempt="1")
        for name, parts in manifest.tables.items()
        for part in parts.parts
    ]
    publish_day(clickhouse, manifest, staged, attempt="1", now=lambda: NOW, old_parts_wait_s=0)
    check_day(clickhouse, tmp_path, manifest, "1")
    select = clickhouse.execute
    kept = dict.fromkeys(AUTHORS.values(), 0)
    for name in AUTHORS.values():
        kept[name] += 1
    assert dict(select("SELECT author, commits_num FROM repositories_authors_commits")) == kept
    assert manifest.facts["authors_cleaned"] == 4
    assert manifest.facts["commits_outside_day"] == len(OUTSIDE)
    assert select("SELECT repo, position, id, stars FROM repositories_positions ORDER BY position") == [
        (f"{LONG}/{LONG}", 1, 2**63 - 1, 2**31 - 1),
        ("-/_.-", 2, 1, 0),
    ]
    columns = "name, language, toUInt32(updated), toUInt32(pushed_at)"
    last = int(datetime(2105, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    updated = int((datetime(2026, 8, 20, 23, 59, 59, tzinfo=UTC) + timedelta(hours=14)).timestamp())
    assert select(f"SELECT {columns} FROM repositories ORDER BY id") == [
        ("_.-", LARGE, updated, 0),
        (LONG, "'; DROP TABLE repositories; -- \\ \ufffd\t\n", 0, last),
    ]
