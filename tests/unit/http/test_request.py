"""Which requests are repeatable."""

import pytest
from yarl import URL

from include.http.request import Request


@pytest.mark.parametrize(
    ("method", "told", "repeatable"),
    [
        ("GET", None, True),
        ("HEAD", None, True),
        ("POST", None, False),
        ("PATCH", None, False),
        ("PUT", None, False),
        ("DELETE", None, False),
        ("GET", False, False),
        ("POST", True, True),
    ],
)
def test_by_method_unless_told(method, told, repeatable):
    """GET and HEAD are; of anything else, and of a GET that does something, the caller says so."""
    assert Request(URL("http://h/x"), "r", method, repeatable=told).is_repeatable is repeatable
