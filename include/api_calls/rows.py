"""The rows of a file, streamed: CSV with a header, or a JSON object a line. Cells are texts, kept exactly."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from include.api_calls.errors import ColumnMissing, UnreadableRow
from include.inbox.errors import BadHeader, ImportFileDamaged
from include.text import safe_repr

DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t"}
MAX_ROW = 1_048_576  # characters of a line
MAX_CELL = 131_072  # characters: what Python's csv reads
MAX_COLUMNS = 1_000
_BLOCK_BYTES = 64 * 1024
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
        lines = iter(_Lines(path, file, encoding))
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


def read_rows(path: str, open_file: OpenFile, layout: Layout) -> Iterator[Row]:
    """Yield the rows of a file, one at a time in memory.

    Raises: ImportFileDamaged for what cannot be cut into rows, by its line; a row of another width than the
    header's has a `problem`.
    """
    with open_file() as file:
        lines = _Lines(path, file, layout.encoding)
        yield from (_csv_rows if layout.format == "csv" else _json_rows)(path, lines, layout)


class _Lines:
    """The lines of a file with their ends, in blocks. Attributes: count, of lines in blocks given out."""

    def __init__(self, path: str, file: io.BufferedReader, encoding: str) -> None:
        self._path, self._file, self.count = path, file, 0
        self._encoding, self._decoder = encoding, codecs.getincrementaldecoder(encoding)()

    def blocks(self) -> Iterator[list[str]]:
        """Yield lines, many at a time; the last one may have no end. Raises: UnreadableRow."""
        rest, ended = "", False
        while not ended:
            data = self._file.read(_BLOCK_BYTES)
            ended = not data
            text = rest + self._decoded(data, rest)
            if "\0" in text:
                line = self.count + 1 + text[: text.index("\0")].count("\n")
                raise self.damaged(line, "it has a NUL")
            whole, newline, rest = ("", "", text) if ended else text.rpartition("\n")
            if len(rest) > MAX_ROW:
                line = self.count + 1 + whole.count("\n") + bool(newline)
                raise self.damaged(line, f"longer than {MAX_ROW} characters")
            if newline:
                lines = [f"{line}\n" for line in whole.split("\n")]
                self.count += len(lines)
                yield lines
        if rest:
            self.count += 1
            yield [rest]

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from block

    def _decoded(self, data: bytes, rest: str) -> str:
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeError as error:
            before = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            line = self.count + 1 + rest.count("\n") + before.count(b"\n")
            raise self.damaged(line, f"no text in {self._encoding}") from error

    def damaged(self, line: int, reason: str) -> UnreadableRow:
        return UnreadableRow(self._path, f"line {line}: {reason}")


def _csv_rows(path: str, lines: Iterable[str], layout: Layout) -> Iterator[Row]:
    width, row = len(layout.header), 0
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    line = 1
    try:
        next(reader, None)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                row += 1
                problem = "" if len(cells) == width else f"it has {len(cells)} cells, the header has {width}"
                yield Row(row, line, cells, problem)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _no_csv(path, line, error) from error


def _header_cells(path: str, first: str, lines: Iterator[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(chain([first], lines), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise _no_csv(path, 1, error) from error


def _no_csv(path: str, line: int, error: csv.Error) -> UnreadableRow:
    reason = f"line {line}: the row that begins there is no CSV ({error}); is a quote not closed?"
    return UnreadableRow(path, reason)


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
        names = [name for name, _ in _pairs(line)]
        "".join(names).encode()  # half a surrogate pair cannot be written
    except ValueError as error:
        raise BadHeader(path, f"line 1 is no JSON object: {str(error)[:200]}") from None
    if any("\0" in name for name in names):
        raise BadHeader(path, "line 1 has a name with a NUL")
    return _header(path, names)


def _json_rows(_path: str, lines: Iterable[str], layout: Layout) -> Iterator[Row]:
    row = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row += 1
        try:
            yield Row(row, number, _cells(line, layout.header))
        except ValueError as error:
            yield Row(row, number, [line[:300].strip()], str(error)[:200])


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
