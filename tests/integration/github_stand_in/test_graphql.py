"""/graphql: GitHub's own schema, executed over the same data as the REST calls, refused as GitHub does."""

import pytest

from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import BUSY_RANKS, ODD_AUTHORS_RANK, STANDINGS, Sample
from tests.servers.github_schema import SCHEMA, needs_schema

pytestmark = needs_schema

REPOSITORIES = Sample().repositories
BY_STANDING = {standing: REPOSITORIES[rank - 1] for rank, standing in STANDINGS.items()}
TOKEN = {"Authorization": "Bearer x"}
DAY = 'since: "2026-08-20T00:00:00Z", until: "2026-08-20T23:59:59Z"'
REST_DAY = "since=2026-08-20T00:00:00Z&until=2026-08-20T23:59:59Z"
HISTORY = """
fragment day on Repository { nameWithOwner defaultBranchRef { target { ... on Commit {
  history(first: 100, %s) { totalCount pageInfo { hasNextPage endCursor }
    nodes { oid committedDate author { name email user { login } } } } } } } }
"""


@pytest.fixture
async def github(serve):
    """The sample with a GraphQL API."""
    return await serve(graphql_schema=SCHEMA)


async def ask(github, query, *, status=200, headers=TOKEN, **variables):
    """Send a query; return the body of the answer, which must have this status."""
    content = {"query": query, "variables": variables}
    async with github.session.post("/graphql", json=content, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


def repository(full_name, options=""):
    """Ask for a repository."""
    owner, name = full_name.split("/")
    return f'repository(owner: "{owner}", name: "{name}"{options}) {{ ...day }}'


def commits(repository):
    """Return a page of commits."""
    return repository["defaultBranchRef"]["target"]["history"]


async def day_of(github, full_name, options=DAY):
    """Ask for one page of the day's commits."""
    answer = await ask(github, f"{{ {repository(full_name)} }} {HISTORY % options}")
    return commits(answer["data"]["repository"])


async def test_commits_are_those_of_rest(github):
    """The same commits in the same order, page after page; only a bot is no user here."""
    full_name = REPOSITORIES[ODD_AUTHORS_RANK - 1].full_name
    url = f"/repos/{full_name}/commits?{REST_DAY}&per_page=100"
    rest = [commit for page in (1, 2) for commit in (await github.get(f"{url}&page={page}"))[0]]
    first = await day_of(github, full_name)
    assert first["totalCount"] == len(rest) >= BUSY_RANKS[ODD_AUTHORS_RANK]
    after = first["pageInfo"]["endCursor"]
    second = await day_of(github, full_name, f'{DAY}, after: "{after}"')
    nodes = first["nodes"] + second["nodes"]
    assert [node["oid"] for node in nodes] == [commit["sha"] for commit in rest]
    assert second["pageInfo"]["hasNextPage"] is False
    for node, commit in zip(nodes, rest, strict=True):
        account, author = commit["author"], commit["commit"]["author"]
        user = {"login": account["login"]} if account and account["type"] == "User" else None
        expected = author and {"name": author["name"], "email": author["email"], "user": user}
        assert (node["author"], node["committedDate"]) == (expected, commit["commit"]["committer"]["date"])
    assert {commit["author"]["type"] for commit in rest if commit["author"]} == {"User", "Bot"}


async def test_each_alias_has_its_own_outcome(github):
    """Gone and blocked: null, and an error of their path; empty: no branch; moved: under its new name."""
    names = [repository.full_name for repository in BY_STANDING.values()]
    aliases = " ".join(
        f"{standing}: {repository(name)}" for standing, name in zip(BY_STANDING, names, strict=True)
    )
    moved_without = repository(BY_STANDING["moved"].full_name, ", followRenames: false")
    answer = await ask(github, f"{{ {aliases} strict: {moved_without} }} {HISTORY % DAY}")
    data = answer["data"]
    assert (data["gone"], data["blocked"], data["strict"]) == (None, None, None)
    assert data["empty"]["defaultBranchRef"] is None
    assert data["moved"]["nameWithOwner"] == BY_STANDING["moved"].moved_to
    assert commits(data["moved"])["nodes"]
    assert {(error["type"], *error["path"]) for error in answer["errors"]} == {
        ("NOT_FOUND", "gone"),
        ("FORBIDDEN", "blocked"),
        ("NOT_FOUND", "strict"),
    }


async def test_search_is_that_of_rest(github):
    """Pages by cursor, best first by the sort within the query; the whole count beside them."""
    query = """query ($after: String) {
        search(type: REPOSITORY, query: "stars:>1 sort:stars-desc", first: 100, after: $after) {
        repositoryCount pageInfo { hasNextPage endCursor }
        nodes { ... on Repository { databaseId nameWithOwner stargazerCount pushedAt
        primaryLanguage { name } } } } }"""
    found, after = [], None
    for _ in range(3):
        page = (await ask(github, query, after=after))["data"]["search"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert (page["repositoryCount"], page["pageInfo"]["hasNextPage"]) == (300, False)
    rest, _ = await github.get("/search/repositories?q=stars:%3E1&sort=stars&per_page=100")
    for node, item in zip(found, rest["items"], strict=False):
        language = node["primaryLanguage"] and node["primaryLanguage"]["name"]
        assert (node["databaseId"], node["nameWithOwner"]) == (item["id"], item["full_name"])
        assert (node["stargazerCount"], language) == (item["stargazers_count"], item["language"])
        assert node["pushedAt"] == item["pushed_at"]
    assert len({node["databaseId"] for node in found}) == 300


async def test_what_it_costs_is_known_and_charged(serve):
    """A hundredth of the lists that are asked for; what is spent is refused with a 200."""
    github = await serve(graphql_schema=SCHEMA, with_token=Quota(10, 10, graphql_per_hour=4))
    name = REPOSITORIES[0].full_name
    aliases = " ".join(f"r{n}: {repository(name)}" for n in range(249))
    answer = await ask(github, f"{{ rateLimit {{ cost remaining nodeCount }} {aliases} }} {HISTORY % DAY}")
    assert answer["data"]["rateLimit"] == {"cost": 2, "remaining": 2, "nodeCount": 24_900}
    for _ in range(2):
        assert "errors" not in await ask(github, f"{{ {repository(name)} }} {HISTORY % DAY}")
    (error,) = (await ask(github, "{ rateLimit { cost } }"))["errors"]
    assert error["type"] == "RATE_LIMITED"


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ('query: "x") { nodes { __typename } }', "MISSING_PAGINATION_BOUNDARIES"),
        ('query: "x", first: 101) { repositoryCount }', "EXCESSIVE_PAGINATION"),
        ('query: "x", first: 1, after: "?") { repositoryCount }', "INVALID_CURSOR_ARGUMENTS"),
        ('query: "is:merged", first: 1) { repositoryCount }', "UNPROCESSABLE"),
        ("first: 1) { repositoryCount }", None),
        ("query:", None),
    ],
)
async def test_refusals(github, rest, kind):
    """What GitHub refuses is told with a 200, the page sizes as errors of their field."""
    answer = await ask(github, f"{{ search(type: REPOSITORY, {rest} }}")
    assert answer.get("data") is None
    assert answer["errors"][0].get("type") == kind


async def test_too_many_nodes_are_refused(github):
    """500,000 are the most that one query may ask for, whatever would come back."""
    inner = "... on Repository { stargazers(first: 100) { nodes { login } } }"
    searches = " ".join(
        f's{n}: search(type: REPOSITORY, query: "x", first: 100) {{ nodes {{ {inner} }} }}' for n in range(50)
    )
    (error,) = (await ask(github, f"{{ {searches} }}"))["errors"]
    assert error["type"] == "MAX_NODE_LIMIT_EXCEEDED"


async def test_who_may_ask(github, sample):
    """Nobody without a token; and without a schema there is no such API."""
    refused = await ask(github, "{ rateLimit { cost } }", status=401, headers={})
    assert refused["message"] == "This endpoint requires you to be authenticated."
    assert (await ask(sample, "{ rateLimit { cost } }", status=404))["message"] == "Not Found"


async def test_one_commit_by_its_sha(github):
    """REST knows a single commit, with the account of a bot: GraphQL would not tell of that one."""
    full_name = REPOSITORIES[ODD_AUTHORS_RANK - 1].full_name
    rest, _ = await github.get(f"/repos/{full_name}/commits?{REST_DAY}&per_page=100&page=2")
    bots = [commit for commit in rest if commit["author"] and commit["author"]["login"] == "sweeper[bot]"]
    assert (await github.get(f"/repos/{full_name}/commits/{bots[0]['sha']}"))[0] == bots[0]
    await github.get(f"/repos/{REPOSITORIES[0].full_name}/commits/{'0' * 40}", status=422)
