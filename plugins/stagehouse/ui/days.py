"""Walking through days that need not be consecutive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple


class Neighbours(NamedTuple):
    """The days beside one that is shown, None where there is none. Attributes: older, newer."""

    older: date | None
    newer: date | None


def neighbours(days: Sequence[date], shown: date) -> Neighbours:
    """Return the nearest days of `days` (in any order) before and after `shown`."""
    return Neighbours(
        older=max((day for day in days if day < shown), default=None),
        newer=min((day for day in days if day > shown), default=None),
    )
