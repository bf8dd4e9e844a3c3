"""Text from outside, made safe to keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.text import clean_text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ('it\'s \\ "ф" 漢 \t\n\x7f', 'it\'s \\ "ф" 漢 \t\n\x7f'),
        ("\U0001f9f5\u200d\U0001f30a", "\U0001f9f5\u200d\U0001f30a"),
        ("a\0b\0", "ab"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("\udcff\ud800", "\ufffd\ufffd"),
    ],
)
def test_only_what_cannot_be_kept_is_changed(text: str, clean: str):
    """NUL goes, a lone surrogate becomes U+FFFD, all else stays."""
    assert clean_text(text) == clean


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_can_be_kept(text: str):
    """The result is UTF-8 without NUL, else as long as before; cleaning it again changes nothing."""
    clean = clean_text(text)
    assert clean.encode().decode() == clean
    assert "\0" not in clean
    assert len(clean) == len(text) - text.count("\0")
    assert clean_text(clean) == clean
