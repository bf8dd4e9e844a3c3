"""What a run is expected to cost, against what it costs: the stand-in of GitHub, and a real ClickHouse."""

from collections.abc import Iterator

import pytest

from include.clickhouse.client import ClickHouse
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from include.github.apis import commits_by, search_by
from include.github.fetch import fetch
from include.github.plan import Plan, PlanNeverFits
from include.github.planning import plan_commits
from include.github.rank import rank
from include.github.request import RunOptions, TopRepositoriesRequest
from include.github.runs import RecordedRun, read_run, record_cost
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.staging.manifest import Manifest
from tests.clock import now
from tests.servers.github_schema import SCHEMA_IF_THERE, needs_schema

RUN = {"dag_id": "d", "run_id": "r"}


class Day:
    """A run of the top 100 in steps. Attributes: client; request."""

    def __init__(self, client, clickhouse: ClickHouse, directory, request: TopRepositoriesRequest) -> None:
        self.client, self.request = client, request
        self._clickhouse, self._directory = clickhouse, directory

    async def plan(self, **options) -> Plan:
        """Do what the tasks rank and plan do."""
        wanted = RunOptions(**options)
        self._api = wanted.chosen_api(has_token=self.client.has_token)
        self._ranking = await rank(
            self.client, search_by(self._api, self.client), self.request, self._directory, now()
        )
        return await plan_commits(
            self.client,
            self._clickhouse,
            self._ranking,
            wanted,
            self._directory,
            run=RUN,
            now=now(),
            check_lease=lambda: None,
        )

    async def fetch(self) -> Manifest:
        """Do what the task fetch does, and of publish the row of the run."""
        source = commits_by(self._api, self.client)
        manifest = await fetch(
            self.client,
            source,
            self._ranking,
            self.request,
            self._directory,
            **RUN,
            now=now,
        )
        record_cost(self._clickhouse, manifest, now(), lambda: None)
        return manifest

    @property
    def row(self) -> RecordedRun:
        """What `runs` says."""
        found = read_run(self._clickhouse, self.request.day, RUN["run_id"])
        assert found
        return found


@pytest.fixture
def clickhouse(chdb_path) -> Iterator[ClickHouse]:
    """Migrated tables."""
    with EmbeddedClient("test", chdb_path, "stagehouse", wait_s=5) as client:
        migrate(client)
        yield client


@pytest.fixture
def make_day(make_client, clickhouse, tmp_path, yesterday):
    """Make a run of the top 100 at a URL."""
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    return lambda url, **options: Day(make_client(url, **options), clickhouse, tmp_path / "run", request)


def paths(app) -> list[str]:
    """What was asked for, in its order."""
    return [request.path_qs.split("?")[0] for request in app[REQUEST_LOG].requests]


async def test_a_plan_and_what_it_comes_to(stand_in, make_day):
    """Requests as planned but for second looks, redirects and pages; planned again, nothing is left."""
    app, url = await stand_in()
    day = make_day(url, rps=200)
    async with day.client:
        plan = await day.plan()
        assert paths(app) == ["/search/repositories", "/rate_limit"]
        manifest = await day.fetch()
        asked = [path for path in dict.fromkeys(paths(app)) if path.startswith("/repos/")]
        assert plan.cost.requests == len(asked)
        assert plan.quota_left == 5000
        assert plan.requests <= manifest.facts["requests"] <= plan.requests + 10
        row, sent = day.row, len(paths(app))
        assert (row.requests_planned, row.requests) == (plan.requests, manifest.facts["requests"])
        again = await day.plan()
    assert str(again) == "nothing is left to be asked of 100 repositories"
    assert (day.row, len(paths(app))) == (row, sent)


async def test_a_plan_after_a_failed_try_is_of_the_rest(stand_in, make_day):
    """What is finished is not planned once more; the table keeps what the whole run was expected to cost."""
    app, url = await stand_in()
    day = make_day(url, attempts=1)
    async with day.client:
        whole = await day.plan()
        app[FAULTS].add(Fault("/repos/", times=None, status=500, after=20))
        with pytest.raises(Exception, match="failed"):
            await day.fetch()
        rest = await day.plan()
    assert 0 < rest.work.finished == whole.work.left - rest.work.left
    assert rest.cost.requests == rest.work.left
    assert day.row.requests_planned == whole.requests


@needs_schema
async def test_points_are_planned_and_counted(stand_in, make_day):
    """A run by GraphQL: its points are those that the server has taken off, planned as near as requests."""
    _, url = await stand_in(graphql_schema=SCHEMA_IF_THERE)
    day = make_day(url, tokens=("token",))
    async with day.client:
        plan = await day.plan()
        before = (await day.client.quotas())[0].resources["graphql"].remaining
        manifest = await day.fetch()
        after = (await day.client.quotas())[0].resources["graphql"].remaining
    assert (plan.api, plan.cost.points) == ("graphql", 2)
    assert plan.quota_left == before - 500  # the reserve
    assert manifest.facts["points"] == 5000 - after
    assert before - after >= 2
    assert (day.row.api, day.row.points) == ("graphql", manifest.facts["points"])
    assert plan.points <= day.row.points


async def test_a_run_that_has_no_time_is_refused_before_the_first_commit(stand_in, make_day):
    """Two requests an hour: the error says what to change, the row is there, no repository was asked for."""
    app, url = await stand_in(anonymous=Quota(core_per_hour=2, search_per_minute=10))
    day = make_day(url)
    async with day.client:
        with pytest.raises(PlanNeverFits, match=r"quota left 2: does not fit.*put a token"):
            await day.plan()
    assert paths(app) == ["/search/repositories", "/rate_limit"]
    assert (day.row.fits, day.row.quota_left, day.row.is_finished) == (0, 2, False)


async def test_only_the_plan_of_a_run_that_has_no_time_is_no_error(stand_in, make_day):
    """It is what was asked for; the row is there all the same."""
    _, url = await stand_in(anonymous=Quota(core_per_hour=2, search_per_minute=10))
    day = make_day(url)
    async with day.client:
        assert not (await day.plan(plan_only=True)).fits
    assert (day.row.fits, day.row.plan_only) == (0, 1)


async def test_a_server_without_limits(stand_in, make_day):
    """A GitHub Enterprise answers 404 to the question: everything fits."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/rate_limit", times=None, status=404))
    day = make_day(url)
    async with day.client:
        assert (await day.plan()).fits
    assert day.row.quota_left == -1
