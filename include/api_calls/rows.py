"""The rows of a file, streamed: CSV with a header, or a JSON object a line. Cells are texts, kept exactly."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from include.api_calls.errors import ColumnMissing, UnreadableRow
from include.inbox.errors import BadHeader, ImportFileDamaged
from include.text import safe_repr

DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t"}
MAX_ROW = 1_048_576  # characters of a line
MAX_CELL = 131_072  # characters: what Python's csv reads
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


class Row(NamedTuple):
    """A row. Attributes: row, its number from 1; line, where it begins; cells; problem, "" where none."""

    row: int
    line: int
    cells: Sequence[str]
    problem: str = ""


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
        lines = _Lines(path, file, encoding)
        first = next(lines, "")
        if form == "ndjson" or (form == "auto" and first.lstrip().startswith("{")):
            found = Layout(format="ndjson", encoding=encoding, header=_names_of_first(path, first))
        else:
            allowed = list(DELIMITERS.values()) if delimiter == "auto" else [DELIMITERS[delimiter]]
            chosen = max(allowed, key=lambda each: _fit(first, each, columns))
            header = _header(path, next(_parsed(path, lines, chosen, first), ([], 1))[0])
            found = Layout(format="csv", encoding=encoding, delimiter=chosen, header=header)
    if missing := [column for column in columns if column not in found.header]:
        shown = ascii(found.delimiter.join(found.header))[:200]
        reason = f"the recipe's column {safe_repr(missing[0])} is not in the header, which is {shown}"
        raise ColumnMissing(path, reason)
    return found


def read_rows(path: str, open_file: OpenFile, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a file, one at a time in memory.

    Raises: ImportFileDamaged for what cannot be cut into rows, by its line; a row of another width than the
    header's has a `problem`.
    """
    with open_file() as file:
        lines = _Lines(path, file, layout.encoding)
        yield from (_csv_rows if layout.format == "csv" else _json_rows)(path, lines, layout)


class _Lines:
    """The lines of a file with their ends. Attributes: count, of those given out."""

    def __init__(self, path: str, file: io.BufferedReader, encoding: str) -> None:
        self._path, self._encoding, self.count = path, encoding, 0
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(MAX_ROW + 1)
        except UnicodeError as error:
            raise self._damaged(self._line_of(error), f"no text in {self._encoding}") from error
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) > MAX_ROW:
            raise self._damaged(self.count, f"longer than {MAX_ROW} characters")
        if "\0" in line:
            raise self._damaged(self.count, "it has a NUL")
        return line

    def _line_of(self, error: UnicodeError) -> int:
        before = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
        return self.count + 1 + before.count(b"\n")

    def _damaged(self, line: int, reason: str) -> UnreadableRow:
        return UnreadableRow(self._path, f"line {line}: {reason}")


def _parsed(
    path: str, lines: _Lines, delimiter: str, first: str | None = None
) -> Iterator[tuple[list[str], int]]:
    """Yield the rows of a CSV, blank ones too, each with the line where it begins."""
    source: Iterable[str] = lines if first is None else _with_first(first, lines)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield cells, line
            line = reader.line_num + 1
    except csv.Error as error:
        reason = f"line {line}: the row that begins there is no CSV ({error}); is a quote not closed?"
        raise UnreadableRow(path, reason) from error


def _csv_rows(path: str, lines: _Lines, layout: Layout) -> Iterator[Row]:
    parsed, width, row = _parsed(path, lines, layout.delimiter), len(layout.header), 0
    next(parsed, None)
    for cells, line in parsed:
        if not cells:
            continue
        row += 1
        if len(cells) == width:
            yield Row(row, line, cells)
        else:
            yield Row(row, line, cells, f"it has {len(cells)} cells, the header has {width}")


def _with_first(first: str, lines: _Lines) -> Iterator[str]:
    yield first
    yield from lines


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
        pairs = _pairs(line)
    except ValueError as error:
        raise BadHeader(path, f"line 1 is no JSON object: {str(error)[:200]}") from None
    return _header(path, [name for name, _ in pairs])


def _json_rows(_path: str, lines: _Lines, layout: Layout) -> Iterator[Row]:
    row = 0
    for line in lines:
        if not line.strip():
            continue
        row += 1
        try:
            yield Row(row, lines.count, _cells(line, layout.header))
        except ValueError as error:
            yield Row(row, lines.count, [line[:300].strip()], str(error)[:200])


def _cells(line: str, header: Sequence[str]) -> list[str]:
    pairs = [(name.strip(), value) for name, value in _pairs(line)]
    cells = {name: _cell(name, value) for name, value in pairs}
    if len(cells) < len(pairs):
        raise ValueError("a name stands there twice")
    if stray := cells.keys() - header:
        raise ValueError(f"the first row has no {safe_repr(min(stray))}")
    return [cells.get(name, "") for name in header]


def _pairs(line: str) -> list[tuple[str, Any]]:
    try:
        pairs = json.loads(
            line, parse_int=str, parse_float=str, parse_constant=_refuse, object_pairs_hook=_Pairs
        )
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(pairs, _Pairs):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a reason like any
    return pairs


class _Pairs(list[tuple[str, Any]]):
    """The names and values of a JSON object, as they stand there."""


def _refuse(text: str) -> str:
    raise ValueError(f"{text} is no number of JSON")


def _cell(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{safe_repr(name)} is neither a text nor a number, true, false or null")  # noqa: TRY004
    if "\0" in value or len(value) > MAX_CELL:
        raise ValueError(f"{safe_repr(name)} has a NUL, or more than {MAX_CELL} characters")
    value.encode()  # half a surrogate pair cannot be sent
    return value
