"""A request to be sent, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from yarl import URL

from include.http.answers import Answer
from include.http.tokens import Token


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        resource: whose limit it counts on.
        body: sent as JSON; None for a request without one.
        headers: of this request alone.
        tokens: one of which asks, of all where empty.
        etags: by the token that got them: one of those asks where it is open.
    """

    url: URL
    resource: str
    method: str = "GET"
    body: JsonValue = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tokens: Collection[Token] = ()
    etags: Mapping[Token, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Received:
    """What came.

    Attributes: answer; token that asked; links, of the Link header by relation, None where it is not
    readable: whoever follows one looks at its origin first.
    """

    answer: Answer
    token: Token
    links: Mapping[str, URL] | None
