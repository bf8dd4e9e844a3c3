"""The lines of an import file: unpacked, numbered, none longer than a bound, all in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, NamedTuple

from include.phrase_views.import_errors import ImportFileDamaged, ImportFileTooLarge

MAX_LINE_BYTES = 16_384  # a phrase of 1,000 characters, each written as two \uXXXX, has 12,000
MAX_BYTES = 2 * 1024**3  # unpacked: a gzip of 2 MB can hold as much
_GZIP = b"\x1f\x8b"
_OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Line(NamedTuple):
    """One line. Attributes: number, from 1; data, without its end, cut where it is too_long."""

    number: int
    data: bytes
    too_long: bool = False


def read_lines(path: str, file: BufferedReader, max_bytes: int = MAX_BYTES) -> Iterator[Line]:
    """Yield the lines of `file`, unpacked where it begins as gzip, without a UTF-8 byte order mark.

    Args: path, for errors; max_bytes, unpacked.
    Raises: ImportFileDamaged; ImportFileTooLarge.
    """
    packed = file.peek(2)[:2] == _GZIP
    source: BufferedReader[Any] = BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
    try:
        yield from _numbered(path, source, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportFileDamaged(path, f"not a whole gzip file ({error}): deliver it again") from error


def _numbered(path: str, source: BufferedReader[Any], max_bytes: int) -> Iterator[Line]:
    number = seen = 0
    while data := source.readline(MAX_LINE_BYTES + 2):
        number += 1
        if number == 1:
            if data.startswith(_OTHER_ENCODINGS):
                raise ImportFileDamaged(path, "it is UTF-16: save it as UTF-8")
            seen += len(data)
            data = data.removeprefix(codecs.BOM_UTF8)
        else:
            seen += len(data)
        text = data.removesuffix(b"\n").removesuffix(b"\r")
        end, too_long = data, len(text) > MAX_LINE_BYTES
        while too_long and seen <= max_bytes and end and not end.endswith(b"\n"):
            end = source.readline(MAX_LINE_BYTES)
            seen += len(end)
        if seen > max_bytes:
            raise ImportFileTooLarge(path, f"more than {max_bytes} bytes unpacked: split it")
        yield Line(number, text[:MAX_LINE_BYTES], too_long)
