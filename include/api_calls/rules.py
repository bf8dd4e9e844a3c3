"""The rules of a recipe's API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from urllib.parse import quote

from yarl import URL

from include.http.answers import Answer
from include.http.rules import USER_AGENT, ApiRules
from include.http.tokens import Token


class CallRules(ApiRules):
    """The rules of HTTP, with the secret where the connection says.

    Args: connection, its id; header or query_parameter, that holds the secret instead of a bearer token;
        not_done, statuses that say for sure that nothing was done.
    """

    headers: Mapping[str, str] = MappingProxyType({"Accept": "application/json", "User-Agent": USER_AGENT})

    def __init__(
        self, connection: str, header: str = "", query_parameter: str = "", not_done: Collection[int] = ()
    ) -> None:
        self.connection = f"connection {connection!r}"
        self._header, self._query_parameter, self._not_done = header, query_parameter, frozenset(not_done)

    def credentials(self, token: Token) -> Mapping[str, str]:
        """Return the header that shows the secret; none where the URL does, or where there is none."""
        if not token.text or self._query_parameter:
            return {}
        return {self._header: token.text} if self._header else super().credentials(token)

    def addressed(self, url: URL, token: Token) -> URL:
        """Return the URL with the secret in its query, where it belongs there."""
        if not token.text or not self._query_parameter:
            return url
        pair = f"{quote(self._query_parameter, safe='')}={quote(token.text, safe='')}"
        return URL(f"{url}{'&' if url.query_string else '?'}{pair}", encoded=True)

    def not_done(self, answer: Answer) -> bool:
        """Tell whether an answer says for sure that nothing was done, by HTTP or by the recipe."""
        return super().not_done(answer) or answer.status in self._not_done

    def is_success(self, answer: Answer) -> bool:
        """Tell whether it is an answer of the API itself: also one that refuses a row."""
        return answer.status < 500  # noqa: PLR2004
