"""One row of the report, as the table `phrases_views_by_hour` keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class ReportRow(NamedTuple):
    """The views that a phrase gained in an hour.

    Attributes: campaign_id; phrase, as include.text.text_of() has it; hour, local in time_zone, 0 to 23;
    views, 0 only where there is a flag; flags, of corrected, gap, partial, reset, sorted; hour_start, the
    hour's first instant (UTC, aware); time_zone and hour_rule, by which the day was cut into hours; falls,
    how counters that fell were read.
    """

    campaign_id: int
    phrase: str
    hour: int
    views: int
    flags: tuple[str, ...]
    hour_start: datetime
    time_zone: str
    hour_rule: str
    falls: str
