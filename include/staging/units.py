"""Units: what a run publishes in one step, the name it is recorded by, and where its rows belong."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, NamedTuple

from pydantic import Field, StrictInt, StrictStr

UnitName = date | str  # a day, or a text for another unit: an hour, a range of offsets, a snapshot
PartitionValue = int | str  # numbers, and instants as Unix seconds; texts, and days as YYYY-MM-DD

# Both are text of a manifest and become SQL: no more than these forms.
UNIT_NAME = r"^[A-Za-z0-9 _.,:;/+=@#()\[\]-]{1,250}$"
StorablePartition = (
    Annotated[StrictInt, Field(ge=-(2**63), lt=2**64)] | Annotated[StrictStr, Field(max_length=250)]
)
_COLUMN = "[A-Za-z_][A-Za-z0-9_]{0,62}"
PARTITION_BY = rf"^({_COLUMN}|to[A-Z][A-Za-z]{{0,30}}\({_COLUMN}\)|intDiv\({_COLUMN},[1-9][0-9]{{0,18}}\))$"


class Unit(NamedTuple):
    """The unit that is published in one step.

    Attributes: name, by which it is recorded; day that it belongs to (UTC); partition: the value that the
    PARTITION BY of a table has in all rows of the unit, None where rows are only upserted.
    """

    name: UnitName
    day: date
    partition: PartitionValue | None = None

    @classmethod
    def of_day(cls, day: date) -> Unit:
        """Return the unit that is a day."""
        return cls(day, day, day.isoformat())


def partition_column(partition_by: str) -> str:
    """Return the column of a PARTITION BY of the form above."""
    return re.split(r"[(),]", partition_by)[partition_by.count("(")]


def partition_sql(partition_by: str) -> str:
    """Return a PARTITION BY of the form above, with its column in backquotes."""
    function, bracket, rest = partition_by.rpartition("(")
    column = partition_column(partition_by)
    return f"{function}{bracket}`{column}`{rest[len(column) :]}"
