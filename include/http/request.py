"""A request to be sent, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from yarl import URL

from include.http.answers import Answer
from include.http.tokens import Token

REPEATABLE = frozenset({"GET", "HEAD"})  # PUT and DELETE too by the RFC, but not by every server


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        resource: whose limit it counts on.
        body: sent as JSON; bytes are sent as they are; None for a request without one.
        headers: of this request alone.
        tokens: one of which asks, of all where empty.
        etags: by the token that got them: one of those asks where it is open.
        repeatable: whether it does no harm to send it twice; None: by its method. True for a POST that only
            asks, and for one with an idempotency key. One that is not is sent at most once, see Transport.
    """

    url: URL
    resource: str
    method: str = "GET"
    body: JsonValue | bytes = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tokens: Collection[Token] = ()
    etags: Mapping[Token, str] = field(default_factory=dict)
    repeatable: bool | None = None

    @property
    def is_repeatable(self) -> bool:
        """Tell whether it may be sent again although it may have been carried out."""
        return self.method in REPEATABLE if self.repeatable is None else self.repeatable


@dataclass(frozen=True)
class Received:
    """A response.

    Attributes: answer; token that asked; links, of the Link header by relation, None where it is not
    readable: whoever follows one looks at its origin first.
    """

    answer: Answer
    token: Token
    links: Mapping[str, URL] | None
