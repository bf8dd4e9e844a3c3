"""Computes the views that each phrase gained in each hour of a day.

What the numbers mean:

- A gain is the difference of two neighbouring samples of a phrase; of the first sample of the day, to the
  last one of the LOOKBACK before it. Where there is none, it gains nothing and its hour is `partial`.
- A counter that falls below half of its neighbour was reset: its new value is the gain, and the hour is
  flagged `reset`, as Prometheus does it with all that fall
  (https://prometheus.io/docs/prometheus/latest/querying/functions/#increase), and as `falls` `reset` does.
- One that falls less was corrected, or two replicas are read in turn: it gains nothing before it is above its
  highest value since the last reset, RECENT before the day included, and its hour is flagged `corrected`.
- After GAP without a sample the whole gain is in the hour of the next sample, flagged `gap`.
- A sample stamped on the hour belongs to the hour it begins (hour_rule `sample`) or to the one it ends
  (`closing`); then the last one of a day is stamped 00:00 of the next. An hour ends where the next one
  begins, also where clocks change on the half hour. A counter below zero counts as zero.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.errors import DayMismatch, Refused
from include.clickhouse.staging_tables import create_staging_table
from include.phrase_views.hours import steps
from include.phrase_views.request import PhraseViewsRequest
from include.staging.tables import StagedTable
from include.text import shown_text, text_of

log = logging.getLogger(__name__)

LOOKBACK = timedelta(days=7)
GAP = timedelta(hours=1)
RECENT = timedelta(hours=1)  # before the day: a dip at midnight is read as any other
RESET_BELOW = {"correct": 2, "reset": 1}  # a value that so many times is less than the one before is a reset
NEXT_STEP = "clear task report with all after it"
BY_HOUR = StagedTable(
    name="phrases_views_by_hour",
    columns={
        "date": "Date",
        "campaign_id": "Int32",
        "phrase": "String",
        "hour": "UInt8",
        "views": "Int64",
        "flags": "String",
        "hour_start": "DateTime('UTC')",
        "time_zone": "String",
        "hour_rule": "String",
        "falls": "String",
    },
    key=("campaign_id", "phrase", "hour_start"),
)
REPORT_SQL, CONSERVATION_SQL = (
    Path(__file__).with_name(f"{name}.sql") for name in ("report", "conservation")
)
COLUMNS = ", ".join(map(quoted, BY_HOUR.columns))
_THROWN = 395  # by throwIf
_FLAGS = ("corrected", "gap", "partial", "reset")
# The sets 1 to 15 of them, as the column has them: the flag n is in those whose number has the bit n.
_FLAG_SETS = [",".join(flag for n, flag in enumerate(_FLAGS) if number >> n & 1) for number in range(1, 16)]


def insert_report(clickhouse: ClickHouse, request: PhraseViewsRequest, table: str) -> None:
    """Compute the rows of the campaigns asked for into `table`, a staging table that is empty.

    FINAL takes longer than all the rest, in 18.16 in one thread. So counters are read without it: a sample
    that is there twice changes nothing, unless its rows have other views. Then the query throws, and is made
    again with FINAL, which tells the row that counts.
    """
    insert = f"INSERT INTO {quoted(table)} ({COLUMNS}) {REPORT_SQL.read_text()}"
    params = bound_params(request)
    try:
        clickhouse.execute(insert, params)
    except Refused as error:
        if error.code != _THROWN:
            raise
        log.info("%s: corrected samples are not merged yet: reading them with FINAL", clickhouse.where)
        create_staging_table(clickhouse, BY_HOUR.name, table)  # some rows came before the error
        clickhouse.execute(with_final(insert), params)


def with_final(query: str) -> str:
    """Return the query of report.sql that reads with FINAL, and throws nothing."""
    return query.replace("FROM phrases_views\n", "FROM phrases_views FINAL\n").replace("throwIf(", "ignore(")


def check_conservation(
    clickhouse: ClickHouse, request: PhraseViewsRequest, source: str = BY_HOUR.name
) -> None:
    """Require of each phrase that its hours in table `source` add up to what its counters gained.

    Raises: DayMismatch, which names a campaign, a phrase and both sums.
    """
    query = CONSERVATION_SQL.read_text().replace(f"FROM {BY_HOUR.name}", f"FROM {quoted(source)}")
    wrong = clickhouse.execute(query, bound_params(request))
    if wrong:
        campaign_id, phrase, counted, reported = wrong[0]
        reason = (
            f"the hours of campaign {campaign_id}, phrase {shown_text(text_of(phrase))!r} add up to "
            f"{reported} views, but its counters gained {counted} (at least {len(wrong)} such phrases). "
            "Did counters of this day come in since?"
        )
        raise DayMismatch(clickhouse.where, source, request.day, reason, NEXT_STEP)


def bound_params(request: PhraseViewsRequest) -> dict[str, object]:
    """Return the params of the SQL: instants as seconds since 1970, the hour of each step."""
    step_s, of_steps = steps(request.day, request.time_zone)
    # A sample on the mark belongs to the hour before: as if each were stamped a second earlier.
    shift = 1 if request.hour_rule == "closing" else 0
    first_stamp = int(of_steps[0].start.timestamp()) + shift
    return {
        "day": request.day.isoformat(),
        "time_zone": request.time_zone,
        "hour_rule": request.hour_rule,
        "falls": request.falls,
        "flag_numbers": list(range(1, 16)),
        "flag_sets": _FLAG_SETS,
        "reset_below": RESET_BELOW[request.falls],
        "hours": [0, *(hour.hour for hour in of_steps)],  # of step 1, before the day, and of the day's
        "hour_starts": [0, *(int(hour.start.timestamp()) for hour in of_steps)],
        "step_s": step_s,
        "gap_s": int(GAP.total_seconds()),
        "lookback_stamp": first_stamp - int(LOOKBACK.total_seconds()),
        "recent_stamp": first_stamp - int(RECENT.total_seconds()),
        "first_stamp": first_stamp,
        "end_stamp": first_stamp + step_s * len(of_steps),
        "all_campaigns": int(not request.campaign_ids),
        "campaign_ids": request.campaign_ids or (0,),  # an empty list is no SQL
    }
