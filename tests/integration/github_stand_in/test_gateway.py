"""Who may ask, how often, and what every answer carries."""

import re
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import hdrs
from githubkit_schemas.v2022_11_28.models import BasicError

from include.github_stand_in.quota import ANONYMOUS, WITH_TOKEN, Quota
from include.github_stand_in.sample import Sample

FIRST = Sample().repositories[0].full_name
REPOSITORY, SEARCH = f"/repos/{FIRST}", "/search/repositories?q=stars:%3E1&per_page=1"
TINY = Quota(core_per_hour=3, search_per_minute=2)


def rate(headers):
    """Return limit, remaining, used and resource of an answer."""
    names = ("limit", "remaining", "used", "resource")
    return tuple(headers[f"x-ratelimit-{name}"] for name in names)


async def test_every_answer_says_what_is_left(serve):
    """Core and search are counted apart; errors cost as much as successes, /rate_limit costs nothing."""
    served = await serve(anonymous=ANONYMOUS)
    assert rate((await served.get(REPOSITORY))[1]) == ("60", "59", "1", "core")
    assert rate((await served.get(SEARCH))[1]) == ("10", "9", "1", "search")
    assert rate((await served.get("/nowhere", status=404))[1]) == ("60", "58", "2", "core")
    body, headers = await served.get("/rate_limit")
    assert rate(headers) == ("60", "58", "2", "core")
    remaining = {resource: window["remaining"] for resource, window in body["resources"].items()}
    assert remaining == {"core": 58, "search": 9, "graphql": 0}
    assert int(headers["x-ratelimit-reset"]) == served.clock().timestamp() + 3600


async def test_each_token_has_a_quota_of_its_own(serve):
    """Two tokens and the address do not share a count."""
    served = await serve(anonymous=ANONYMOUS, with_token=WITH_TOKEN)
    for authorization in ("Bearer one", "token two"):
        headers = (await served.get(REPOSITORY, Authorization=authorization))[1]
        assert rate(headers) == ("5000", "4999", "1", "core")
    assert rate((await served.get(REPOSITORY))[1]) == ("60", "59", "1", "core")


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ({}, r"API rate limit exceeded for 127\.0\.0\.1\. \(But here's the good news: "),
        ({"Authorization": "Bearer one"}, r"API rate limit exceeded for user ID \d+\. "),
    ],
)
async def test_refuses_beyond_the_quota_until_the_reset(serve, authorization, message):
    """403 with nothing remaining; the other resource is not touched; from the reset on, all is well."""
    served = await serve(anonymous=TINY, with_token=TINY)
    for _ in range(3):
        await served.get(REPOSITORY, **authorization)
    body, headers = await served.get(REPOSITORY, status=403, **authorization)
    assert re.match(message, BasicError.model_validate(body).message)
    assert rate(headers) == ("3", "0", "3", "core")
    await served.get(SEARCH, **authorization)
    reset_in_s = int(headers["x-ratelimit-reset"]) - parsedate_to_datetime(headers["Date"]).timestamp()
    served.clock.pass_s(reset_in_s - 1)
    await served.get(REPOSITORY, status=403, **authorization)
    served.clock.pass_s(1)
    await served.get(REPOSITORY, **authorization)


async def test_search_quota_lasts_a_minute(serve):
    """Searches are refused for the rest of the minute only."""
    served = await serve(anonymous=TINY)
    for status in (200, 200, 403):
        _, headers = await served.get(SEARCH, status=status)
    assert rate(headers) == ("2", "0", "2", "search")
    served.clock.pass_s(60)
    await served.get(SEARCH)


async def test_unchanged_answer_is_free(serve):
    """304 without a body, without cost for a token; another body has another etag."""
    served = await serve(anonymous=ANONYMOUS, with_token=WITH_TOKEN)
    _, headers = await served.get(REPOSITORY, Authorization="Bearer one")
    condition = {"If_None_Match": headers["ETag"]}
    again, unchanged = await served.get(REPOSITORY, status=304, Authorization="Bearer one", **condition)
    assert again is None
    assert unchanged["ETag"] == headers["ETag"]
    assert rate(unchanged) == rate(headers)
    assert rate((await served.get(REPOSITORY, status=304, **condition))[1])[2] == "1"
    assert (await served.get(SEARCH))[1]["ETag"] != headers["ETag"]


async def test_headers_that_every_answer_has(sample):
    """JSON in UTF-8, the server's own date, and an id of the request that never repeats."""
    answers = [(await sample.get(url, status=status))[1] for url, status in [("/", 200), ("/nowhere", 404)]]
    for headers in answers:
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert parsedate_to_datetime(headers["Date"]) == sample.clock()
    assert answers[0]["X-GitHub-Request-Id"] != answers[1]["X-GitHub-Request-Id"]


async def test_revoked_token(serve):
    """401 whatever the scheme; it costs nothing and other tokens work."""
    served = await serve(revoked_tokens={"old"})
    for authorization in ("Bearer old", "token old"):
        body, _ = await served.get(REPOSITORY, status=401, Authorization=authorization)
        assert BasicError.model_validate(body).message == "Bad credentials"
    await served.get(REPOSITORY, Authorization="Bearer new")
    assert rate((await served.get(REPOSITORY))[1])[2] == "1"


async def test_request_without_user_agent(sample):
    """403 in plain words, not in JSON."""
    async with sample.session.get("/", skip_auto_headers=[hdrs.USER_AGENT]) as answer:
        assert answer.status == 403
        assert answer.content_type == "text/html"
        assert "make sure your request has a User-Agent header" in await answer.text()


@pytest.mark.parametrize("version", ["2021-01-01", "v3"])
async def test_unknown_version(sample, version):
    """400 that names the versions there are."""
    body, _ = await sample.get("/", status=400, X_GitHub_Api_Version=version)
    message = BasicError.model_validate(body).message
    assert f'"{version}", is not a supported version' in message
    assert '"2022-11-28"' in message
