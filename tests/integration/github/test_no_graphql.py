"""A token, and a server that has no GraphQL: it is asked once, and the run remembers."""

import pytest

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from include.github.apis import commits_by, search_by
from include.github.fetch import fetch
from include.github.planning import plan_commits
from include.github.rank import rank
from include.github.request import RunOptions, TopRepositoriesRequest
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.http.errors import RequestFailed
from tests.clock import now
from tests.integration.github.crowd import EARLY, PLENTY, crowd, like_github

RUN = {"dag_id": "d", "run_id": "r"}


@pytest.fixture
def run(make_client, tmp_path):
    """Do what the tasks rank and fetch do, each with a client and a memory of its own."""

    async def go(url, request, options, **how):
        for task in ("rank", "fetch"):
            async with make_client(url, rps=2000, tokens=("token-of-the-test",), **how) as client:
                api, memory = options.chosen_api(has_token=True), options.graphql_memory(tmp_path)
                search = search_by(api, client, memory)
                ranking = await rank(client, search, request, tmp_path, now())
                if task == "fetch":
                    source = commits_by(api, client, memory)
                    await fetch(client, source, ranking, request, tmp_path, **RUN, now=now)

    return go


def asked(app):
    """Count the requests to GraphQL."""
    return sum(request.path_qs == "/graphql" for request in app[REQUEST_LOG].requests)


@pytest.mark.parametrize(("count", "top"), [(300, 100), (1300, 1100)])
async def test_a_server_without_graphql_is_asked_once_in_a_run(stand_in, run, count, top):
    """By whichever task needs it first, however many workers it has, and by no later try."""
    app, url = await stand_in(crowd(like_github(count)), with_token=PLENTY)
    app[FAULTS].add(Fault("/commits", after=60, times=None, status=500))
    request = TopRepositoriesRequest(top=top, query="stars:>1", day=EARLY.date())
    with pytest.raises(RequestFailed):
        await run(url, request, RunOptions(), attempts=1)
    app[FAULTS].clear()
    await run(url, request, RunOptions())
    assert asked(app) == 1


async def test_by_name_it_is_asked_in_each_try(stand_in, run, yesterday):
    """Whoever has asked for GraphQL, and mended the server, gets it."""
    app, url = await stand_in(with_token=PLENTY)
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    app[FAULTS].add(Fault("/commits", after=20, times=None, status=500))
    options = RunOptions(api="graphql")
    with pytest.raises(RequestFailed):
        await run(url, request, options, attempts=1)
    app[FAULTS].clear()
    await run(url, request, options)
    assert asked(app) == 2


async def test_the_plan_knows_it(stand_in, make_client, tmp_path, chdb_path):
    """What was found out makes the plan of a later try one by REST."""
    _, url = await stand_in(crowd(like_github(1300)), with_token=PLENTY)
    request = TopRepositoriesRequest(top=1100, query="stars:>1", day=EARLY.date())
    options = RunOptions()
    with EmbeddedClient("test", chdb_path, "stagehouse", wait_s=5) as clickhouse:
        migrate(clickhouse)
        async with make_client(url, rps=2000, tokens=("token-of-the-test",)) as client:
            search = search_by("graphql", client, options.graphql_memory(tmp_path))
            ranking = await rank(client, search, request, tmp_path, now())
            steps = {"run": RUN, "now": now(), "check_lease": lambda: None}
            plan = await plan_commits(client, clickhouse, ranking, options, tmp_path, **steps)
    assert (plan.api, plan.cost.requests) == ("rest", plan.work.left)
