"""Lines -> rows of the table phrases_views, or the reason why a line is none.

A block of lines is read at once, column by column. Where anything in it is wrong, line by line: that tells
which line it is, and why.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

from include.inbox.errors import BadHeader
from include.inbox.lines import MAX_LINE_BYTES, Block, Line

COLUMNS = ("campaign_id", "phrase", "views", "dt")
MAX_PHRASE = 1_000  # characters
_MAX_KNOWN = 100_000  # texts of a column whose value is remembered: other samples have the same ones
_MAX_KNOWN_LENGTH = 100
_INT32 = 2**31 - 1
_DT_END = int(datetime(2106, 1, 1, tzinfo=UTC).timestamp())
# A control character would break the report's tab-separated lines.
_PHRASE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_DT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?$"
_NO_SEPARATOR = bytes(set(range(256)) - set(b',\n"\r'))

CounterRow = tuple[int, str, int, int]
T = TypeVar("T")


class Reject(NamedTuple):
    """A line that is no row. Attributes: line, its number from 1; reason; text, cut."""

    line: int
    reason: str
    text: str


class ParsedBlock(NamedTuple):
    """What a block of lines held.

    Attributes: block; rows, (campaign_id, phrase, views, seconds since 1970); numbers, of their lines;
        rejects; blank, a number of lines.
    """

    block: Block
    rows: list[CounterRow]
    numbers: Sequence[int]
    rejects: list[Reject]
    blank: int


def parse_ndjson(blocks: Iterable[Block]) -> Iterator[ParsedBlock]:
    """Yield what the blocks hold: a JSON object on each line, with exactly the four columns."""
    columns = _Columns()
    for block in blocks:
        yield _all_at_once(block, columns.of_ndjson) or _one_by_one(block, columns.row_of_ndjson)


def parse_csv(path: str, blocks: Iterable[Block]) -> Iterator[ParsedBlock]:
    """Yield what the blocks hold after the header. A quoted value ends on the line it began.

    Raises: BadHeader where the first line does not name each of the four columns once, in any order.
    """
    source = iter(blocks)
    first = next(source, Block(1, b""))
    header, more, rest = first.data.partition(b"\n")
    columns = _Columns(_read_header(path, header[:MAX_LINE_BYTES]))
    for block in chain([Block(first.first + 1, rest)] if more else [], source):
        yield _all_at_once(block, columns.of_csv) or _one_by_one(block, columns.row_of_csv)


class _Known(dict[str, T]):
    """The values of a column's texts; each text is checked when it is first seen."""

    def __init__(self, column: str, kind: Any) -> None:
        super().__init__()
        self._column, self._adapter = column, TypeAdapter[T](kind)

    def __missing__(self, text: str) -> T:
        try:
            value = self._adapter.validate_python(text)
        except ValidationError as error:
            raise ValueError(_reason(error, self._column)) from None
        if len(self) >= _MAX_KNOWN:
            self.clear()
        if len(text) <= _MAX_KNOWN_LENGTH:
            self[text] = value
        return value


def _digits(least: int) -> Any:
    """Digits, then their number: pydantic alone takes "1.0" and "1_0" for numbers."""

    def schema(_kind: object, _handler: object) -> CoreSchema:
        text = core_schema.str_schema(pattern="^[0-9]{1,10}$")
        return core_schema.chain_schema([text, core_schema.int_schema(ge=least, le=_INT32)])

    return Annotated[int, GetPydanticSchema(schema)]


def _seconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if not 0 <= seconds < _DT_END:
        raise ValueError("not from 1970 to 2105")
    return seconds


class _JsonRow(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    campaign_id: Annotated[int, Field(ge=1, le=_INT32)]
    phrase: str
    views: Annotated[int, Field(ge=0, le=_INT32)]
    dt: str


_VIEWS: TypeAdapter[list[int]] = TypeAdapter(list[_digits(0)])  # type: ignore[misc,arg-type]
_QUOTES = 2 * len(COLUMNS) + 4  # of an object with each name once: around names and the two texts
_JSON_ROW, _JSON_ROWS = TypeAdapter(_JsonRow), TypeAdapter(list[_JsonRow])


class _Columns:
    """Reads rows, many at once or one. All methods raise ValueError or csv.Error where there is any fault."""

    def __init__(self, order: Sequence[int] = range(len(COLUMNS))) -> None:
        self._order = order
        self._campaigns: _Known[int] = _Known("campaign_id", _digits(1))
        self._phrases: _Known[str] = _Known(
            "phrase", Annotated[str, Field(max_length=MAX_PHRASE, pattern=_PHRASE)]
        )
        self._views: _Known[int] = _Known("views", _digits(0))
        self._instants: _Known[int] = _Known(
            "dt", Annotated[str, Field(pattern=_DT), AfterValidator(_seconds)]
        )

    def of_csv(self, block: Block) -> list[CounterRow]:
        values = _csv_columns(block)
        campaigns, phrases, views, instants = (values[place] for place in self._order)
        return list(
            zip(
                map(self._campaigns.__getitem__, campaigns),
                map(self._phrases.__getitem__, phrases),
                _VIEWS.validate_python(list(views)),
                map(self._instants.__getitem__, instants),
                strict=True,
            )
        )

    def row_of_csv(self, line: bytes) -> CounterRow:
        (values,) = csv.reader([line.decode()], strict=True)
        if len(values) != len(COLUMNS):
            raise ValueError(f"{len(values)} values, expected {len(COLUMNS)}")
        campaign, phrase, views, dt = (values[place] for place in self._order)
        return self._campaigns[campaign], self._phrases[phrase], self._views[views], self._instants[dt]

    def of_ndjson(self, block: Block) -> list[CounterRow]:
        lines = block.data.count(b"\n") + 1
        # So each object has a line of its own: no object holds another, no text holds a line end.
        begun = block.data.count(b"\n{") + block.data.startswith(b"{")
        rows = _JSON_ROWS.validate_json(b"[" + block.data.replace(b"\n", b"\n,") + b"]")
        if not lines == begun == len(rows):
            raise ValueError
        if block.data.count(b'"') != _QUOTES * lines:
            for line in block.data.split(b"\n"):
                _refuse_repeated_names(line)
        return [self._of_json(row) for row in rows]

    def row_of_ndjson(self, line: bytes) -> CounterRow:
        row = _JSON_ROW.validate_json(line)
        _refuse_repeated_names(line)
        return self._of_json(row)

    def _of_json(self, row: _JsonRow) -> CounterRow:
        return row["campaign_id"], self._phrases[row["phrase"]], row["views"], self._instants[row["dt"]]


def _csv_columns(block: Block) -> Sequence[Sequence[str]]:
    text, lines = block.data.decode(), block.data.count(b"\n") + 1
    separators = block.data.translate(None, _NO_SEPARATOR)
    if separators == b"\n".join([b",,,"] * lines):  # no quote: several times faster than the csv module
        values = text.replace("\n", ",").split(",")
        return [values[place :: len(COLUMNS)] for place in range(len(COLUMNS))]
    rows = list(csv.reader(text.split("\n"), strict=True))
    # A quote that stays open joins lines, so there are fewer rows than lines.
    if len(rows) != lines or set(map(len, rows)) != {len(COLUMNS)}:
        raise ValueError
    return list(zip(*rows, strict=True))


def _refuse_repeated_names(line: bytes) -> None:
    """Raise ValueError for an object that has a name twice: of two values one would be lost, unseen."""
    if line.count(b'"') == _QUOTES:
        return
    pairs = json.loads(line, object_pairs_hook=list)
    if len(pairs) != len(COLUMNS):
        raise ValueError("a name stands there twice")


def _read_header(path: str, line: bytes) -> tuple[int, ...]:
    try:
        names = [name.strip() for name in next(csv.reader([line.decode()], strict=True), [])]
    except (ValueError, csv.Error) as error:
        raise BadHeader(path, f"the first line cannot be read as CSV in UTF-8: {error}") from error
    if sorted(names) != sorted(COLUMNS):
        shown = ascii(",".join(names))[:200]
        raise BadHeader(path, f"the first line is {shown}, needed is {','.join(COLUMNS)} in any order")
    return tuple(names.index(column) for column in COLUMNS)


def _all_at_once(block: Block, parse: Callable[[Block], list[CounterRow]]) -> ParsedBlock | None:
    """Return the rows of a block without any fault, else None: who is at fault is found line by line."""
    try:
        rows = parse(block)  # no line that is too long: its values would be
    except (ValueError, csv.Error):
        return None
    return ParsedBlock(block, rows, range(block.first, block.first + len(rows)), [], 0)


def _one_by_one(block: Block, parse: Callable[[bytes], CounterRow]) -> ParsedBlock:
    rows, numbers, rejects, blank = [], [], [], 0
    for line in block.lines():
        if not line.too_long and not line.data.strip():
            blank += 1
            continue
        try:
            if line.too_long:
                raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")  # noqa: TRY301 - a reason like any
            rows.append(parse(line.data))
            numbers.append(line.number)
        except (ValueError, csv.Error) as error:
            rejects.append(rejected(line, _reason(error)))
    return ParsedBlock(block, rows, numbers, rejects, blank)


def rejected(line: Line, reason: str) -> Reject:
    """Return the record of a line that is no row; of its text the first 300 bytes."""
    return Reject(line.number, reason, line.data[:300].decode(errors="backslashreplace"))


def _reason(error: Exception, column: str = "") -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False, include_context=False)[0]
    # A name that is not known is text from outside.
    where = column or ascii(".".join(map(str, first["loc"])))[1:-1][:80] or "line"
    return f"{where}: {first['msg']}"[:200]
