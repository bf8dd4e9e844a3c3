"""Answers before they meet a socket; those that are not a success word for word as clients know them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

DOCUMENTATION = "https://docs.github.com/rest"
API_VERSIONS = ("2026-03-10", "2022-11-28")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer before the headers that all answers share.

    Attributes: body, UTF-8; cost, of the quota: 1 for a request, the points of a query of GraphQL.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    """A success, ready to be sent any number of times. total: entries of the list that it is a page of."""

    body: bytes
    etag: str
    total: int = 1

    def answer(self, headers: Mapping[str, str] | None = None) -> Answer:
        """Return it as an answer, with more headers."""
        return Answer(200, self.body, {"ETag": self.etag, **(headers or {})})


class RefusedError(Exception):
    """A request that ends in anything but success. Attributes: answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def json_body(content: object) -> bytes:
    """Write JSON as GitHub does: compact, UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def write(content: object, total: int = 1) -> Written:
    """Write a success; equal contents have equal etags."""
    body = json_body(content)
    return Written(body, f'W/"{sha256(body).hexdigest()}"', total)


def refusal(status: int, message: str, documentation: str = DOCUMENTATION, **more: object) -> Answer:
    """Return an error body; its status is repeated in it as text."""
    return Answer(
        status,
        json_body({"message": message, **more, "documentation_url": documentation, "status": str(status)}),
    )


def not_found() -> Answer:
    """Return 404, for what does not exist and for what may not be known to exist."""
    return refusal(404, "Not Found")


def empty_repository() -> Answer:
    """Return 409, for a repository without a single commit."""
    return refusal(409, "Git Repository is empty.", f"{DOCUMENTATION}/commits/commits#list-commits")


def blocked(created_at: str, notice_url: str) -> Answer:
    """Return 451, for a repository that was taken down. It names neither documentation nor status."""
    block = {"reason": "dmca", "created_at": created_at, "html_url": notice_url}
    return Answer(451, json_body({"message": "Repository access blocked", "block": block}))


def moved(url: str) -> Answer:
    """Return 301 to the address by id, which outlives names. url: absolute."""
    body = {
        "message": "Moved Permanently",
        "url": url,
        "documentation_url": f"{DOCUMENTATION}/guides/best-practices-for-using-the-rest-api#follow-redirects",
    }
    return Answer(301, json_body(body), {"Location": url})


def validation_failed(resource: str, name: str, code: str, reason: str | None = None) -> Answer:
    """Return 422 with the parameter at fault."""
    error = {"resource": resource, "field": name, "code": code}
    return refusal(422, "Validation Failed", errors=[{"message": reason, **error} if reason else error])


def beyond_search_cap() -> Answer:
    """Return 422, for a page past the thousandth result."""
    return refusal(422, "Only the first 1000 search results are available", f"{DOCUMENTATION}/search/search")


def bad_credentials() -> Answer:
    """Return 401, for a token that is revoked."""
    return refusal(401, "Bad credentials")


def token_needed() -> Answer:
    """Return 401, for a query of GraphQL without a token."""
    message = "This endpoint requires you to be authenticated."
    return refusal(401, message, "https://docs.github.com/graphql/guides/forming-calls-with-graphql")


def no_user_agent() -> Answer:
    """Return 403, for a request that does not say who sends it. It is not JSON."""
    text = (
        "Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
        f"({DOCUMENTATION}/overview/resources-in-the-rest-api#user-agent-required). "
        "Check https://developer.github.com for other possible causes.\n"
    )
    return Answer(403, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def unknown_version(version: str) -> Answer:
    """Return 400, for an X-GitHub-Api-Version that was never published."""
    supported = ", ".join(f'"{known}"' for known in API_VERSIONS)
    return refusal(
        400,
        f'The version you specified in the "X-GitHub-API-Version" request header, "{version}", is not a '
        f"supported version. The following versions are currently supported: {supported}.",
    )


def quota_spent(resource: str, address: str, user_id: int | None, request_id: str, now: datetime) -> Answer:
    """Return 403, or what GraphQL says with a 200, for a request beyond the quota.

    Args: user_id: whose token it is; None for anonymous requests.
    """
    if user_id is None:
        message = (
            f"API rate limit exceeded for {address}. (But here's the good news: Authenticated requests get "
            "a higher rate limit. Check out the documentation for more details.)"
        )
    else:
        message = (
            f"API rate limit exceeded for user ID {user_id}. If you reach out to GitHub Support for help, "
            f"please include the request ID {request_id} and timestamp {now:%Y-%m-%d %H:%M:%S} UTC."
        )
    if resource == "graphql":
        return Answer(200, json_body({"errors": [{"type": "RATE_LIMITED", "message": message}]}))
    return refusal(403, message, f"{DOCUMENTATION}/overview/rate-limits-for-the-rest-api")
