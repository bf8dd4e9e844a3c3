"""One repository that is refused to a token: single sign-on, an IP allow list, the lifetime of tokens."""

import json
import shutil

import pytest

from include.github.api.answer_errors import Forbidden, NotFound
from include.github.apis import commits_by, search_by
from include.github.errors import MostlyForbidden
from include.github.fetch import fetch
from include.github.rank import rank
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.sample import Sample
from include.http.request_cost import RequestCost
from include.staging.ndjson_parts import read_batches
from tests.clock import now
from tests.servers.github_schema import SCHEMA_IF_THERE, needs_schema

MINE, YOURS, THIRD = "ghp_0123456789abcdef", "ghp_fedcba9876543210", "ghp_aaaabbbbccccdddd"
SAML = "Resource protected by organization SAML enforcement. You must grant your token access."
CLOSED = Sample().repositories[0].full_name
APIS = ["rest", pytest.param("graphql", marks=needs_schema)]


@pytest.fixture
def github(stand_in):
    """Start a stand-in with both APIs."""

    async def start(*faults, **options):
        app, url = await stand_in(graphql_schema=SCHEMA_IF_THERE, **options)
        app[FAULTS].add(*faults)
        return app, url

    return start


@pytest.fixture
def run(make_client, tmp_path, top20):
    """Rank and fetch by an API; return the outcomes by repository and the manifest."""

    async def go(url, api, tokens, **options):
        async with make_client(url, tokens=tokens, **options) as client:
            ranking = await rank(client, search_by(api, client), top20, tmp_path / api, now())
            named = {"dag_id": "d", "run_id": "r", "now": now}
            manifest = await fetch(client, commits_by(api, client), ranking, top20, tmp_path / api, **named)
        staged = manifest.tables["repositories_outcomes"]
        batches = [
            read_batches(tmp_path / api / part.file, staged.table, part, 1000) for part in staged.parts
        ]
        return {row[1]: row[2:4] for each in batches for batch in each for row in batch}, manifest

    return go


def closed(text=SAML, repo=CLOSED, status=403, kind="FORBIDDEN", **options):
    """Make the faults of a repository that is refused, by REST and by GraphQL."""

    def without(body):
        answer = json.loads(body)
        for alias, node in (answer.get("data") or {}).items():
            if isinstance(node, dict) and node.get("nameWithOwner") == repo:
                answer["data"][alias] = None
                error = {"type": kind, "path": [alias], "message": text}
                answer.setdefault("errors", []).append(error)
        return json.dumps(answer).encode()

    refusal = json.dumps({"message": text}).encode()
    return (
        Fault(rf"/repos/{repo}/commits", times=None, status=status, body=refusal, **options),
        Fault("/graphql", times=None, body=without, **options),
    )


def asked(app, part):
    """Count the requests whose address has a part."""
    return sum(part in request.path_qs for request in app[REQUEST_LOG].requests)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "text",
    [
        SAML,
        "the `corp` organization has an IP allow list enabled, and your IP address is not permitted",
        "The 'corp' organization forbids access if the token's lifetime is greater than 366 days.",
        "Repository 'corp/tool' is disabled. Please ask the owner to check their account.",
        "Resource not accessible by personal access token",
    ],
)
async def test_one_forbidden_repository_is_an_outcome_and_the_rest_counts(github, run, caplog, api, text):
    """It is named in the log, with GitHub's words and the token that asked, which is not shown."""
    app, url = await github(*closed(text))
    outcomes, manifest = await run(url, api, (MINE,))
    assert outcomes[CLOSED] == ("forbidden", 0)
    assert manifest.facts["outcomes"]["forbidden"] == 1
    assert manifest.facts["outcomes"]["ok"] > 5
    (told,) = [line for line in caplog.messages if line.startswith(f"{CLOSED} is forbidden")]
    assert ascii(text)[1:40] in told
    assert "(asked with token 1 of 1 (sha256 " in told
    assert MINE not in caplog.text
    assert manifest.facts["requests"] == len(app[REQUEST_LOG].requests)
    assert asked(app, f"/repos/{CLOSED}/commits") == asked(app, "/rate_limit") == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_token_that_may_is_asked_after_one_that_may_not(github, run, tmp_path, api):
    """The same rows as without a refusal."""
    app, url = await github()
    calm, _ = await run(url, api, (YOURS,))
    shutil.rmtree(tmp_path / api)
    app[FAULTS].add(*closed(token=MINE))
    app[REQUEST_LOG].clear()
    outcomes, manifest = await run(url, api, (MINE, YOURS))
    assert outcomes == calm
    assert manifest.facts["requests"] == len(app[REQUEST_LOG].requests)


HIDDEN = {"text": "Not Found", "status": 404, "kind": "NOT_FOUND"}


@pytest.mark.parametrize("api", APIS)
async def test_what_is_hidden_from_some_tokens_is_asked_of_the_others(github, run, api):
    """GitHub says 404 to a token that may not see a repository: the second look is by each other one.

    Also where those that may not have the most left, and would be chosen.
    """
    plenty = {"X-RateLimit-Remaining": "1000000", "X-RateLimit-Limit": "1000000"}
    hidden = [closed(**HIDDEN, token=token, headers=plenty) for token in (MINE, YOURS)]
    _, url = await github(*hidden[0], *hidden[1])
    outcomes, _ = await run(url, api, (MINE, YOURS, THIRD))
    assert outcomes[CLOSED][0] == "ok"


async def test_the_second_look_of_what_is_gone_asks_each_other_token(github, run):
    """Each is asked once, and then it is believed."""
    app, url = await github(*closed(**HIDDEN))
    outcomes, _ = await run(url, "rest", (MINE, YOURS, THIRD))
    assert outcomes[CLOSED] == ("gone", 0)
    assert asked(app, f"/repos/{CLOSED}/commits") == 3


async def test_what_one_token_is_forbidden_and_another_cannot_see_is_forbidden(github, run, caplog):
    """Whichever asks first: the 403 proves that it is there. Both are named."""
    _, url = await github(*closed(token=MINE), *closed(**HIDDEN, token=YOURS))
    outcomes, _ = await run(url, "rest", (MINE, YOURS))
    assert outcomes[CLOSED] == ("forbidden", 0)
    (told,) = [line for line in caplog.messages if line.startswith(f"{CLOSED} is forbidden:")]
    assert "token 1 of 2 (sha256" in told
    assert "token 2 of 2 (sha256" in told


async def test_a_second_look_by_a_token_that_is_revoked_is_the_first_one_s(github, make_client):
    """It is set aside, and the one that is left looks again."""
    app, url = await github(Fault("/repos/x/y", times=None, status=404, token=MINE, body=b"{}"))
    app[FAULTS].add(Fault("/repos/x/y", times=None, status=401, token=YOURS, body=b"{}"))
    async with make_client(url, tokens=(MINE, YOURS)) as client:
        for _ in range(2):
            with pytest.raises(NotFound):
                await client.get(client.url("repos", "x", "y"), bool, RequestCost())
    statuses = [request.status for request in app[REQUEST_LOG].requests]
    assert sorted(statuses) == [401, 404, 404]


async def test_that_a_token_is_answered_is_asked_once(github, run):
    """However many repositories are forbidden: one request more for all of them."""
    names = [repository.full_name for repository in Sample().repositories[:6]]
    app, url = await github(*(fault for name in names for fault in closed(repo=name)))
    outcomes, _ = await run(url, "rest", (MINE,))
    assert sum(outcome == "forbidden" for outcome, _ in outcomes.values()) > 1
    assert asked(app, "/rate_limit") == 1


async def test_each_token_is_tried_before_it_counts_as_forbidden(github, run, caplog):
    """Both are named, neither is shown."""
    app, url = await github(*closed())
    outcomes, _ = await run(url, "rest", (MINE, YOURS))
    assert outcomes[CLOSED] == ("forbidden", 0)
    (told,) = [line for line in caplog.messages if line.startswith(f"{CLOSED} is forbidden:")]
    assert "token 1 of 2 (sha256" in told
    assert "token 2 of 2 (sha256" in told
    assert not [token for token in (MINE, YOURS) if token in caplog.text]
    assert asked(app, f"/repos/{CLOSED}/commits") == 2
    assert asked(app, "/rate_limit") == 1


async def test_what_a_token_was_refused_is_asked_of_others_at_once(github, make_client):
    """A page that follows costs no refusal again."""
    app, url = await github(Fault("/repos/x/y", times=None, status=403, token=MINE, body=b"{}"))
    app[FAULTS].add(Fault("/repos/x/y", times=None, body=b"[1]", status=200))
    async with make_client(url, tokens=(MINE, YOURS)) as client:
        for number in range(4):
            page = await client.get(client.url("repos", "x", "y", page=number), bool, RequestCost())
            assert page.value
    statuses = [request.status for request in app[REQUEST_LOG].requests]
    assert statuses.count(403) <= 1
    assert statuses.count(200) == 4


async def test_a_token_that_is_revoked_meanwhile_is_no_help(github, run):
    """It is set aside; the repository is forbidden to the one that is left, and the day counts."""
    _, url = await github(*closed(token=MINE), revoked_tokens=[YOURS])
    outcomes, _ = await run(url, "rest", (MINE, YOURS))
    assert outcomes[CLOSED] == ("forbidden", 0)


@pytest.mark.parametrize("api", APIS)
async def test_where_most_are_forbidden_the_fetch_is_red(github, run, api):
    """It is the tokens then; a later try, with a better one, believes none of it."""
    refusal = json.dumps({"message": SAML}).encode()
    app, url = await github(
        Fault(r"/commits", times=None, status=403, body=refusal),
        Fault("/graphql", times=None, status=403, body=refusal),
    )
    with pytest.raises(MostlyForbidden, match=r"answer 403 to each token .*single sign-on"):
        await run(url, api, (MINE,))
    app[FAULTS].clear()
    outcomes, _ = await run(url, api, (MINE,))
    assert "forbidden" not in {outcome for outcome, _ in outcomes.values()}


async def test_gone_and_forbidden_together_are_most(github, run):
    """A token without rights is answered 404 here and 403 there."""
    refusal = json.dumps({"message": SAML}).encode()
    _, url = await github(
        Fault("/commits", times=4, status=403, body=refusal),
        Fault("/commits", times=None, status=404, body=b'{"message": "Not Found"}'),
    )
    with pytest.raises(MostlyForbidden, match=r"4 of \d+ repositories answer 403 .* and \d+ answer 404"):
        await run(url, "rest", (MINE,), concurrent=1)


@pytest.mark.parametrize("api", APIS)
async def test_a_token_that_is_refused_everything_is_red(github, run, api):
    """By its first repository: an account that was suspended is no matter of one repository."""
    refusal = json.dumps({"message": "Sorry. Your account was suspended."}).encode()
    _, url = await github(Fault("/commits|/rate_limit|/graphql", times=None, status=403, body=refusal))
    with pytest.raises(Forbidden, match=r"account was suspended.*check the rights of the token"):
        await run(url, api, (MINE,))


@needs_schema
async def test_graphql_as_a_whole_may_be_forbidden_to_one_token(github, run):
    """The other one asks, and REST is not asked in its place."""
    app, url = await github(Fault("/graphql", times=None, status=403, token=MINE, body=b'{"message": "no"}'))
    outcomes, _ = await run(url, "graphql", (MINE, YOURS))
    assert {outcome for outcome, _ in outcomes.values()} >= {"ok"}
    assert asked(app, "/commits?") <= 3


async def test_quotas_are_those_of_the_tokens_that_are_answered(github, make_client):
    """One that is refused has none to tell; where all are, it is an error."""
    app, url = await github(Fault("/rate_limit", times=None, status=403, token=MINE, body=b"{}"))
    async with make_client(url, tokens=(MINE, YOURS)) as client:
        (quota,) = await client.quotas()
        assert quota.token.startswith("token 2 of 2")
        app[FAULTS].add(Fault("/rate_limit", times=None, status=403, body=b"{}"))
        with pytest.raises(Forbidden):
            await client.quotas()
