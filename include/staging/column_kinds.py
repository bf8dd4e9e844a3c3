"""The kinds of columns that rows can be staged for, and what fits each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta
from pydantic import AfterValidator, AwareDatetime, Field


def _as_kept(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=0) if moment.microsecond else moment  # replace() is slow


@dataclass(frozen=True)
class ColumnKind:
    """A kind.

    Attributes: checked, a type for pydantic, which says what does not fit; decoded, one for msgspec, which
    is faster; bounds of its values, the upper one excluded, where msgspec knows none.
    """

    checked: Any
    decoded: Any
    bounds: tuple[Any, Any] | None = None


def _whole_number(low: int, high: int) -> ColumnKind:
    checked = Annotated[int, Field(ge=low, lt=high)]
    if high > 2**63:
        return ColumnKind(checked, Annotated[int, Meta(ge=low)], (low, high))
    return ColumnKind(checked, Annotated[int, Meta(ge=low, le=high - 1)])


# Outside these bounds a server of 2018 stores 0000-00-00 or wraps around, without a word.
_DAYS = date(1970, 1, 1), date(2106, 1, 1)
_INSTANTS = datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)
StorableDay = Annotated[date, Field(ge=_DAYS[0], lt=_DAYS[1])]
_Instant = Annotated[AwareDatetime, Field(ge=_INSTANTS[0], lt=_INSTANTS[1]), AfterValidator(_as_kept)]
_Text = Annotated[str, Field(min_length=0)]  # measuring it, pydantic finds text that is no UTF-8

NDJSON_KINDS = {
    "Date": ColumnKind(StorableDay, date, _DAYS),
    "DateTime('UTC')": ColumnKind(_Instant, Annotated[datetime, Meta(tz=True)], _INSTANTS),
    "String": ColumnKind(_Text, str),
    **{f"UInt{bits}": _whole_number(0, 2**bits) for bits in (8, 16, 32, 64)},
    **{f"Int{bits}": _whole_number(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32, 64)},
}
# What a part in the form of text may hold beside these; the file of a JSON array has no text for them yet.
_NOT_NULL = NDJSON_KINDS | {"UUID": ColumnKind(UUID, UUID), "Float64": ColumnKind(float, float)}
COLUMN_KINDS = _NOT_NULL | {
    f"Nullable({name})": ColumnKind(kind.checked | None, kind.decoded | None, kind.bounds)
    for name, kind in _NOT_NULL.items()
}

# What a table may have whose rows ClickHouse computes: no file has a text for the others.
COMPUTED_KINDS = frozenset({*_NOT_NULL, "Decimal(18,2)"})


def without_null(kind: str) -> str:
    """Return `X` for `Nullable(X)`, and any other kind as it is."""
    return kind[len("Nullable(") : -1] if kind.startswith("Nullable(") else kind
