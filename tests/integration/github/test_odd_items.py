"""One item of a hundred that cannot be used: it is left out and told, the others count."""

import json
import shutil
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from include.github.apis import commits_by, search_by
from include.github.commits.rest import count_commits
from include.github.errors import MostlyOdd
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.sample import Sample
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost
from include.staging.ndjson_parts import read_batches
from tests.clock import now
from tests.integration.github.crowd import PLENTY, crowd, expected, like_github, ranked
from tests.integration.github.test_graphql import ByOneBot
from tests.servers.github_schema import SCHEMA_IF_THERE, needs_schema

TOKENS = ("token-of-the-test",)
SAMPLE = Sample()
FIRST = SAMPLE.repositories[0]
APIS = ["rest", pytest.param("graphql", marks=needs_schema)]
SEARCH = "/search/"
MOMENT = now()  # of the stand-in: nobody pushes between two readings


@pytest.fixture
def github(stand_in):
    """Start a stand-in with both APIs."""

    async def start(*faults, dataset=SAMPLE, **options):
        app, url = await stand_in(dataset, graphql_schema=SCHEMA_IF_THERE, clock=lambda: MOMENT, **options)
        app[FAULTS].add(*faults)
        return app, url

    return start


@pytest.fixture
def run(make_client, tmp_path, top20):
    """Rank and fetch by an API; return commits by repository and author, and the manifest."""

    async def go(url, api, **options):
        directory = tmp_path / api
        async with make_client(url, tokens=TOKENS, **options) as client:
            ranking = await rank(client, search_by(api, client), top20, directory, now())
            named = {"dag_id": "d", "run_id": "r", "now": now}
            manifest = await fetch(client, commits_by(api, client), ranking, top20, directory, **named)
        staged = manifest.tables["repositories_authors_commits"]
        commits = Counter()
        for part in staged.parts:
            for batch in read_batches(directory / part.file, staged.table, part, 1000):
                commits += Counter({row[1:3]: row[3] for row in batch})
        return commits, manifest

    return go


def items(change, *positions):
    """Make the body of an answer with some items of its list changed."""

    def rewrite(body):
        answer = json.loads(body)
        found = answer["items"] if isinstance(answer, dict) else answer
        for position in positions or range(len(found)):
            if position < len(found):
                found[position] = change(found[position])
        return json.dumps(answer).encode()

    return rewrite


def without_owner(*names):
    """Make the body of a search, by REST or GraphQL, with the owners of some repositories missing."""

    def rewrite(body):
        answer = json.loads(body)
        listed = [answer["items"]] if "items" in answer else [
            page["nodes"] for page in answer["data"].values() if isinstance(page, dict) and "nodes" in page
        ]  # fmt: skip
        for each in (item for page in listed for item in page if item["name"] in names):
            each["owner"] = None
        return json.dumps(answer).encode()

    return rewrite


def nodes(change, repo):
    """Make the body of an answer of GraphQL with the first commit of a repository changed."""

    def rewrite(body):
        answer = json.loads(body)
        for node in (answer.get("data") or {}).values():
            if isinstance(node, dict) and node.get("nameWithOwner") == repo:
                commits = node["defaultBranchRef"]["target"]["history"]["nodes"]
                commits[0] = commits[0] | change
        return json.dumps(answer).encode()

    return rewrite


def committed(date):
    """Change the committer date of a commit."""
    return lambda item: item | {"commit": item["commit"] | {"committer": {"date": date}}}


ODD_RESULTS = {
    "no owner": lambda item: item | {"owner": None},
    "no name": lambda item: item | {"name": None},
    "no item": lambda _: None,
    "a year before the type's": lambda item: item | {"pushed_at": "0000-12-31T00:00:00Z"},
    "a year after the type's": lambda item: item | {"updated_at": "2107-01-01T00:00:00Z"},
    "too many stars": lambda item: item | {"stargazers_count": 2**40},
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", ODD_RESULTS)
async def test_an_odd_result_is_left_out_of_the_list(github, run, caplog, api, kind):
    """It is looked at twice, told, and counted; the list is filled up from the next page."""
    _, url = await github(Fault(rf"{SEARCH}.*page=1$", times=None, body=items(ODD_RESULTS[kind], 3)))
    _, manifest = await run(url, api)
    assert (manifest.facts["ranked"], manifest.facts["repositories_odd"]) == (20, 1)
    assert sum(manifest.facts["outcomes"].values()) == 20
    (told,) = [line for line in caplog.messages if "a result of the search is odd" in line]
    assert "no item" in kind or SAMPLE.repositories[3].full_name in told


async def test_a_result_that_is_odd_in_passing_is_no_loss(github, run):
    """The second look finds it whole: one request more, and the list is the same."""
    app, url = await github(Fault(SEARCH, body=items(ODD_RESULTS["no owner"], 3)))
    _, manifest = await run(url, "rest")
    assert (manifest.facts["ranked"], manifest.facts["repositories_odd"]) == (20, 0)
    assert [SEARCH in request.path_qs for request in app[REQUEST_LOG].requests].count(True) == 2


@pytest.mark.parametrize(("top", "victim"), [(1, 0), (2, 1), (101, 100)])
async def test_one_odd_result_says_nothing_about_a_short_page(serve_crowd, rank_top, top, victim):
    """The only result of a page, or one of two, may be odd: the others are the list."""
    dataset = crowd(range(102, 1, -1))
    odd = dataset.repositories[victim]
    app, url = await serve_crowd(dataset)
    app[FAULTS].add(Fault(SEARCH, times=None, body=without_owner(odd.name)))
    ranking = await rank_top(url, top)
    assert ranked(ranking) == expected([each for each in dataset.repositories if each != odd], top)
    assert ranking.odd == 1


async def test_a_list_of_which_all_is_odd_is_no_list(serve_crowd, rank_top):
    """Also where one result is wanted: its page is long enough to be judged."""
    app, url = await serve_crowd(crowd(range(102, 1, -1)))
    app[FAULTS].add(Fault(SEARCH, times=None, body=items(ODD_RESULTS["no owner"])))
    with pytest.raises(RequestFailed, match="3 of 3 items are odd"):
        await rank_top(url, 1, attempts=2)


async def test_a_page_of_which_most_is_odd_is_no_page(github, run):
    """It is no list of repositories then: asked again, then red."""
    odd = items(ODD_RESULTS["no owner"], *range(11))
    _, url = await github(Fault(SEARCH, times=None, body=odd))
    with pytest.raises(RequestFailed, match=r"11 of 20 items are odd, the first: '.*': owner"):
        await run(url, "rest", attempts=2)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("place", [0, 700])
async def test_an_odd_result_of_a_long_list(github, make_client, tmp_path, yesterday, *, caplog, api, place):
    """The rest is in order, whole; it is neither a list that is cut short nor one that keeps moving.

    Nor does it matter to a count whose best result it is.
    """
    dataset = crowd(like_github(1600))
    victim = dataset.repositories[place]
    change = without_owner(victim.name)
    _, url = await github(
        Fault("/search/|/graphql", times=None, body=change), dataset=dataset, with_token=PLENTY
    )
    request = TopRepositoriesRequest(top=1500, query="stars:>1", day=yesterday)
    async with make_client(url, rps=2000, tokens=TOKENS) as client:
        ranking = await rank(client, search_by(api, client), request, tmp_path, now())
    others = [repository for repository in dataset.repositories if repository != victim]
    assert ranked(ranking) == expected(others, 1500)
    assert ranking.odd == 1
    assert "has more than was found" not in caplog.text


async def test_odd_results_of_a_long_list_cost_a_second_look_each(serve_crowd, rank_top, tmp_path, caplog):
    """They are counted and not held, so no slice is read again for them; and no retry is spent."""
    dataset = crowd(range(4000, 0, -1))
    odd = [repository.name for repository in dataset.repositories[50:1900:74]]
    app, url = await serve_crowd(dataset)
    await rank_top(url, 2000)
    calm = len(app[REQUEST_LOG].requests)
    shutil.rmtree(tmp_path / "run")
    app[FAULTS].add(Fault(SEARCH, times=None, body=without_owner(*odd)))
    ranking = await rank_top(url, 2000)
    assert (len(ranking), ranking.odd) == (2000, 25)
    assert len(app[REQUEST_LOG].requests) - calm <= calm + 25
    assert "has more than was found" not in caplog.text


async def test_odd_commits_on_every_page_spend_no_retry(make_client, yesterday):
    """Each page is looked at twice, however many there are; the budget of retries is left to faults."""
    pages, asked = 25, []

    async def answer(request):
        page = int(request.query.get("page", "1"))
        asked.append(page)
        date = f"{yesterday}T10:00:00Z"
        commits = [
            {"sha": f"{page:038x}{n:02x}", "commit": {"committer": {"date": date if n else None}}}
            for n in range(3)
        ]
        following = request.url.update_query(page=page + 1)
        links = {"Link": f'<{following}>; rel="next"'} if page < pages else {}
        return web.json_response(commits, headers=links)

    app = web.Application()
    app.router.add_get("/repos/x/y/commits", answer)
    async with TestServer(app) as server, make_client(server.make_url("/")) as client:
        count = await count_commits(client, "x", "y", yesterday, RequestCost())
        assert client.retries.spent == 0
    assert (sum(count.authors.values()), len(count.odd)) == (2 * pages, pages)
    assert sorted(asked) == sorted([*range(1, pages + 1)] * 2)


ODD_COMMITS = {
    "no committer": (lambda item: item | {"commit": item["commit"] | {"committer": None}}, None),
    "year 0": (committed("0000-12-31T00:00:00Z"), "0000-12-31T00:00:00Z"),
    "no date": (committed(None), None),
    "an odd account": (lambda item: item | {"author": {"login": 5}}, None),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", ODD_COMMITS)
async def test_an_odd_commit_is_left_out_of_the_day(github, run, tmp_path, caplog, api, kind):
    """The other commits of the repository count, and so do all others; it is told and counted."""
    change, date = ODD_COMMITS[kind]
    app, url = await github()
    calm, _ = await run(url, api)
    shutil.rmtree(tmp_path / api)
    app[FAULTS].add(
        Fault(f"/repos/{FIRST.full_name}/commits[?]", times=None, body=items(change, 0)),
        Fault("/graphql", times=None, body=nodes({"committedDate": date}, FIRST.full_name)),
    )
    commits, manifest = await run(url, api)
    assert sum(commits.values()) == sum(calm.values()) - 1
    lost = calm - commits
    assert {repo for repo, _ in lost} == {FIRST.full_name}
    assert (manifest.facts["commits_odd"], manifest.facts["commits"]) == (1, sum(commits.values()))
    assert f"{FIRST.full_name}: 1 commits are odd" in caplog.text


async def test_a_repository_of_which_all_commits_are_odd_stops_no_other(github, run, tmp_path):
    """However many they are."""
    app, url = await github()
    calm, _ = await run(url, "rest")
    shutil.rmtree(tmp_path / "rest")
    odd = Fault(f"/repos/{FIRST.full_name}/commits", times=None, body=items(committed(None)))
    app[FAULTS].add(odd)
    commits, manifest = await run(url, "rest")
    assert commits == Counter({key: n for key, n in calm.items() if key[0] != FIRST.full_name})
    assert manifest.facts["commits_odd"] == sum((calm - commits).values()) > 3


async def test_where_most_commits_are_odd_the_fetch_is_red(github, run):
    """That is no GitHub; a later try believes none of it."""
    app, url = await github(Fault("/commits", times=None, body=items(committed("never"))))
    with pytest.raises(MostlyOdd, match="check the host of the GitHub connection"):
        await run(url, "rest")
    app[FAULTS].clear()
    _, manifest = await run(url, "rest")
    assert manifest.facts["commits_odd"] == 0


@needs_schema
async def test_an_odd_account_of_a_bot_stays_unknown(github, run, caplog):
    """What REST says of its commit is of no use: the author is as git has it."""
    app, url = await github(Fault("/commits/", times=None, body=b'{"sha": 5}'), dataset=ByOneBot())
    commits, _ = await run(url, "graphql")
    assert {author for _, author in commits} == {"sweeper[bot]"}
    assert "stays unknown: what GitHub says of it is odd" in caplog.text
    assert sum("/commits/" in request.path_qs for request in app[REQUEST_LOG].requests) == 2
