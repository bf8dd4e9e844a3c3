"""The tokens of a connection: read from its password, told apart without being shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from yarl import URL

from include.http.origin import origin_of


@dataclass(frozen=True)
class Token:
    """A token, or none. Attributes: text, "" to ask anonymously; place and of, where in the list it is."""

    text: str = field(repr=False)
    place: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"token {self.place} of {self.of} (sha256 {self.digest[:8]})" if self.text else "no token"

    @property
    def digest(self) -> str:
        """A text that is the same for the same token, and tells nobody which one it is."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    def account(self, service: str, base_url: str) -> str:
        """Return the name of this token's account on one API: of its lease, and of what is remembered."""
        return f"{service}:{origin_of(URL(base_url)).raw_authority}:{self.digest}"


def split_tokens(text: str) -> tuple[str, ...]:
    """Return the tokens in a text, each once, in its order: whitespace, commas and line ends are between."""
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))


def numbered(texts: Sequence[str]) -> tuple[Token, ...]:
    """Return the tokens; none at all is one that asks anonymously."""
    return tuple(Token(text, place, len(texts)) for place, text in enumerate(texts, start=1)) or (Token(""),)
