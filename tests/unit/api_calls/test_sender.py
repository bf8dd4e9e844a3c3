"""What is kept of an answer: a JSON object or nothing, and never the secret."""

import json
from contextlib import suppress

import pytest

from include.api_calls.recipe import parse_recipe
from include.api_calls.sender import kept
from include.http.answers import Answer

SECRETS = ("s3cret-s3cret", "12345678")


def keep(expression: str, body: str) -> tuple[str, str]:
    """Return what is kept of a body, and the reason where nothing is."""
    text = f'method = "GET"\npath = "/x"\n[columns]\nc = {{}}\n[keep]\na = "{expression}"\n'
    return kept(parse_recipe("t.toml", text), Answer("u", 200, {}, body.encode(), SECRETS))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"a": "yes s3cret-s3cret"}', {"a": "yes ***"}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
        ('{"a": 987654321098765432109876543210}', {"a": 987654321098765432109876543210}),
        ("{}", {"a": None}),
    ],
)
def test_what_is_kept_is_json(body: str, expected: object):
    """With whole numbers as they are; the secret is hidden."""
    text, reason = keep("a", body)
    assert (json.loads(text), reason) == (expected, "")


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("a", '{"a": 1e999}'),
        ("a", '{"a": 12345678}'),
        ("abs(a)", '{"a": "s3cret-s3cret"}'),
        ("length(a)", '{"a": 12345678}'),
    ],
)
def test_what_cannot_be_kept_has_a_reason(expression: str, body: str):
    """Without the secret."""
    text, reason = keep(expression, body)
    assert text == ""
    assert reason.startswith("done; keep: ")
    assert not any(secret in reason for secret in SECRETS)


def test_an_answer_that_is_nested_deep():
    """Is kept, or is no JSON for us, or cannot be written: it ends no run."""
    for depth in range(800, 1010):
        text, reason = "", ""
        with suppress(ValueError):
            text, reason = keep("@", "[" * depth + "]" * depth)
        assert not (text and reason)
