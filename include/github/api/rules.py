"""The rules of GitHub's API: headers of requests, and the meaning of answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from include.github.api.rate_limits import RESOURCES, named_resource, read_limit, read_quota
from include.http.answers import Answer
from include.http.limits import Limited, Quota
from include.http.rules import USER_AGENT, ApiRules
from include.http.tokens import Token

API_VERSION = "2022-11-28"


def account_of(token: Token, base_url: str) -> str:
    """Return the name of a token's account: of its lease, and of what is remembered of it."""
    return token.account("github", base_url)


class GitHubRules(ApiRules):
    """GitHub's headers and limits. It answers 403 to a request without a User-Agent."""

    connection = "GitHub connection"
    headers: Mapping[str, str] = MappingProxyType(
        {
            "Accept": "application/vnd.github+json",
            "User-Agent": USER_AGENT,
            "X-GitHub-Api-Version": API_VERSION,
        }
    )

    def read_limit(self, answer: Answer, resource: str, now: datetime) -> Limited | None:
        """Tell whether an answer is one of GitHub's limits."""
        return read_limit(answer, resource, now)

    def read_quota(self, answer: Answer, resource: str, now: datetime) -> Quota | None:
        """Return what is left. A figure for another resource says nothing about that of the request."""
        own = named_resource(answer.headers, "") in (resource, "") and self.is_limited(resource)
        return read_quota(answer.headers, now) if own else None

    def is_success(self, answer: Answer) -> bool:
        """Tell whether it is an answer of GitHub: then no headers mean that limits are switched off."""
        return answer.status == 200  # noqa: PLR2004

    def is_limited(self, resource: str) -> bool:
        """Tell whether a resource has limits: /rate_limit has none."""
        return resource in RESOURCES
