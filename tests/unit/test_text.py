"""Texts for people."""

import pytest

from include.text import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (29.4, "29 s"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (3605, "1 h 5 s"),
        (5400, "1 h 30 min"),
        (93_661, "1 d 2 h"),
    ],
)
def test_durations(seconds: float, words: str):
    """In their two largest units, whose number and name stay together."""
    assert duration(seconds).replace("\xa0", " ") == words
