r"""Lines -> rows of the table phrases_views, or the reason why a line is none.

A block of lines is read at once, column by column. Where anything in it is wrong, line by line: that tells
which line it is, and why. A row is a line of a staged part, as COPY writes it:

    7	buy a dress	100	1787226600
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Annotated, NamedTuple

from pydantic import ConfigDict, GetPydanticSchema, TypeAdapter
from pydantic_core import core_schema, from_json
from typing_extensions import TypedDict

from include.inbox.errors import BadHeader
from include.inbox.lines import MAX_LINE_BYTES, Block, Line
from include.phrase_views.counters.cells import (
    INT32,
    MAX_PHRASE,
    read_campaign,
    read_dt,
    read_phrase,
    read_views,
)
from include.text import safe_repr

COLUMNS = ("campaign_id", "phrase", "views", "dt")
_MAX_KNOWN = 100_000  # texts of a column whose value is remembered: other samples have the same ones
_MAX_KNOWN_LENGTH = 100
_NO_SEPARATOR = bytes(set(range(256)) - set(b',\n"\r'))
_SEPARATORS = b",,,\n"  # of a line of CSV
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Most numbers of most files; what else may be one is looked at closely.
_PLAIN_NUMBERS = re.compile("(?:(?:0|[1-9][0-9]{0,8}),)*+")

Cells = tuple[str, str, str, str]


class Reject(NamedTuple):
    """A line that is no row. Attributes: line, its number from 1; reason; text, cut."""

    line: int
    reason: str
    text: str


class Rows(NamedTuple):
    """Rows.

    Attributes: lines, of a part, without their ends; samples, a hash of each one's campaign, phrase and
    instant; instants, in seconds since 1970, each once.
    """

    lines: list[bytes]
    samples: list[int]
    instants: set[str]


class ParsedBlock(NamedTuple):
    """The rows and mistakes of a block of lines.

    Attributes: block; rows; numbers, of their lines; rejects; blank, a number of lines.
    """

    block: Block
    rows: Rows
    numbers: Sequence[int]
    rejects: list[Reject]
    blank: int


def parse_ndjson(blocks: Iterable[Block]) -> Iterator[ParsedBlock]:
    """Yield what the blocks hold: a JSON object on each line, with exactly the four columns."""
    columns = _Columns()
    for block in blocks:
        yield _all_at_once(block, columns.of_ndjson) or _one_by_one(block, columns.cells_of_ndjson)


def parse_csv(path: str, blocks: Iterable[Block]) -> Iterator[ParsedBlock]:
    """Yield what the blocks hold after the header. A quoted value ends on the line it began.

    Raises: BadHeader where the first line does not name each of the four columns once, in any order.
    """
    source = iter(blocks)
    first = next(source, Block(1, b""))
    header, more, rest = first.data.partition(b"\n")
    columns = _Columns(_read_header(path, header[:MAX_LINE_BYTES]))
    for block in chain([Block(first.first + 1, rest)] if more else [], source):
        yield _all_at_once(block, columns.of_csv) or _one_by_one(block, columns.cells_of_csv)


def cells(line: bytes) -> list[bytes]:
    """Return the values of a row: campaign, phrase, views, instant."""
    return line.split(b"\t")


class _Known(dict[str, str]):
    """The values of a column's texts, as a part has them; each text is checked when it is first seen."""

    def __init__(self, read: Callable[[object], int]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> str:
        value = str(self._read(text))
        if len(self) >= _MAX_KNOWN:
            self.clear()
        if len(text) <= _MAX_KNOWN_LENGTH:
            self[text] = value
        return value


def _digits(least: int) -> core_schema.CoreSchema:
    """As read_views(), many at once: pydantic alone takes "1_0" and True for numbers."""
    pattern = r"^[0-9]{1,10}(\.0{1,40})?$"
    return core_schema.chain_schema(
        [
            core_schema.str_schema(pattern=pattern, coerce_numbers_to_str=True, strict=False),
            core_schema.int_schema(ge=least, le=INT32, strict=False),
        ]
    )


def _number_or_digits(least: int) -> core_schema.CoreSchema:
    number = core_schema.int_schema(ge=least, le=INT32, strict=True)  # several times faster
    return core_schema.union_schema([number, _digits(least)], mode="left_to_right")


class _JsonRow(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    campaign_id: Annotated[int, GetPydanticSchema(lambda *_: _number_or_digits(1))]
    phrase: str
    views: Annotated[int, GetPydanticSchema(lambda *_: _number_or_digits(0))]
    dt: str


_VIEWS: TypeAdapter[list[int]] = TypeAdapter(list[Annotated[int, GetPydanticSchema(lambda *_: _digits(0))]])
_QUOTES = 2 * len(COLUMNS) + 4  # of an object with each name once: around names and the two texts
_TEXT_FOR_NUMBER = re.compile(rb'"(?:campaign_id|views)"\s*:\s*"')  # two quotes more
_UNREAD_NUMBER = re.compile(rb'"(campaign_id|views)"\s*:\s*[1-9][0-9]{4300}')  # JSON, yet no parser takes it
_JSON_ROWS = TypeAdapter(list[_JsonRow])


class _Columns:
    """Reads rows, many at once or one. All methods raise ValueError or csv.Error where there is any fault."""

    def __init__(self, order: Sequence[int] = range(len(COLUMNS))) -> None:
        self._order = order
        self._campaigns, self._instants = _Known(read_campaign), _Known(read_dt)

    def of_csv(self, block: Block) -> Rows:
        values = _csv_columns(block)
        campaigns, phrases, views, instants = (values[place] for place in self._order)
        return _rows(
            list(map(self._campaigns.__getitem__, campaigns)),
            _checked_phrases(phrases),
            _checked_views(views),
            list(map(self._instants.__getitem__, instants)),
        )

    def cells_of_csv(self, line: bytes) -> Cells:
        try:
            (values,) = csv.reader([line.decode()], strict=True)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"no line of CSV in UTF-8: {error}") from None
        if len(values) != len(COLUMNS):
            raise ValueError(f"{len(values)} values; taken are {len(COLUMNS)}, as in the first line")
        campaign, phrase, views, dt = (values[place] for place in self._order)
        return self._campaigns[campaign], read_phrase(phrase), str(read_views(views)), self._instants[dt]

    def of_ndjson(self, block: Block) -> Rows:
        lines = block.data.count(b"\n") + 1
        # So each object has a line of its own: no object holds another, no text holds a line end.
        begun = block.data.count(b"\n{") + block.data.startswith(b"{")
        rows = _JSON_ROWS.validate_json(b"[" + block.data.replace(b"\n", b"\n,") + b"]")
        if not lines == begun == len(rows):
            raise ValueError
        if _has_more_quotes(block.data, lines):
            for line in block.data.split(b"\n"):
                _refuse_repeated_names(line)
        return _rows(
            [str(row["campaign_id"]) for row in rows],
            _checked_phrases([row["phrase"] for row in rows]),
            [str(row["views"]) for row in rows],
            [self._instants[row["dt"]] for row in rows],
        )

    def cells_of_ndjson(self, line: bytes) -> Cells:
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            if found := _UNREAD_NUMBER.search(line):
                column = found[1].decode()
                raise ValueError(f"{column}: more than 4300 digits, so it is above {INT32}") from None
            raise ValueError(f"no JSON: {error}") from None
        _require_names(row)
        _refuse_repeated_names(line)
        campaign, phrase, views, dt = (row[column] for column in COLUMNS)
        return str(read_campaign(campaign)), read_phrase(phrase), str(read_views(views)), str(read_dt(dt))


def _csv_columns(block: Block) -> Sequence[Sequence[str]]:
    text = block.data.decode()
    separators = block.data.translate(None, _NO_SEPARATOR) + b"\n"
    # No quote: several times faster than the csv module.
    if separators == _SEPARATORS * (len(separators) // len(_SEPARATORS)):
        values = text.replace("\n", ",").split(",")
        return [values[place :: len(COLUMNS)] for place in range(len(COLUMNS))]
    rows = list(csv.reader(text.split("\n"), strict=True))
    # A quote that stays open joins lines, so there are fewer rows than lines.
    if len(rows) != block.data.count(b"\n") + 1 or set(map(len, rows)) != {len(COLUMNS)}:
        raise ValueError
    return list(zip(*rows, strict=True))


def _checked_views(texts: Sequence[str]) -> Sequence[str]:
    """Return views as a part has them. Raises: ValueError, also for what read_views() takes."""
    if _PLAIN_NUMBERS.fullmatch(",".join([*texts, ""])):
        return texts
    return list(map(str, _VIEWS.validate_python(list(texts))))


def _checked_phrases(phrases: Sequence[str]) -> Sequence[str]:
    """Return phrases, all of which read_phrase() takes. Raises: ValueError."""
    if max(map(len, phrases)) > MAX_PHRASE or "" in phrases or any(map(str.isspace, phrases)):
        raise ValueError
    together = "".join(phrases)
    if not together.isprintable() and _CONTROL.search(together):  # the first is several times faster
        raise ValueError
    return phrases


def _rows(
    campaigns: Sequence[str], phrases: Sequence[str], views: Sequence[str], instants: Sequence[str]
) -> Rows:
    """Write checked values as lines."""
    samples = list(map(hash, zip(campaigns, phrases, instants, strict=True)))
    if "\\" in "".join(phrases):  # all that COPY escapes and a phrase may have
        phrases = [phrase.replace("\\", r"\\") for phrase in phrases]
    text = "\n".join(map("\t".join, zip(campaigns, phrases, views, instants, strict=True)))
    return Rows(text.encode().split(b"\n"), samples, set(instants))


def _require_names(row: object) -> None:
    if not isinstance(row, dict):
        raise ValueError(f"{safe_repr(row)} is no JSON object")  # noqa: TRY004 - a reason like any
    missing = [column for column in COLUMNS if column not in row]
    others = [name for name in row if name not in COLUMNS]
    if missing:
        raise ValueError(f"{', '.join(missing)}: missing; taken are {', '.join(COLUMNS)}")
    if others:
        raise ValueError(f"{safe_repr(others[0])} is no column; taken are {', '.join(COLUMNS)}")


def _has_more_quotes(data: bytes, objects: int) -> bool:
    """Return whether `data` has more quotes than so many objects have, where each has each name once."""
    more = data.count(b'"') - _QUOTES * objects
    return more != 0 and more != 2 * len(_TEXT_FOR_NUMBER.findall(data))


def _refuse_repeated_names(line: bytes) -> None:
    """Raise ValueError for an object that has a name twice: of two values one would be lost, unseen."""
    if not _has_more_quotes(line, 1):
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


def _all_at_once(block: Block, parse: Callable[[Block], Rows]) -> ParsedBlock | None:
    """Return the rows of a block without any fault, else None: who is at fault is found line by line."""
    try:
        rows = parse(block)  # no line that is too long: its values would be
    except (ValueError, csv.Error):
        return None
    return ParsedBlock(block, rows, range(block.first, block.first + len(rows.lines)), [], 0)


def _one_by_one(block: Block, parse: Callable[[bytes], Cells]) -> ParsedBlock:
    found, numbers, rejects, blank = list[Cells](), [], [], 0
    for line in block.lines():
        if not line.too_long and not line.data.strip():
            blank += 1
            continue
        try:
            if line.too_long:
                raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")  # noqa: TRY301 - a reason like any
            found.append(parse(line.data))
            numbers.append(line.number)
        except (ValueError, csv.Error) as error:
            rejects.append(rejected(line, str(error)))
    rows = _rows(*zip(*found, strict=True)) if found else Rows([], [], set())
    return ParsedBlock(block, rows, numbers, rejects, blank)


def rejected(line: Line, reason: str) -> Reject:
    """Return the record of a line that is no row, with the beginning of the reason and of its text."""
    return Reject(line.number, reason[:200], line.data[:300].decode(errors="backslashreplace"))
