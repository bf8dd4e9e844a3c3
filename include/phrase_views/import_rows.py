"""Lines -> rows of the table phrases_views, or the reason why a line is none."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, NamedTuple

from pydantic import Field, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema, from_json

from include.phrase_views.import_errors import BadHeader
from include.phrase_views.import_lines import MAX_LINE_BYTES, Line

COLUMNS = ("campaign_id", "phrase", "views", "dt")
MAX_PHRASE = 1_000  # characters
_BATCH = 1_000  # lines: the fast way is tried on all of them at once
_INT32 = 2**31 - 1
# A control character would break the report's tab-separated lines.
_PHRASE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$"
_NAIVE_LENGTH = len("2026-08-20 11:50:00")

CounterRow = tuple[int, str, int, datetime]


class Reject(NamedTuple):
    """A line that is no row. Attributes: line, its number from 1; reason; text, cut."""

    line: int
    reason: str
    text: str


class Found(NamedTuple):
    """What a batch of lines held. Attributes: rows with their lines; rejects; blank, a number of lines."""

    rows: list[tuple[Line, CounterRow]]
    rejects: list[Reject]
    blank: int


def _written(pattern: str, then: CoreSchema) -> GetPydanticSchema:
    """Text of exactly this form, then its value: pydantic alone takes "1.0" and "1_0" for numbers."""
    return GetPydanticSchema(
        lambda _kind, _handler: core_schema.chain_schema([core_schema.str_schema(pattern=pattern), then])
    )


_Phrase = Annotated[str, Field(max_length=MAX_PHRASE, pattern=_PHRASE)]
_Instant = Annotated[
    datetime,
    _written(
        _INSTANT,
        core_schema.datetime_schema(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2106, 1, 1, tzinfo=UTC)),
    ),
]


def _digits(least: int) -> Any:
    return Annotated[int, _written("^[0-9]{1,10}$", core_schema.int_schema(ge=least, le=_INT32))]


_CSV_ROW: Any = tuple[_digits(1), _Phrase, _digits(0), _Instant]  # type: ignore[misc]
_CSV: TypeAdapter[CounterRow] = TypeAdapter(_CSV_ROW)
_CSV_BATCH: TypeAdapter[list[CounterRow]] = TypeAdapter(list[_CSV_ROW])
_JSON: TypeAdapter[CounterRow] = TypeAdapter(
    tuple[
        Annotated[int, Field(strict=True, ge=1, le=_INT32)],
        Annotated[str, Field(strict=True, max_length=MAX_PHRASE, pattern=_PHRASE)],
        Annotated[int, Field(strict=True, ge=0, le=_INT32)],
        _Instant,
    ]
)


def parse_ndjson(lines: Iterable[Line]) -> Iterator[Found]:
    """Yield batches of what the lines hold: a JSON object each, with exactly the four columns."""
    source = iter(lines)
    while batch := list(islice(source, _BATCH)):
        yield _one_by_one(batch, _json_row)


def parse_csv(path: str, lines: Iterable[Line]) -> Iterator[Found]:
    """Yield batches of what the lines after the header hold. A quoted value ends on the line it began.

    Raises: BadHeader where the first line does not name each of the four columns once, in any order.
    """
    source = iter(lines)
    order = _read_header(path, next(source, Line(1, b"")))

    def row(data: bytes) -> CounterRow:
        (values,) = csv.reader([data.decode()], strict=True)
        if len(values) != len(COLUMNS):
            raise ValueError(f"{len(values)} values, expected {len(COLUMNS)}")
        return _CSV.validate_python(_in_order(values, order))

    while batch := list(islice(source, _BATCH)):
        yield _all_at_once(batch, order) or _one_by_one(batch, row)


def _read_header(path: str, line: Line) -> tuple[int, ...]:
    try:
        names = [name.strip() for name in next(csv.reader([line.data.decode()], strict=True), [])]
    except (ValueError, csv.Error) as error:
        raise BadHeader(path, f"the first line cannot be read as CSV in UTF-8: {error}") from error
    if sorted(names) != sorted(COLUMNS):
        shown = ascii(",".join(names))[:200]
        raise BadHeader(path, f"the first line is {shown}, needed is {','.join(COLUMNS)} in any order")
    return tuple(names.index(column) for column in COLUMNS)


def _in_order(values: Sequence[str], order: tuple[int, ...]) -> tuple[str, str, str, str]:
    campaign, phrase, views, dt = (values[place] for place in order)
    return campaign, phrase, views, _as_utc(dt)


def _as_utc(dt: str) -> str:
    return dt + "Z" if len(dt) == _NAIVE_LENGTH else dt


def _all_at_once(lines: Sequence[Line], order: tuple[int, ...]) -> Found | None:
    """Return the rows of a batch without any fault, else None: who is at fault is found line by line."""
    if any(line.too_long for line in lines):
        return None
    a, b, c, d = order
    try:
        values = list(csv.reader((line.data.decode() for line in lines), strict=True))
        # A quote that stays open joins lines, so there are fewer rows than lines.
        if len(values) != len(lines) or set(map(len, values)) != {len(COLUMNS)}:
            return None
        rows = _CSV_BATCH.validate_python([(v[a], v[b], v[c], _as_utc(v[d])) for v in values])
    except (ValueError, csv.Error):
        return None
    return Found(list(zip(lines, rows, strict=True)), [], 0)


def _one_by_one(lines: Sequence[Line], parse: Any) -> Found:
    found, blank = Found([], [], 0), 0
    for line in lines:
        if not line.too_long and not line.data.strip():
            blank += 1
            continue
        try:
            if line.too_long:
                raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")  # noqa: TRY301 - a reason like any
            found.rows.append((line, parse(line.data)))
        except (ValueError, csv.Error) as error:
            found.rejects.append(reject(line, _reason(error)))
    return found._replace(blank=blank)


def _json_row(data: bytes) -> CounterRow:
    value = from_json(data)
    if not isinstance(value, dict) or sorted(value) != sorted(COLUMNS):
        raise ValueError(f"not a JSON object with exactly {', '.join(COLUMNS)}")
    dt = value["dt"]
    values = (
        value["campaign_id"],
        value["phrase"],
        value["views"],
        _as_utc(dt) if isinstance(dt, str) else dt,
    )
    return _JSON.validate_python(values)


def reject(line: Line, reason: str) -> Reject:
    """Return the record of a line that is no row; of its text the first 300 bytes."""
    return Reject(line.number, reason, line.data[:300].decode(errors="backslashreplace"))


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{COLUMNS[int(first['loc'][0])]}: {first['msg']}"[:200]
