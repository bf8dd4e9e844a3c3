"""The rules of one API: headers of its requests, and the meaning of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from yarl import URL

from include.http.answers import Answer, excerpt
from include.http.limits import EVERYTHING, Limited, Quota, retry_after_s
from include.http.tokens import Token

USER_AGENT = "stagehouse/0.1"


class ApiRules:
    """The meanings that HTTP itself has (RFC 9110, RFC 6585); an API overrides what it has of its own.

    Attributes: connection, its name in errors; headers, of every request.
    """

    connection: str = "connection"
    headers: Mapping[str, str] = MappingProxyType({"User-Agent": USER_AGENT})

    def credentials(self, token: Token) -> Mapping[str, str]:
        """Return the headers that show a token; none where there is none."""
        return {"Authorization": f"Bearer {token.text}"} if token.text else {}

    def addressed(self, url: URL, token: Token) -> URL:  # noqa: ARG002
        """Return the URL that is sent, for an API that looks for its token there; no error shows it."""
        return url

    def read_limit(
        self,
        answer: Answer,
        resource: str,  # noqa: ARG002 - for APIs that have several
        now: datetime,
    ) -> Limited | None:
        """Tell whether an answer refuses by a limit, and which; None where it is something else.

        Args: resource: the one that the request counts on. now: our clock, used only without a Date.
        """
        if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):  # noqa: PLR2004
            reason = f"{answer.status}, body {excerpt(answer)}"
            return Limited(EVERYTHING, retry_after_s(answer.headers, now), reason)
        return None

    def not_done(self, answer: Answer) -> bool:
        """Tell whether an answer says for sure that nothing was done: then any request may be sent again.

        401 has not been applied (RFC 9110, 15.5.2), 429 was refused unread. A 503 may come from a proxy that
        lost the answer, also with Retry-After: an API that promises more overrides this.
        """
        return answer.status in (401, 429)

    def read_quota(self, answer: Answer, resource: str, now: datetime) -> Quota | None:  # noqa: ARG002
        """Return what an answer says is left of a resource; None where it says nothing."""
        return None

    def is_success(self, answer: Answer) -> bool:
        """Tell whether it is an answer of the API itself, and not of some proxy before it."""
        return 200 <= answer.status < 300  # noqa: PLR2004

    def is_limited(self, resource: str) -> bool:  # noqa: ARG002
        """Tell whether a resource has limits at all; one without is answered whatever is closed."""
        return True
