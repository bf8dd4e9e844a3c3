"""The first lines of a file of the inbox, made safe to show: any bytes, bounded, nothing hidden."""

from __future__ import annotations

import codecs
import zlib
from io import BufferedReader
from typing import NamedTuple

HEAD_BYTES = 64 * 1024  # read of a file, and as much unpacked
MAX_LINES, MAX_CHARACTERS = 20, 300
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # of zlib: with the header of gzip
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Preview(NamedTuple):
    """The beginning of a file.

    Attributes: lines; is_whole, whether these are all of it; is_packed, by gzip; encoding, "" where it is no
    UTF-8 and has no byte order mark; problem, why there is no more of it, or "".
    """

    lines: list[str]
    is_whole: bool
    is_packed: bool
    encoding: str
    problem: str = ""


def first_lines(file: BufferedReader) -> Preview:
    """Return how `file` begins, unpacked where it begins as gzip. Raises: OSError."""
    data = file.read(HEAD_BYTES + 1)
    is_whole, data = len(data) <= HEAD_BYTES, data[:HEAD_BYTES]
    problem = ""
    if is_packed := data.startswith(_GZIP):
        data, is_whole, problem = _unpacked(data, is_whole=is_whole)
    text, encoding = _decoded(data, is_whole=is_whole)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    cut = len(lines) > MAX_LINES or any(len(line) > MAX_CHARACTERS for line in lines)
    shown = [visible(_cut(line.removesuffix("\r"))) for line in lines[:MAX_LINES]]
    return Preview(shown, is_whole and not cut, is_packed, encoding, problem)


def visible(text: str) -> str:
    r"""Return `text` with what cannot be seen as Python writes it, such as \x00 and \u202e.

    So a name or a cell cannot turn around or hide what stands beside it. Tabs stay.
    """
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def _cut(line: str) -> str:
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}…"


def _unpacked(data: bytes, *, is_whole: bool) -> tuple[bytes, bool, str]:
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        found = unpacking.decompress(data, HEAD_BYTES)  # a bomb unpacks no further
    except zlib.error:
        return b"", False, "it begins like gzip and is none"
    if is_whole and not unpacking.eof and not unpacking.unconsumed_tail:
        return found, False, "the gzip is cut short"
    return found, unpacking.eof and is_whole, ""


def _decoded(data: bytes, *, is_whole: bool) -> tuple[str, str]:
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)
    try:
        return decoder().decode(data, is_whole), encoding
    except UnicodeDecodeError:
        return decoder("backslashreplace").decode(data, is_whole), ""
