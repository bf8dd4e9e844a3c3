"""Whether an answer of GitHub is a rate limit, and what it says is left. Pure: no socket, no clock.

The order of the questions matters and is that of GitHub's own client: a 403 is a rate limit first.
Sources: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from include.github.api.responses import message_of
from include.http.answers import REDIRECTS, Answer, json_object
from include.http.limits import EVERYTHING, Limited, Quota, retry_after_s, seconds_until, whole_number

RESOURCES = ("core", "search", "graphql")
# GraphQL says both; the second since 2025, with the code: https://github.com/yanyongyu/githubkit/issues/271
GRAPHQL_LIMITS = {"RATE_LIMITED", "RATE_LIMIT", "graphql_rate_limit"}
LIMIT_WORDS = "rate limit exceeded"  # where a proxy on the way has taken the headers away
SECONDARY_LIMIT_WORDS = ("secondary rate", "abuse detection", "abuse-rate-limits", "secondary-rate-limits")


def read_limit(answer: Answer, resource: str, now: datetime) -> Limited | None:
    """Tell whether an answer is a rate limit, and which; None where it is something else.

    Args: resource: "core", "search" or "graphql", the one the request counts on. now: our clock, used only
        where the server sends no Date.
    """
    if answer.status == 200 and resource == "graphql":  # noqa: PLR2004
        return _read_graphql_limit(answer, now)
    if answer.status == 200 or answer.status in REDIRECTS:  # noqa: PLR2004
        return None
    headers, message = answer.headers, f"{answer.status} {message_of(answer)}"
    if "retry-after" in headers:
        return Limited(EVERYTHING, retry_after_s(headers, now), f"retry-after, {message}")
    return _read_refusal(answer, resource, message, now) if answer.status in (403, 429) else None


def read_quota(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read x-ratelimit-remaining, -reset and -limit; None where the server sends none, as with limits off."""
    remaining = whole_number(headers.get("x-ratelimit-remaining"))
    if remaining is None:
        return None
    reset = whole_number(headers.get("x-ratelimit-reset"))
    limit = whole_number(headers.get("x-ratelimit-limit"))
    return Quota(remaining, 60.0 if reset is None else seconds_until(reset, headers, now), limit)


def named_resource(headers: Mapping[str, str], by_path: str) -> str:
    """Return the resource the answer counted on: its own word, where we know it, else that of the path."""
    named = headers.get("x-ratelimit-resource", "")
    return named if named in RESOURCES else by_path


def _read_refusal(answer: Answer, resource: str, message: str, now: datetime) -> Limited | None:
    text = answer.body.decode("utf-8", "replace")
    if _is_secondary(text):
        return Limited(EVERYTHING, None, f"secondary limit, {message}")
    quota = read_quota(answer.headers, now)
    if quota and quota.remaining == 0:
        return Limited(
            named_resource(answer.headers, resource), quota.reset_in_s, f"primary limit, {message}"
        )
    limited = answer.status == 429 or LIMIT_WORDS in text.lower()  # noqa: PLR2004
    return Limited(EVERYTHING, None, message) if limited else None


def _read_graphql_limit(answer: Answer, now: datetime) -> Limited | None:
    """Tell whether GraphQL refuses with a 200. Whatever data it may carry is asked for again."""
    if b'"errors"' not in answer.body and b'"message"' not in answer.body:
        return None
    body = json_object(answer.body)
    listed = body.get("errors")
    errors = [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []
    if any(GRAPHQL_LIMITS & {error.get("type"), error.get("code")} for error in errors):
        # Not by what remains: it may be more than 0, and yet less than the query costs.
        quota = read_quota(answer.headers, now)
        return Limited("graphql", quota.reset_in_s if quota else None, f"primary limit, {message_of(answer)}")
    if body.get("data"):
        return None
    if not any(
        _is_secondary(str(text)) for text in (body.get("message"), *(e.get("message") for e in errors))
    ):
        return None
    wait_s = retry_after_s(answer.headers, now)
    return Limited(EVERYTHING, wait_s, f"secondary limit, {message_of(answer)}")


def _is_secondary(text: str) -> bool:
    return any(words in text.lower() for words in SECONDARY_LIMIT_WORDS)
