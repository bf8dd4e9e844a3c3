"""Whole runs against a GitHub that misbehaves: rank and fetch as the DAG does, on the project's stand-in.

A fault that passes costs requests and time, never rows: the same try stages the day exactly. A fault that
lasts makes the try red by a name; when the API is well again the next try stages the day exactly, asks for
nothing twice that was finished, and leaves nothing behind of the try before.
"""

import asyncio
import json
import re
import time
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from include.github.api import answer_errors, errors
from include.github.api.bounds import GitHubBounds
from include.github.api.client import GitHubClient
from include.github.commits.rest import RestCommits
from include.github.errors import MostlyForbidden, MostlyGone, MostlyOdd
from include.github.fetch import fetch
from include.github.rank import RANKING, rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.github_stand_in.app import FAULTS, REQUEST_LOG, create_app
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample
from include.http.cooldown_store import CooldownStore
from include.http.errors import (
    ForeignOrigin,
    LimitNeverLifts,
    RateLimitedUntil,
    RequestFailed,
    RetryBudgetSpent,
    TooManyRedirects,
)
from include.staging.manifest import MANIFEST, Manifest
from include.staging.ndjson_parts import read_batches
from tests.servers.free_port import free_ports

NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)
DAY = date(2026, 8, 20)
REQUEST = TopRepositoriesRequest(top=12, query="stars:>1", day=DAY)
TOKEN = "ghp_0123456789abcdef"
AT_ONCE = 4
PLENTY = Quota(core_per_hour=100_000, search_per_minute=100_000)
# Quick, but of the same shape as in production.
BOUNDS = GitHubBounds(
    refusal_wait_s=0.1,
    strikes=2,
    attempts=3,
    retry_first_s=0.01,
    retry_most_s=0.03,
    retry_jitter_s=0.01,
    gone_delay_s=0.01,
    pages=20,
)
SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
ABUSE = b'{"message": "You have triggered an abuse detection mechanism. Please retry later."}'
PRIMARY = b'{"message": "API rate limit exceeded for user ID 1."}'
ONE_COMMIT = b'[{"sha": "%s", "commit": {"committer": {"date": "2026-08-20T00:00:00Z"}}}]' % (b"a" * 40)
COMMITS, SEARCH = r"/commits\?", "/search/"


class Clock:
    """Our clock and the server's: noon and what has passed since, and more when it is moved."""

    def __init__(self) -> None:
        self.begin_s, self.ahead = time.monotonic(), timedelta()

    def __call__(self) -> datetime:
        """Return the time."""
        return NOON + timedelta(seconds=time.monotonic() - self.begin_s) + self.ahead


class Run:
    """The tries of one run in one directory, against one server."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.clock, self.rate = directory, Clock(), 50
        self.app = create_app(Sample(), now=self.clock, anonymous=PLENTY, with_token=PLENTY)
        self.server = TestServer(self.app)

    @property
    def sent(self):
        """What the server saw."""
        return self.app[REQUEST_LOG].requests

    @property
    def asked(self) -> Counter[str]:
        """How often the first page of each repository was asked for."""
        return Counter(r.path_qs.partition("?")[0] for r in self.sent if r.path_qs.startswith("/repos/"))

    async def try_once(self, url: str = "") -> Manifest:
        """Rank and fetch, as the DAG's tasks do; never faster than told, and never more at once."""
        client = GitHubClient(
            url or str(self.server.make_url("/")),
            tokens=(TOKEN,),
            requests_per_second=self.rate,
            max_concurrent_requests=AT_ONCE,
            timeout_s=1.5,
            limits=CooldownStore(self.directory.parent / "limits"),
            now=self.clock,
            bounds=BOUNDS,
        )
        named = {"dag_id": "github_top_repositories", "run_id": "manual__1", "now": self.clock}
        try:
            async with client:
                ranking = await rank(client, RestSearch(client), REQUEST, self.directory, NOON)
                return await fetch(client, RestCommits(client), ranking, REQUEST, self.directory, **named)
        finally:
            arrivals = [request.at_s for request in self.sent]
            assert all(sum(b <= at < b + 1 for at in arrivals) <= self.rate for b in arrivals)
            assert self.app[REQUEST_LOG].most_in_flight <= AT_ONCE

    def staged(self, manifest: Manifest) -> dict[str, list[tuple[object, ...]]]:
        """Read all rows back, but for what requests they took."""
        tables = {
            name: [
                row
                for part in parts.parts
                for batch in read_batches(self.directory / part.file, parts.table, part, 1000)
                for row in batch
            ]
            for name, parts in manifest.tables.items()
        }
        tables["repositories_outcomes"] = [row[:-1] for row in tables["repositories_outcomes"]]
        return tables

    def left_over(self, manifest: Manifest) -> set[str]:
        """Return the files that no later step needs: none may be there."""
        there = {
            str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file()
        }
        parts = {part.file for table in manifest.tables.values() for part in table.parts}
        _, *ranked = map(json.loads, (self.directory / RANKING).read_text().splitlines())
        records = {f"fetched/{n}-{repository['id']}.ndjson" for n, repository in enumerate(ranked, start=1)}
        return there - parts - records - {RANKING, MANIFEST}


@asynccontextmanager
async def running(directory: Path):
    """Start the server of a run."""
    run = Run(directory)
    await run.server.start_server()
    try:
        yield run
    finally:
        await run.server.close()


@pytest.fixture
async def run(tmp_path):
    """A run."""
    async with running(tmp_path / "run") as run:
        yield run


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """The rows of the day from a calm run, which another test holds to the sample; and what it cost."""

    async def calm():
        async with running(tmp_path_factory.mktemp("calm") / "run") as run:
            return run.staged(await run.try_once()), len(run.sent)

    return asyncio.run(calm())


def limited(status, body, **headers):
    """Make the fault of a refusal that says when to come back, if it does."""
    return {"status": status, "body": body, "headers": {k.replace("_", "-"): v for k, v in headers.items()}}


def replaced(old, new):
    """Make the fault of a body in which one thing is another."""
    return {"body": lambda body: body.replace(old, new)}


# The fault, how many requests it hits, how many more are sent because of it.
PASSING = {
    "secondary limit with a time": (COMMITS, limited(403, SECONDARY, Retry_After="1"), 1),
    "secondary limit without one": (COMMITS, limited(403, SECONDARY, X_RateLimit_Remaining="14"), 1),
    "abuse detection": (COMMITS, limited(403, ABUSE), 1),
    "bare 429": (COMMITS, limited(429, b""), 1),
    "limit of the search": (SEARCH, limited(429, SECONDARY, Retry_After="1"), 1),
    "primary limit": (
        COMMITS,
        limited(
            403,
            PRIMARY,
            X_RateLimit_Remaining="0",
            X_RateLimit_Reset="1000",
            Date=format_datetime(datetime.fromtimestamp(999, UTC), usegmt=True),
        ),
        1,
    ),
    "Unicorn!": (COMMITS, {"status": 502, "body": b"<html>Unicorn!</html>"}, 2),
    "page of a proxy": (COMMITS, {"body": b"<h1>Sign in</h1>", "headers": {"Content-Type": "text/html"}}, 2),
    "empty 200": (COMMITS, {"body": b""}, 2),
    "204": (COMMITS, {"status": 204, "body": b""}, 2),
    "null": (COMMITS, {"body": b"null"}, 2),
    "cut body": (COMMITS, {"cut_to": 30}, 2),
    "hung up": (COMMITS, {"drop": True}, 2),
    "reset": (COMMITS, {"drop": True, "reset": True}, 2),
    "reset inside the body": (COMMITS, {"cut_to": 30, "reset": True}, 2),
    "no answer": (COMMITS, {"delay_s": 2.5}, 1),
    "endless body": (COMMITS, {"drip_s": 0.05}, 1),
    "bad gzip": (COMMITS, {"headers": {"Content-Encoding": "gzip"}, "body": b"no gzip"}, 2),
    "byte order mark": (COMMITS, {"body": lambda body: b"\xef\xbb\xbf" + body[:-1]}, 2),
    "bad UTF-8": (COMMITS, {"body": lambda body: body[:-1] + b'"\xff"]'}, 2),
    "NaN": (SEARCH, {"body": b'{"total_count": NaN, "incomplete_results": false, "items": []}'}, 2),
    "incomplete results": (SEARCH, replaced(b'results":false', b'results":true'), 2),
    "no stars": (SEARCH, replaced(b'"stargazers_count":', b'"x":'), 2),
    "lagging replica": (COMMITS, {"status": 404, "body": b'{"message": "Not Found"}'}, 1),
    "busy 409": (COMMITS, {"status": 409, "body": b'{"message": "busy"}'}, 2),
}


@pytest.mark.parametrize("name", PASSING)
async def test_a_fault_that_passes_costs_requests_but_no_rows(run, truth, name):
    """The same try is green and exact, with exactly as many requests more as were refused or lost."""
    url, fault, hits = PASSING[name]
    rows, requests = truth
    run.app[FAULTS].add(Fault(url, times=hits, after=0 if url == SEARCH else 3, **fault))
    manifest = await run.try_once()
    assert run.staged(manifest) == rows
    assert run.left_over(manifest) == set()
    in_flight = AT_ONCE - 1 if fault.get("status") in (403, 429) else 0  # those cannot be called back
    assert requests < len(run.sent) <= requests + hits + in_flight
    assert len(run.sent) == manifest.facts["requests"]


OF_ALL = (LimitNeverLifts, RateLimitedUntil, MostlyGone, MostlyForbidden, MostlyOdd)  # not about a repository
LASTING = {
    "revoked token": (
        {"status": 401, "body": b'{"message": "Bad credentials"}'},
        answer_errors.Unauthorized,
        r"/commits.*Bad credentials.*password of the GitHub connection",
    ),
    "no rights": (
        {
            "status": 403,
            "body": b'{"message": "Resource not accessible by personal access token"}',
            "after": 2,
        },
        MostlyForbidden,
        r"answer 403 to each token \(for example [\w./-]+; .*check the rights of the tokens",
    ),
    "refused as invalid": (
        {"status": 422, "body": b'{"message": "Validation Failed", "errors": [{"code": "invalid"}]}'},
        answer_errors.Invalid,
        r"Validation Failed.*'code': 'invalid'.*check the params",
    ),
    "unknown version": (
        {"status": 400, "body": b'{"message": "is not a supported version"}'},
        answer_errors.Unexpected,
        "not a supported version.*check that the host",
    ),
    "304 without being asked": (
        {"status": 304, "body": b""},
        RequestFailed,
        r"3 times.*/commits.*304.*no condition was sent; a cache on the way.*run the task again later",
    ),
    "limit that never lifts": (
        limited(403, SECONDARY),
        LimitNeverLifts,
        "3 times in a row.*lower requests_per_second",
    ),
    "hour is spent": (
        limited(403, PRIMARY, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(int(NOON.timestamp()) + 3600)),
        RateLimitedUntil,
        r"'core': no request before 2026-08-21 13:00:0\d UTC",
    ),
    "down": (
        {"status": 503, "body": b"<html>Unicorn!</html>", "headers": {"X-GitHub-Request-Id": "AB:12"}},
        RequestFailed,
        r"3 times.*/commits.*Unicorn!.*AB:12.*run the task again later",
    ),
    "nobody there": (
        {"drop": True, "reset": True},
        (RequestFailed, RetryBudgetSpent),
        r"/commits.*Connection reset by peer.*Next: run the task again later",
    ),
    "commit without a date": (
        replaced(b'"date":"2026', b'"date":"never') | {"after": 2},
        MostlyOdd,
        r"most commits of \d+ of \d+ repositories are odd \(for example of [\w./-]+;.*check the host",
    ),
    "redirect to another server": (
        {"status": 301, "headers": {"Location": "https://api.github.com/x"}},
        ForeignOrigin,
        r"/commits.* points at https://api.github.com.*host of the GitHub connection",
    ),
    "redirect in a circle": (
        {"status": 302, "headers": {"Location": "/repositories/1/commits"}},
        TooManyRedirects,
        r"/commits.*after 5 hops.*Next: check the host",
    ),
    "list without an end": (
        {"status": 200, "body": ONE_COMMIT, "headers": {"Link": '</x/commits?page=2>; rel="next"'}},
        errors.TooManyPages,
        "no end after [23] pages.*nothing is cut short",
    ),
    "link to another server": (
        {"headers": {"Link": '<http://127.0.0.1:9/x>; rel="next"'}},
        ForeignOrigin,
        r"points at http://127.0.0.1:9/x.*host of the GitHub connection",
    ),
    "sees nothing": (
        {"status": 404, "body": b'{"message": "Not Found"}', "after": 2},
        MostlyGone,
        r"answer 404 \(for example [\w./-]+\)\. Next: check the rights of the token",
    ),
}


@pytest.mark.parametrize("name", LASTING)
async def test_a_fault_that_lasts_is_red_by_name_and_leaves_nothing(run, truth, name):
    """Repository and next step are told, nothing counts as staged; the next try is exact and asks no more.

    The failing try itself sends no more than a patient reader would: three attempts of what is in flight.
    """
    fault, kind, told = LASTING[name]
    rows, _ = truth
    run.app[FAULTS].add(Fault("/commits", times=None, **{"after": 5} | fault))
    with pytest.raises(kind, match=told) as red:
        await run.try_once()
    notes = getattr(red.value, "__notes__", [])
    assert TOKEN not in f"{red.value!r} {notes}"
    assert kind in OF_ALL or re.fullmatch(r"repository [\w.-]+/[\w.-]+, position \d+", *notes)
    assert len(run.sent) <= 1 + 5 + AT_ONCE * BOUNDS.attempts * 6
    assert not (run.directory / MANIFEST).exists()
    finished = {json.loads(p.read_text())["repo"] for p in (run.directory / "fetched").glob("[0-9]*.ndjson")}
    assert finished
    before = run.asked
    run.app[FAULTS].clear()
    run.clock.ahead += timedelta(hours=1, seconds=2)
    manifest = await run.try_once()
    assert run.staged(manifest) == rows
    assert run.left_over(manifest) == set()
    assert all(run.asked[f"/repos/{repo}/commits"] == before[f"/repos/{repo}/commits"] for repo in finished)


async def test_the_rate_is_kept_while_every_other_request_fails(run, truth):
    """Retries queue like all others: more than a second's worth of them is spread over seconds."""
    run.rate = 8
    run.app[FAULTS].add(*(Fault(COMMITS, after=n, status=502, body=b"") for n in range(15)))
    manifest = await run.try_once()
    assert run.staged(manifest) == truth[0]
    assert len(run.sent) > 2 * run.rate


async def test_nobody_listens(run, truth):
    """A refused connection is told with address and next step; the next try, with the API there, is exact."""
    with pytest.raises(RequestFailed, match=r"/search/repositories.*Connect.*run the task again"):
        await run.try_once(f"http://127.0.0.1:{free_ports(1)[0]}")
    assert list(run.directory.iterdir() if run.directory.exists() else ()) == []
    manifest = await run.try_once()
    assert run.staged(manifest) == truth[0]
