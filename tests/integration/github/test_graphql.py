"""A day by GraphQL: the rows of REST, for a tenth of the requests, whatever goes wrong on the way."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from include.github.api.answer_errors import Invalid
from include.github.apis import commits_by, search_by
from include.github.commits.checkpoint import CommitCheckpoint
from include.github.commits.errors import ApisDiffer
from include.github.commits.verification import verify
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.source import PageRequest
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.dataset import Signature
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.github_stand_in.recorded import read_recording
from include.github_stand_in.sample import ODD_AUTHORS, Sample
from include.http.errors import RateLimitedUntil, RequestFailed
from include.http.request_cost import RequestCost
from include.staging.ndjson_parts import read_batches
from tests.clock import now
from tests.e2e.invented_recording import recorded_or_invented
from tests.integration.github.crowd import crowd, expected, like_github, ranked
from tests.servers.github_schema import SCHEMA, needs_schema

pytestmark = needs_schema

RUN = {"dag_id": "github_top_repositories", "run_id": "manual__1", "now": now}
TOKENS = ("token-of-the-test",)
SAMPLE = Sample()
MOMENT = now()  # of the stand-in: nobody pushes between two readings


@pytest.fixture
def github(stand_in):
    """Start stand-ins with a GraphQL API; returns application and URL."""
    return partial(stand_in, graphql_schema=SCHEMA, clock=lambda: MOMENT)


@pytest.fixture
def top25(yesterday):
    """Among them are those with two and three pages of commits, and all odd authors."""
    return TopRepositoriesRequest(top=25, query="stars:>1", day=yesterday)


async def run(client, request, directory, api="graphql"):
    """Rank and fetch by one API; return what is staged, without what reading again changes."""
    async with client:
        ranking = await rank(client, search_by(api, client), request, directory, now())
        manifest = await fetch(client, commits_by(api, client), ranking, request, directory, **RUN)
    staged = {
        name: [
            row
            for part in table.parts
            for batch in read_batches(directory / part.file, table.table, part, 1000)
            for row in batch
        ]
        for name, table in manifest.tables.items()
    }
    staged["repositories_outcomes"] = [row[:4] for row in staged["repositories_outcomes"]]
    staged["repositories"] = [row[:-1] for row in staged["repositories"]]
    return staged, manifest


def sent(app, path=""):
    """Return the requests to a path that the server saw."""
    return [request for request in app[REQUEST_LOG].requests if path in request.path_qs]


def rewritten(change):
    """Make the body of a fault: the true answer, changed."""

    def rewrite(body):
        answer = json.loads(body)
        change(answer)
        return json.dumps(answer).encode()

    return rewrite


@pytest.fixture(params=["sample", "recording"])
def dataset(request, tmp_path, yesterday):
    """The sample; and a recording, up to yesterday."""
    if request.param == "sample":
        return SAMPLE
    (place := tmp_path / "recording").mkdir()
    return read_recording(recorded_or_invented(place)).shift_to(yesterday)


async def test_same_rows_as_rest(github, make_client, tmp_path, yesterday, dataset):
    """Every table is the same; at most 8 requests by GraphQL and one search, by REST one each."""
    app, url = await github(dataset)
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    rest, _ = await run(make_client(url, tokens=TOKENS), request, tmp_path / "rest", "rest")
    asked = len([row for row in rest["repositories_outcomes"] if row[2] != "unpushed"])
    more = sum((row[3] - 1) // 100 for row in rest["repositories_outcomes"] if row[3])
    by_rest = len(sent(app))
    assert by_rest <= 1 + asked + more + 2  # the second look at one that is gone, and a redirect
    graphql, manifest = await run(make_client(url, tokens=TOKENS), request, tmp_path / "graphql")
    assert graphql == rest
    assert rest["repositories_authors_commits"]
    assert len(sent(app)) - by_rest == manifest.facts["requests"] <= 8
    assert len(sent(app, "/search/")) == 2


async def test_an_incomplete_list_is_never_believed(github, make_client, tmp_path, top25):
    """GraphQL does not tell that results are missing: what search shows is read by REST, which does."""
    app, url = await github()
    incomplete = rewritten(lambda answer: answer.update(incomplete_results=True, items=answer["items"][1:]))
    app[FAULTS].add(Fault("/search/", times=2, body=incomplete))
    async with make_client(url, tokens=TOKENS) as client:
        ranking = await rank(client, search_by("graphql", client), top25, tmp_path, now())
    assert [repository.id for repository in ranking] == [item.id for item in SAMPLE.repositories[:25]]
    assert ranking.requests == len(sent(app, "/search/")) == 3


def without_alias(kind, message):
    """Take one repository, or one search, out of an answer."""

    def change(answer):
        alias = list(answer["data"])[2]
        answer["data"][alias] = None
        answer.setdefault("errors", []).append({"type": kind, "path": [alias], "message": message})

    return rewritten(change)


@rewritten
def without_history(answer):
    """Take the commits of one repository out of an answer, the repository itself stays."""
    answer["data"]["r2"]["defaultBranchRef"]["target"]["history"] = None
    path = ["r2", "defaultBranchRef", "target", "history"]
    error = {"type": "RESOURCE_LIMITS_EXCEEDED", "path": path, "message": "Resource limits exceeded."}
    answer.setdefault("errors", []).append(error)


def null_commit(answer):
    """Lose a commit of the first repository in an answer."""
    alias = next(alias for alias in answer["data"] if alias != "rateLimit" and answer["data"][alias])
    answer["data"][alias]["defaultBranchRef"]["target"]["history"]["nodes"][0] = None


def cut_history(answer):
    """End a list in the middle, as if it were its end."""
    alias = next(alias for alias in answer["data"] if alias != "rateLimit" and answer["data"][alias])
    history = answer["data"][alias]["defaultBranchRef"]["target"]["history"]
    history["nodes"] = history["nodes"][:-1]
    history["pageInfo"]["hasNextPage"] = False


TIMEOUT = {"message": "Something went wrong while executing your query. This may be a timeout."}
TIMED_OUT = json.dumps({"data": None, "errors": [TIMEOUT]}).encode()
EXCEEDED = b'{"errors": [{"type": "RATE_LIMIT", "message": "API rate limit already exceeded"}]}'
UNKNOWN_FIELD = b'{"errors": [{"message": "Field does not exist on type Repository"}]}'
RESOURCES = without_alias("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.")
FAULTS_OF_A_DAY = {
    "bad gateway": Fault("/graphql", status=502, body=b"<html>Unicorn!</html>"),
    "timeout": Fault("/graphql", body=TIMED_OUT),
    "timeout of one": Fault("/graphql", body=without_alias(None, "timedout")),
    "too much for some": Fault("/graphql", times=2, body=RESOURCES),
    "too much deep down": Fault("/graphql", body=without_history),
    "forbidden": Fault("/graphql", body=without_alias("FORBIDDEN", "SAML")),
    "not found in passing": Fault("/graphql", body=without_alias("NOT_FOUND", "Could not resolve")),
    "cut history": Fault("/graphql", body=rewritten(cut_history)),
    "null commit": Fault("/graphql", body=rewritten(null_commit)),
    "cut body": Fault("/graphql", cut_to=2000),
    "rate limit": Fault("/graphql", headers={"X-RateLimit-Remaining": None}, body=EXCEEDED),
    "unknown field": Fault("/graphql", times=None, body=UNKNOWN_FIELD),
    "no such api": Fault("/graphql", times=None, status=404, body=b'{"message": "Not Found"}'),
    "always too much": Fault("/graphql", times=None, body=TIMED_OUT),
}


@pytest.fixture(scope="module")
def calm():
    """What an untroubled run stages, kept for all faults."""
    return {}


@pytest.mark.parametrize("name", FAULTS_OF_A_DAY)
async def test_faults_change_no_row(github, make_client, tmp_path, top25, calm, name):
    """What GraphQL does not answer is asked again, in smaller requests, or of REST."""
    app, url = await github()
    if not calm:
        calm["rows"], _ = await run(make_client(url, tokens=TOKENS), top25, tmp_path / "calm")
    app[FAULTS].add(FAULTS_OF_A_DAY[name])
    before = len(sent(app))
    rows, manifest = await run(make_client(url, tokens=TOKENS), top25, tmp_path / "run")
    assert rows == calm["rows"]
    assert manifest.facts["requests"] == len(sent(app)) - before


def kept(directory):
    """Return the records of finished repositories, file by file."""
    return [[json.loads(line) for line in path.open()] for path in (directory / "fetched").iterdir()]


async def test_without_graphql_what_each_hour_of_rest_gives_is_kept(github, make_client, tmp_path, yesterday):
    """A batch takes more requests than an hour has: it is finished all the same, each page asked once."""
    ahead = timedelta()
    app, url = await github(clock=lambda: MOMENT + ahead, with_token=Quota(40, 30))
    app[FAULTS].add(Fault("/graphql", times=None, status=404, body=b'{"message": "Not Found"}'))
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    for tries in range(1, 5):
        try:
            client = make_client(url, tokens=TOKENS, clock=lambda: now() + ahead, concurrent=1)  # noqa: B023
            await run(client, request, tmp_path)
            break
        except RateLimitedUntil:
            assert sum(map(len, kept(tmp_path))) >= 30 * tries
            ahead += timedelta(hours=2)
    assert len(sent(app, "/graphql")) == tries <= 3  # once in each
    pages = Counter(request.path_qs for request in sent(app, "/commits?"))
    assert len(pages) > 58
    assert sum(pages.values()) - len(pages) <= 1  # the second look at one that is gone


@pytest.mark.parametrize("failing", ["/commits[?]", "/commits/"])
async def test_what_fails_costs_no_other_repository(github, make_client, tmp_path, top25, failing):
    """One that is asked of REST, or a bot's account: what is finished of the batch is kept, in one file."""
    app, url = await github()
    refused = without_alias("FORBIDDEN", "SAML")
    app[FAULTS].add(Fault(failing, times=None, status=500), Fault("/graphql", body=refused))
    with pytest.raises(RequestFailed):
        await run(make_client(url, tokens=TOKENS, attempts=2), top25, tmp_path)
    (finished,) = kept(tmp_path)
    assert len(finished) > 3
    app[FAULTS].clear()
    app[REQUEST_LOG].clear()
    rows, _ = await run(make_client(url, tokens=TOKENS), top25, tmp_path)
    assert len(rows["repositories_outcomes"]) == 25
    asked = {request.path_qs for request in sent(app, "/commits?")}
    assert not [path for path in asked for record in finished if f"/{record['repo']}/" in path]
    assert len(sent(app, "/graphql")) <= 3


async def test_a_batch_that_is_too_much_is_halved(github, make_client, tmp_path, top25):
    """Two dozen at once fail, six do not: later requests are small from the start."""
    app, url = await github()
    too_much = rewritten(lambda answer: answer.update(data=None, errors=[TIMEOUT]))
    app[FAULTS].add(
        Fault("/graphql", times=None, body=lambda body: too_much(body) if b'"r7"' in body else body)
    )
    client = make_client(url, tokens=TOKENS, concurrent=1)
    await run(client, top25, tmp_path)
    assert len(sent(app, "/graphql")) <= 9
    assert not sent(app, "/commits?")


async def test_small_requests_grow_again(github, make_client, tmp_path, yesterday):
    """Two were too much: a quarter is asked for, then one more each time that is answered."""
    app, url = await github()
    too_much, sizes = rewritten(lambda answer: answer.update(data=None, errors=[TIMEOUT])), []

    def note(body):
        sizes.append(len(re.findall(rb'"r[0-9]+":', body)))
        return too_much(body) if len(sizes) <= 2 else body

    app[FAULTS].add(Fault("/graphql", times=None, body=note))
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    await run(make_client(url, tokens=TOKENS, concurrent=1), request, tmp_path)
    assert sizes[:6] == [50, 25, 12, 13, 14, 11]


async def test_the_points_of_an_hour_are_spent(github, make_client, tmp_path, yesterday):
    """Three points buy the first fifty of the day; the next try goes on after the reset."""
    ahead, request = timedelta(), TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    app, url = await github(clock=lambda: MOMENT + ahead, with_token=Quota(5000, 30, graphql_per_hour=3))
    with pytest.raises(RateLimitedUntil) as limit:
        await run(make_client(url, tokens=TOKENS, concurrent=1), request, tmp_path)
    assert len(sent(app, "/graphql")) == 3
    ahead = limit.value.until - MOMENT + timedelta(seconds=1)
    later = lambda: now() + timedelta(hours=2)  # noqa: E731
    rows, _ = await run(make_client(url, tokens=TOKENS, clock=later), request, tmp_path)
    assert len(rows["repositories_outcomes"]) == 100
    assert len(sent(app, "/graphql")) <= 6


class ByOneBot(Sample):
    """The sample, all of it written by the same bot."""

    def commits(self, repository, since, until, page):
        """Replace the authors."""
        bot = ODD_AUTHORS[-1]
        found, total = super().commits(repository, since, until, page)
        author = Signature(bot.name, bot.email, until)
        return [replace(commit, author=author, author_account=bot.account) for commit in found], total


async def test_a_bot_is_looked_up_once(github, make_client, tmp_path, top25):
    """GraphQL knows no account of a bot: REST is asked for one commit of it, and its login is the author."""
    app, url = await github(ByOneBot())
    rows, _ = await run(make_client(url, tokens=TOKENS), top25, tmp_path)
    assert {row[2] for row in rows["repositories_authors_commits"]} == {"sweeper[bot]"}
    assert len(sent(app, "/commits/")) == 1


async def test_verify(github, make_client, tmp_path, top25):
    """A sample is read by REST; a difference that stays is an error which says whose and how much."""
    app, url = await github()
    async with make_client(url, tokens=TOKENS) as client:
        ranking = await rank(client, search_by("graphql", client), top25, tmp_path, now())
        graphql, rest = commits_by("graphql", client), commits_by("rest", client)
        await fetch(client, graphql, ranking, top25, tmp_path, **RUN)
        records = CommitCheckpoint(tmp_path, ranking)
        app[REQUEST_LOG].clear()
        cost = await verify(records, ranking, 3, graphql=graphql, rest=rest)
        asked = [request.path_qs for request in sent(app)]
        assert 3 <= cost.requests == len(asked) <= 5
        assert not sent(app, "/graphql")
        # One reading that differs is a push; each one is an error.
        other = Fault("/commits?", times=1, body=lambda body: body.replace(b'"login":"', b'"login":"x-'))
        app[FAULTS].add(other)
        await verify(records, ranking, 3, graphql=graphql, rest=rest)
        app[FAULTS].clear()
        app[FAULTS].add(Fault("/commits?", times=None, body=other.body))
        with pytest.raises(ApisDiffer, match="api: rest") as difference:
            await verify(records, ranking, 3, graphql=graphql, rest=rest)
    assert any(difference.value.repo in path for path in asked)
    assert difference.value.graphql != difference.value.rest


def no_commits(answer):
    """Lose all commits of all repositories."""
    for alias, node in answer["data"].items():
        if alias != "rateLimit" and node and node["defaultBranchRef"]:
            end = {"hasNextPage": False, "endCursor": None}
            node["defaultBranchRef"]["target"]["history"] = {"totalCount": 0, "pageInfo": end, "nodes": []}


@pytest.mark.parametrize(
    ("status", "found"), [(None, "commits of '.*' by GraphQL: 0, "), (451, "outcome .*blocked")]
)
async def test_verify_finds_what_is_lost(github, make_client, tmp_path, top25, status, found):
    """Repositories without commits are of the sample too, and their outcomes have to be the same."""
    app, url = await github()
    app[FAULTS].add(Fault("/graphql", times=None, body=rewritten(no_commits)))
    async with make_client(url, tokens=TOKENS) as client:
        ranking = await rank(client, search_by("graphql", client), top25, tmp_path, now())
        graphql, rest = commits_by("graphql", client), commits_by("rest", client)
        await fetch(client, graphql, ranking, top25, tmp_path, **RUN)
        app[FAULTS].add(Fault("/commits[?]", times=None, status=status))
        with pytest.raises(ApisDiffer, match=found):
            await verify(CommitCheckpoint(tmp_path, ranking), ranking, 25, graphql=graphql, rest=rest)


async def test_many_searches_are_one_request(github, make_client):
    """Ten pages, each as REST gives it; those that come after go on by cursor."""
    app, url = await github()
    queries = [f"stars:{low}..{low + 9999}" for low in range(10_000, 110_000, 10_000)]
    async with make_client(url, tokens=TOKENS) as client:
        found = await search_by("graphql", client).read([PageRequest(q, 5) for q in queries], RequestCost())
        assert len(sent(app)) == 1
        rest = await search_by("rest", client).read([PageRequest(q, 5) for q in queries], RequestCost())
        assert [page[:2] for page in found] == [page[:2] for page in rest]
        more = [(q, page.next) for q, page in zip(queries, found, strict=True) if page.next]
        second = await search_by("graphql", client).read(
            [PageRequest(q, 5, after) for q, after in more], RequestCost()
        )
    assert more
    first_ids = {repository.id for page in found for repository in page.repositories}
    assert first_ids.isdisjoint(repository.id for page in second for repository in page.repositories)


async def test_a_list_longer_than_search_shows(github, make_client, tmp_path, yesterday):
    """Slices of a page, ten in a request: 3,000 in order, many with the same stars, for a few points."""
    dataset = crowd(like_github(3500))
    app, url = await github(dataset)
    request = TopRepositoriesRequest(top=3000, query="stars:>1", day=yesterday)
    async with make_client(url, tokens=TOKENS) as client:
        ranking = await rank(client, search_by("graphql", client), request, tmp_path, now())
    assert ranked(ranking) == expected(dataset.repositories, 3000)
    assert len(sent(app)) == len(sent(app, "/graphql")) == ranking.requests == ranking.points <= 12


def null_repository(answer):
    """Lose a result of a search."""
    answer["data"]["s0"]["nodes"][0] = None


async def test_a_later_page_that_graphql_refuses_is_that_of_rest(github, make_client):
    """The cursor says how many results were before it."""
    app, url = await github()
    async with make_client(url, tokens=TOKENS) as client:
        search, rest = search_by("graphql", client), search_by("rest", client)
        (first,) = await search.read([PageRequest("stars:>1", 20)], RequestCost())
        app[FAULTS].add(Fault("/graphql", body=rewritten(null_repository)))
        (second,) = await search.read([PageRequest("stars:>1", 20, first.next)], RequestCost())
        (third,) = await search.read([PageRequest("stars:>1", 20, second.next)], RequestCost())
        (all_three,) = await rest.read([PageRequest("stars:>1", 60)], RequestCost())
    assert (*first.repositories, *second.repositories, *third.repositories) == all_three.repositories


async def test_what_graphql_does_not_search_for_is_asked_of_rest(github, make_client):
    """A list that REST began, an order of the user's own, a query that GraphQL refuses."""
    app, url = await github()
    async with make_client(url, tokens=TOKENS) as client:
        search, rest = search_by("graphql", client), search_by("rest", client)
        (first,) = await rest.read([PageRequest("stars:>1", 5)], RequestCost())
        (second,) = await search.read([PageRequest("stars:>1", 5, first.next)], RequestCost())
        assert not set(second.repositories) & set(first.repositories)
        with pytest.raises(Invalid):
            await search.read([PageRequest("stars:>1 sort:forks", 5)], RequestCost())
        assert not sent(app, "/graphql")
        with pytest.raises(Invalid):
            await search.read([PageRequest("is:merged", 5)], RequestCost())
    assert [request.path_qs[:8] for request in sent(app)][-2:] == ["/graphql", "/search/"]
