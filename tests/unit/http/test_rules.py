"""What HTTP itself means by an answer."""

from datetime import UTC, datetime

import pytest

from include.http.answers import Answer
from include.http.limits import Limited
from include.http.rules import ApiRules
from include.http.tokens import Token

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)
RULES = ApiRules()


def answer(status, **headers):
    """Make an answer; `_` in a header name is `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("http://h/x", status, named, b"no")


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {}, None),
        (429, {"retry_after": "7"}, 7.0),
        (503, {"retry_after": "0"}, None),
        (503, {"retry_after": "Thu, 20 Aug 2026 12:00:09 GMT"}, 9.0),
        (503, {"retry_after": "12:00"}, None),
        (429, {"retry_after": "9" * 12}, 7 * 86_400),
    ],
)
def test_refusals(status, headers, wait_s):
    """A 429, or a 503 that says when to come back, closes everything for that long."""
    assert RULES.read_limit(answer(status, **headers), "calls", NOW) == Limited(
        "all", wait_s, f"{status}, body 'no'"
    )


@pytest.mark.parametrize("status", [200, 301, 403, 404, 500, 503])
def test_no_refusals(status):
    """Anything else is for the reader of the answer."""
    assert RULES.read_limit(answer(status), "calls", NOW) is None


def test_what_says_that_nothing_was_done():
    """401 and 429 alone."""
    assert [status for status in range(100, 600) if RULES.not_done(answer(status))] == [401, 429]


def test_a_token_is_a_bearer():
    """None is sent where there is none."""
    assert RULES.credentials(Token("abc")) == {"Authorization": "Bearer abc"}
    assert RULES.credentials(Token("")) == {}
