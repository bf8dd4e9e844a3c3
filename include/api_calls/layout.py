"""How a file is to be read: its format, encoding, delimiter and columns."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from include.api_calls.errors import ColumnMissing, UnreadableRow
from include.api_calls.json_rows import json_pairs
from include.api_calls.texts import Texts
from include.inbox.errors import BadHeader, ImportFileDamaged
from include.text import safe_repr

DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t"}
MAX_COLUMNS = 1_000
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# They read anything, or are no encoding of a text.
_REFUSED = ("idna", "punycode", "raw_unicode_escape", "unicode_escape", "utf-7", "undefined")

Format = Literal["auto", "csv", "ndjson"]
OpenFile = Callable[[], io.BufferedReader]


class Layout(BaseModel):
    """How a file is to be read. Attributes: format; encoding; delimiter, of a CSV; header, its columns."""

    model_config = ConfigDict(frozen=True)
    format: Literal["csv", "ndjson"]
    encoding: str
    delimiter: str = ","
    header: Annotated[list[str], Field(max_length=MAX_COLUMNS)]


def is_encoding(name: str) -> bool:
    """Tell whether it is an encoding of texts that Python knows."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    is_text: bool = found._is_text_encoding  # noqa: SLF001 - what bytes.decode() asks too
    return is_text and found.name not in _REFUSED


def read_layout(
    path: str, open_file: OpenFile, *, form: Format, encoding: str, delimiter: str, columns: Sequence[str]
) -> Layout:
    """Return how a file is to be read. A byte order mark decides its encoding, else `encoding` does.

    Args: path, for errors; open_file, opens it anew; delimiter, of DELIMITERS or "auto": the one that makes
        the most of `columns` in the header; columns, that have to be there.
    Raises: BadHeader; ImportFileDamaged.
    """
    with open_file() as file:
        start = file.peek(4)[:4]
        if not start:
            raise ImportFileDamaged(path, "it is empty")
        encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), encoding)
        lines = chain.from_iterable(Texts(path, file, encoding).pieces())
        first = next(lines, "")
        if form == "ndjson" or (form == "auto" and first.lstrip().startswith("{")):
            found = Layout(format="ndjson", encoding=encoding, header=_names_of_first(path, first))
        else:
            allowed = list(DELIMITERS.values()) if delimiter == "auto" else [DELIMITERS[delimiter]]
            chosen = max(allowed, key=lambda each: _fit(first, each, columns))
            header = _header(path, _header_cells(path, first, lines, chosen))
            found = Layout(format="csv", encoding=encoding, delimiter=chosen, header=header)
    if missing := [column for column in columns if column not in found.header]:
        shown = ascii(found.delimiter.join(found.header))[:200]
        reason = f"the recipe's column {safe_repr(missing[0])} is not in the header, which is {shown}"
        raise ColumnMissing(path, reason)
    return found


def no_csv(path: str, line: int, error: csv.Error) -> UnreadableRow:
    """Return the error of a row that is no CSV. Args: line, where it begins."""
    reason = f"line {line}: the row that begins there is no CSV ({error}); is a quote not closed?"
    return UnreadableRow(path, reason)


def _header_cells(path: str, first: str, lines: Iterator[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(chain([first], lines), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise no_csv(path, 1, error) from error


def _fit(line: str, delimiter: str, columns: Sequence[str]) -> tuple[int, int]:
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return (0, 0)
    return sum(column in names for column in columns), len(names)


def _header(path: str, cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise BadHeader(path, "line 1 is blank, it has to name the columns")
    if len(names) > MAX_COLUMNS:
        raise BadHeader(path, f"line 1 has {len(names)} columns, at most {MAX_COLUMNS} are allowed")
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise BadHeader(path, f"line 1 names column {safe_repr(doubled)} twice")
    if names.count("") > 1:
        raise BadHeader(path, "line 1 has several columns without a name")
    return names


def _names_of_first(path: str, line: str) -> list[str]:
    try:
        names = [name for name, _ in json_pairs(line)]
        "".join(names).encode()  # half a surrogate pair cannot be written
    except ValueError as error:
        raise BadHeader(path, f"line 1 is no JSON object: {str(error)[:200]}") from None
    if any("\0" in name for name in names):
        raise BadHeader(path, "line 1 has a name with a NUL")
    return _header(path, names)
