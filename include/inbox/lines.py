"""The lines of a file of the inbox: unpacked, numbered, in blocks of whole lines, all in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, NamedTuple

from include.inbox.errors import ImportFileDamaged, ImportFileTooLarge

MAX_LINE_BYTES = 16_384  # a phrase of 1,000 characters, each escaped as a surrogate pair, has 12,000
MAX_BYTES = 2 * 1024**3  # unpacked: a gzip of 2 MB can hold as much
_BLOCK_BYTES = 256 * 1024  # some thousand lines: they stay in the processor's cache
_GZIP = b"\x1f\x8b"
_OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Line(NamedTuple):
    """One line. Attributes: number, from 1; data, without its end, cut where it is too_long."""

    number: int
    data: bytes
    too_long: bool = False


class Block(NamedTuple):
    """Lines in a row.

    Attributes: first, the number of the first one; data, without the last line end; is_ended, False where the
    last line has no line end: it may have been cut.
    """

    first: int
    data: bytes
    is_ended: bool = True

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + self.data.count(b"\n")

    def lines(self) -> list[Line]:
        """Return them one by one."""
        return [
            Line(number, data[:MAX_LINE_BYTES], len(data) > MAX_LINE_BYTES)
            for number, data in enumerate(self.data.split(b"\n"), self.first)
        ]


def read_blocks(path: str, file: BufferedReader, max_bytes: int = MAX_BYTES) -> Iterator[Block]:
    """Yield the lines of `file`, unpacked where it begins as gzip, without a UTF-8 byte order mark.

    Args: path, for errors; max_bytes, unpacked.
    Raises: ImportFileDamaged; ImportFileTooLarge.
    """
    packed = file.peek(2)[:2] == _GZIP
    source: BufferedReader[Any] = BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
    try:
        yield from _blocks(path, source, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportFileDamaged(path, f"not a whole gzip file ({error})") from error


def _blocks(path: str, source: BufferedReader[Any], max_bytes: int) -> Iterator[Block]:
    first, seen, rest = 1, 0, b""
    while data := source.read(_BLOCK_BYTES):
        if not seen:
            if data.startswith(_OTHER_ENCODINGS):
                raise ImportFileDamaged(path, "it is in UTF-16, not UTF-8")
            data = data.removeprefix(codecs.BOM_UTF8)
        seen += len(data)
        if seen > max_bytes:
            raise ImportFileTooLarge(path, f"more than {max_bytes} bytes unpacked")
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            if b"\r" in whole:
                whole = whole.removesuffix(b"\r").replace(b"\r\n", b"\n")
            block = Block(first, whole)
            first = block.last + 1
            yield block
        else:
            rest = rest[: MAX_LINE_BYTES + 2]  # of a line without an end its beginning will do
    if rest:
        yield Block(first, rest.removesuffix(b"\r"), is_ended=False)
