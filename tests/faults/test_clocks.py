"""Clocks and time zones that differ: those of the worker, of the servers it talks to, and of GitHub."""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.github.api.bounds import GitHubBounds
from include.github.api.client import GitHubClient
from include.github.errors import DayNotOver
from include.github.rank import RANKING, rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.github_stand_in.app import FAULTS, REQUEST_LOG, create_app
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample
from include.http.cooldown_store import CooldownStore
from include.http.errors import LimitNeverLifts, RateLimitedUntil
from include.http.request_cost import RequestCost
from tests import clock
from tests.clock import now
from tests.dags.sample_github import SampleGitHub, sample_github
from tests.faults.dag_process import DagProcess
from tests.servers.clickhouse import running_clickhouse
from tests.servers.postgres import PostgresServer

# +14, -9:30, +5:45
WORKER, CLICKHOUSE, POSTGRES = "Pacific/Kiritimati", "Pacific/Marquesas", "Asia/Kathmandu"
TOP = 5
DAY = date(2026, 8, 20)
COUNTERS = """campaign_id,phrase,views,dt
7,a,10,2026-08-19 23:50:00
7,a,11,2026-08-20 00:00:00
7,a,14,2026-08-20T14:10:00+14:00
7,a,20,2026-08-20 23:59:59
7,a,90,2026-08-21 00:00:00
"""
HOUR = timedelta(hours=1)
OUR_NOW = datetime(2026, 8, 21, 0, 30, tzinfo=UTC)  # when the nightly run begins
REQUEST = TopRepositoriesRequest(top=TOP, query="stars:>1", day=DAY)
SECOND = timedelta(seconds=1)
NO_DATE = Fault("", times=None, headers={"Date": "not told"})
AHEAD_OR_BEHIND = pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])


@contextmanager
def running_engine(kind: str, directory: Path) -> Iterator[tuple[str, ClickHouse]]:
    """A ClickHouse in a zone of its own: as a connection, and for a reader."""
    if kind == "embedded":  # its zone is that of its process
        path = directory / "chdb"
        fields = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(path)}}
        yield json.dumps(fields), EmbeddedClient("reader", path, "stagehouse", wait_s=5)
        return
    directory.mkdir()
    with running_clickhouse(CLICKHOUSE, directory) as server:
        server.execute("CREATE DATABASE stagehouse")
        login = {"user": server.user, "password": server.password}
        yield (
            server.airflow_connection(),
            NativeClient("reader", server.host, server.port, "stagehouse", **login),
        )


@pytest.fixture(scope="module")
def github() -> Iterator[SampleGitHub]:
    """The stand-in."""
    with sample_github() as served:
        yield served


@pytest.fixture(scope="module")
def worker(metadb: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagProcess]:
    """A process that runs DAGs in a zone of its own."""
    with DagProcess(tmp_path_factory.mktemp("worker") / "output.log", TZ=WORKER) as process:
        yield process


@pytest.mark.parametrize("kind", ["server", "embedded"])
def test_rows_and_days_are_the_same_in_every_zone(
    kind: str, worker: DagProcess, github: SampleGitHub, postgres_server: PostgresServer, tmp_path: Path
):
    """A worker, a ClickHouse and a PostgreSQL in three zones, none of them UTC: every day is one of UTC."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text(COUNTERS)
    fast = {"requests_per_second": 500, "max_concurrent_requests": 10}
    in_zone = {"extra": {"options": f"-c timezone={POSTGRES}"}}
    begun = now()
    with running_engine(kind, tmp_path / "engine") as (connection, reader):
        environment = {
            "AIRFLOW_CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(**in_zone),
            "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": connection,
            "AIRFLOW_CONN_GITHUB_DEFAULT": json.dumps(
                {"conn_type": "github", "host": github.url, "extra": fast}
            ),
            "AIRFLOW_VAR_PUBLISHED_BY_HOUR": '{"github_top_repositories": 0}',
        }
        for name in ("staging", "reports", "inbox"):
            environment[f"AIRFLOW_VAR_{name.upper()}_ROOT"] = str(tmp_path / name)
        for dag_id, conf in (
            ("github_top_repositories", {"top": TOP}),
            ("day_published_watch", {}),
            ("phrases_views_import", {"path": "a.csv"}),
            ("phrase_views_report", {"day": str(DAY)}),
        ):
            states, said = worker.run(dag_id, environment, conf=conf)
            assert set(states.values()) == {"success"}, said
        with reader:
            require_the_day_of_utc(reader, github, begun)
            require_the_hours_of_utc(reader)


def require_the_day_of_utc(reader: ClickHouse, github: SampleGitHub, begun: datetime) -> None:
    """Yesterday by UTC, with the commits of [00:00, 24:00) UTC; instants are those that they were."""
    ((day,),) = reader.execute("SELECT DISTINCT date FROM repositories_positions")
    assert day == clock.DAY
    rows = reader.execute(
        f"SELECT repo, author, commits_num FROM repositories_authors_commits WHERE date = '{day}'"
    )
    top = github.top(TOP)
    assert sorted(rows) == sorted((r.full_name, *row) for r in top for row in github.authors(r, day).items())
    instants = "SELECT min(toUnixTimestamp({0})), max(toUnixTimestamp({0})) FROM {1}"
    for column, table in (("fetched_at", "repositories"), ("published_at", "loads")):
        ((first, last),) = reader.execute(instants.format(column, table))
        assert int(begun.timestamp()) <= first <= last <= now().timestamp()


def require_the_hours_of_utc(reader: ClickHouse) -> None:
    """Samples at the instants that the file says, each in its hour."""
    samples = reader.execute("SELECT views, toUnixTimestamp(dt) FROM phrases_views FINAL ORDER BY dt")
    midnight = int(datetime(2026, 8, 20, tzinfo=UTC).timestamp())
    after_s = {10: -600, 11: 0, 14: 600, 20: 86_399, 90: 86_400}
    assert samples == [(views, midnight + second) for views, second in after_s.items()]
    hours = reader.execute("SELECT date, hour, views, toUnixTimestamp(hour_start) FROM phrases_views_by_hour")
    assert sorted(hours) == [(DAY, 0, 4, midnight), (DAY, 23, 6, midnight + 23 * 3600)]


class Clock:
    """A clock that can be moved. Attributes: now."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


async def ask(client: GitHubClient) -> datetime | None:
    """Ask once; return until when to wait, None for an answer."""
    try:
        await client.get(client.base_url, lambda _: None, RequestCost())
    except RateLimitedUntil as limit:
        return limit.until
    return None


class Api:
    """A GitHub with a clock of its own. Attributes: ours and theirs, clocks; faults; url; directory."""

    def __init__(self, off: timedelta, directory: Path, quota: Quota) -> None:
        self.ours, self.theirs, self.directory = Clock(OUR_NOW), Clock(OUR_NOW + off), directory
        self._app = create_app(Sample(), now=self.theirs, anonymous=quota)
        self.server, self.faults = TestServer(self._app), self._app[FAULTS]

    @property
    def answers(self) -> list[int]:
        """The status of each answer."""
        return [request.status for request in self._app[REQUEST_LOG].requests]

    def client(self) -> GitHubClient:
        """A client in a process of its own: it knows only what was written down."""
        return GitHubClient(
            str(self.server.make_url("/")), tokens=(), requests_per_second=500, max_concurrent_requests=1,
            timeout_s=5, limits=CooldownStore(self.directory), now=self.ours,
            bounds=GitHubBounds(max_sleep_s=0),
        )  # fmt: skip

    async def ask(self) -> datetime | None:
        """Ask once, in a process of its own; return until when to wait, None for an answer."""
        async with self.client() as client:
            return await ask(client)

    def pass_until(self, then: datetime) -> None:
        """Have time pass, for both."""
        self.theirs.now += then - self.ours.now
        self.ours.now = then


@asynccontextmanager
async def running_api(off: timedelta, directory: Path, core: int = 3):
    """Start an API whose clock is ahead of ours."""
    api = Api(off, directory, Quota(core_per_hour=core, search_per_minute=100))
    await api.server.start_server()
    try:
        yield api
    finally:
        await api.server.close()


@AHEAD_OR_BEHIND
async def test_the_api_s_clock_is_an_hour_off(off: timedelta, tmp_path: Path):
    """What is left is spent and not a request more; the wait is the server's, whatever the clocks say."""
    async with running_api(off, tmp_path) as api:
        for _ in range(3):
            assert await api.ask() is None
        until = await api.ask()
        assert until == OUR_NOW + HOUR + SECOND
        api.pass_until(until - timedelta(seconds=2))
        assert await api.ask() == until
        api.pass_until(until)
        assert await api.ask() is None
        assert set(api.answers) == {200}


async def test_a_clock_that_is_ahead_and_not_told(tmp_path: Path):
    """Without a Date the reset is taken by our clock: we wait longer than we must, and not for ever."""
    async with running_api(HOUR, tmp_path, core=1) as api:
        api.faults.add(NO_DATE)
        assert await api.ask() is None
        until = await api.ask()
        assert until == OUR_NOW + 2 * HOUR + SECOND
        api.pass_until(until)
        assert await api.ask() is None


async def test_a_clock_that_is_behind_and_not_told(tmp_path: Path):
    """Without a Date the reset is over by our clock: a few refusals, a second apart, then the try is red."""
    async with running_api(-HOUR, tmp_path, core=1) as api:
        api.faults.add(NO_DATE)
        assert await api.ask() is None
        for _ in range(GitHubBounds.strikes + 1):  # the first wait is known before it is refused
            api.pass_until(await api.ask() or api.ours.now)
        with pytest.raises(LimitNeverLifts):
            await api.ask()
        assert api.answers == [200] + [403] * (GitHubBounds.strikes + 1)


async def test_a_limit_written_down_by_a_clock_that_was_ahead(tmp_path: Path):
    """It lasts no longer than it did: a worker that was in the next year does not stop all others for one."""
    async with running_api(timedelta(), tmp_path, core=1) as api:
        api.ours.now += timedelta(days=365)
        assert await api.ask() is None
        api.ours.now = OUR_NOW
        until = await api.ask()
        assert until == OUR_NOW + HOUR + SECOND
        api.pass_until(until)
        assert await api.ask() is None
        assert set(api.answers) == {200}


async def test_our_clock_is_set_back_during_a_wait(tmp_path: Path):
    """The wait begins anew, once."""
    async with running_api(timedelta(), tmp_path, core=1) as api, api.client() as client:
        assert await ask(client) is None
        api.ours.now -= HOUR
        until = await ask(client)
        assert until == OUR_NOW + SECOND
        api.pass_until(until)
        assert await ask(client) is None
        assert api.answers == [200, 200]


async def test_our_clock_is_set_on_during_a_wait(tmp_path: Path):
    """GitHub is asked too early, once, and says how long it still takes."""
    async with running_api(timedelta(), tmp_path, core=1) as api, api.client() as client:
        assert await ask(client) is None
        api.ours.now += 2 * HOUR
        until = await ask(client)
        assert until == OUR_NOW + 3 * HOUR + SECOND
        assert await ask(client) == until
        api.pass_until(until)
        assert await ask(client) is None
        assert api.answers == [200, 403, 200]


async def test_a_day_that_is_over_by_our_clock_only(tmp_path: Path):
    """Its last commits are not there yet: red, with both clocks; a day that nobody takes for over is not."""
    path, today = tmp_path / "run", REQUEST.model_copy(update={"day": DAY + timedelta(days=1)})
    async with running_api(-HOUR, tmp_path) as api:
        async with api.client() as client:
            with pytest.raises(
                DayNotOver, match=r"GitHub's clock \(2026-08-20 23:30:00 UTC\), by ours it is"
            ):
                await rank(client, RestSearch(client), REQUEST, path, api.ours.now)
        assert not (path / RANKING).exists()
        api.pass_until(OUR_NOW + HOUR / 2)
        async with api.client() as client:
            search, now = RestSearch(client), api.ours.now
            assert len(await rank(client, search, REQUEST, path, now)) == TOP
            assert len(await rank(client, search, today, tmp_path / "today", now)) == TOP
