"""Days of counters in short notation, and the steps that a report's run takes with them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

from include.clickhouse.client import ClickHouse, NativeClient, insert_rows
from include.clickhouse.schema import migrate
from include.phrase_views.report import (
    ComputedReport,
    PublishedReport,
    check_report,
    compute_report,
    publish_report,
    read_report,
)
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest
from tests.servers.clickhouse import running_clickhouse

DAY = date(2026, 8, 20)
OTHER_DAY = DAY - timedelta(days=1)
NOW = datetime(2026, 8, 21, 0, 15, tzinfo=UTC)
COLUMNS = ("campaign_id", "phrase", "views", "dt")
Counter = tuple[int, str, int, datetime]


@contextmanager
def migrated_server(time_zone: str) -> Iterator[ClickHouse]:
    """A server of its own in a time zone, with the project's tables."""
    with running_clickhouse(time_zone) as server:
        user, password = server.user, server.password
        with NativeClient(
            "n", server.host, server.port, "default", user=user, password=password
        ) as connection:
            migrate(connection)
            yield connection


def emptied(clickhouse: ClickHouse) -> ClickHouse:
    """Empty what reports read and write."""
    for table in ("phrases_views", "phrases_views_by_hour", "loads", *staging_tables(clickhouse)):
        clickhouse.execute(f"{'DROP' if '__stg_' in table else 'TRUNCATE'} TABLE {table}")
    return clickhouse


def counters(text: str, phrase: str = "a phrase", campaign_id: int = 7, day: date = DAY) -> list[Counter]:
    """Return what `-1/23:50=100 00:10=103` says: views at times of the day (UTC), or of days around it."""
    found = []
    for around, at, views in re.findall(r"(?:([+-]\d)/)?([\d:]+)=(-?\d+)", text):
        instant = datetime.combine(day + timedelta(days=int(around or 0)), time.fromisoformat(at), UTC)
        found.append((campaign_id, phrase, int(views), instant))
    assert len(found) == len(text.split())
    return found


def insert(clickhouse: ClickHouse, rows: Iterable[Counter]) -> None:
    """Insert counters as one block."""
    insert_rows(clickhouse, "phrases_views", COLUMNS, [list(rows)])


def ask(*campaign_ids: int, day: date = DAY, **params: str) -> PhraseViewsRequest:
    """Return a request for the day; without campaigns, for all."""
    return PhraseViewsRequest(campaign_ids=campaign_ids, day=day, **params)


def publish(
    clickhouse: ClickHouse,
    request: PhraseViewsRequest,
    computed: ComputedReport,
    run_id: str = "run 1",
    now: datetime = NOW,
    **how,
) -> PublishedReport:
    """Publish without waiting for the server to clean up: 18.16 takes 10 s for it."""
    return publish_report(
        clickhouse, request, computed, run_id, "publish", now=lambda: now, old_parts_wait_s=0, **how
    )


def run(
    clickhouse: ClickHouse, request: PhraseViewsRequest, run_id: str = "run 1", now: datetime = NOW
) -> list[ReportRow]:
    """Do what a run does: compute, publish, check; return what readers see of the day."""
    computed = compute_report(clickhouse, request, run_id, "report")
    published = publish(clickhouse, request, computed, run_id, now)
    rows = list(read_report(clickhouse, request.day))
    assert check_report(clickhouse, request, published, run_id) == published.rows == len(rows)
    return rows


def hours_of(rows: Iterable[ReportRow]) -> list[tuple]:
    """Return (hour, views, flag, ...) of rows in order of time."""
    return [(row.hour, row.views, *row.flags) for row in sorted(rows, key=lambda row: row.hour_start)]


def staging_tables(clickhouse: ClickHouse) -> list[str]:
    """Return what is left of staging."""
    return [name for (name,) in clickhouse.execute("SHOW TABLES") if "__stg_" in name]
