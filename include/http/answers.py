"""An answer as it came in, where a redirect leads, and how its text is made fit for a log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from include.text import secret_encodings

EXCERPT_CHARACTERS = 200
SHORTEST_SECRET = 8  # a shorter one is no token, and hiding it would garble every text
REDIRECTS = (301, 302, 307, 308)


@dataclass(frozen=True)
class Answer:
    """An answer as it came in: headers with keys in lower case; body, all its bytes.

    secrets: never quoted in an error: a proxy's error page may echo our headers.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def without_secrets(self, text: str) -> str:
        """Return `text` fit for a log."""
        return without_secrets(text, self.secrets)


@dataclass(frozen=True)
class Redirect:
    """The thing asked for is elsewhere. `location` may be relative; status, that said so."""

    location: str
    status: int


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return what the server said fit for a log: it may repeat our headers."""
    told = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    # In lower case too: so it stands in the host of a URL that was read.
    forms = {each for secret in told for form in secret_encodings(secret) for each in (form, form.lower())}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def excerpt(answer: Answer) -> str:
    """Return the start of a body, on one line. Secrets go first: a cut one would not be found any more."""
    return ascii(answer.without_secrets(answer.body.decode("utf-8", "replace"))[:EXCERPT_CHARACTERS])


def json_object(body: bytes) -> dict[str, JsonValue]:
    """Return the object that a body holds, an empty one where it holds none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
