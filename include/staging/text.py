"""Text from outside, made safe to keep."""

from __future__ import annotations

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    r"""Return `text` without NUL and with lone surrogates replaced by U+FFFD; all else stays.

    A lone surrogate ("\ud83d" is legal JSON) cannot be encoded as UTF-8 and would fail the insert.
    NUL separates the columns of a row where its checksum is taken (row_checksum).
    """
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\0", ""))
