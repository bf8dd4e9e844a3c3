"""Publishes the report of a day, what gains.py computes; checks it; reads it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from pydantic import BaseModel, ConfigDict

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import connect_to_unit
from include.clickhouse.fingerprint import Fingerprint, expected_fingerprint, fingerprint
from include.clickhouse.loads import record_load, recorded_load
from include.clickhouse.partitions import (
    OLD_PARTS_WAIT_S,
    await_removal_of_old_parts,
    check_published,
    replace_partition,
    require_fingerprint,
    require_recorded,
)
from include.clickhouse.publication import Publication
from include.clickhouse.schema_compat import fingerprint_as_published, has_columns_of
from include.clickhouse.staging_tables import (
    connect_to_staged,
    create_staging_table,
    drop_abandoned_staging_tables,
    drop_staging_tables,
    mark_complete,
    staging_table_name,
    whole_staging_tables,
)
from include.phrase_views.gains import BY_HOUR, COLUMNS, NEXT_STEP, check_conservation, insert_report
from include.phrase_views.hours import steps
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import Falls, PhraseViewsRequest
from include.staging.units import Unit
from include.text import text_of

log = logging.getLogger(__name__)


class ComputedReport(BaseModel):
    """A report that is in ClickHouse, not yet visible. Attributes: staging_table; rows; checksum."""

    model_config = ConfigDict(frozen=True)
    staging_table: str
    rows: int
    checksum: int


class PublishedReport(BaseModel):
    """A day in sight.

    Attributes: rows and checksum of the day, with those of campaigns not asked for; falls, how counters that
    fell were read: versions that do not say so knew one rule.
    """

    model_config = ConfigDict(frozen=True)
    rows: int
    checksum: int
    falls: Falls = "reset"


def compute_report(
    clickhouse: ClickHouse, request: PhraseViewsRequest, run_id: str, attempt: str
) -> ComputedReport:
    """Compute the rows of the campaigns asked for into a staging table of this try, and prove them.

    Raises: DayMismatch for hours that do not add up; ClickHouseError.
    """
    connect_to_unit(clickhouse, [BY_HOUR], Unit.of_day(request.day))
    name = staging_table_name(BY_HOUR.name, run_id, attempt)
    create_staging_table(clickhouse, BY_HOUR.name, name)
    insert_report(clickhouse, request, name)
    found = fingerprint(clickhouse, BY_HOUR, request.day.isoformat(), source=name)
    check_conservation(clickhouse, request, source=name)
    log.info("%s: %s: %d rows are in %s", clickhouse.where, request, found.rows, name)
    return ComputedReport(staging_table=name, rows=found.rows, checksum=found.checksum)


def publish_report(
    clickhouse: ClickHouse,
    request: PhraseViewsRequest,
    computed: ComputedReport,
    run_id: str,
    attempt: str,
    *,
    now: Callable[[], datetime],
    check_lease: Callable[[], None] = lambda: None,
    old_parts_wait_s: float = OLD_PARTS_WAIT_S,
) -> PublishedReport:
    """Replace the day by the computed rows, and those that other campaigns have already; safe to repeat.

    A day that stays as it is keeps its row in `loads`, so that what was made from it stays the same to the
    byte; unless that row is from before the day was over.
    `check_lease` is called right before each change in sight; what it raises ends the publication.

    Raises: DayMismatch; ClickHouseError.
    """
    unit = Unit.of_day(request.day)
    publication = Publication(clickhouse, unit, run_id, attempt, check_lease, NEXT_STEP)
    connect_to_unit(clickhouse, [BY_HOUR], unit)
    connect_to_staged(clickhouse, [computed.staging_table])
    if not clickhouse.execute(f"EXISTS TABLE {quoted(computed.staging_table)}")[0][0]:
        log.info("%s is gone: published already? Computing it again", computed.staging_table)
        computed = compute_report(clickhouse, request, run_id, attempt)
    elif not has_columns_of(clickhouse, BY_HOUR.name, computed.staging_table):
        log.info("%s is older than a migration of the table: computing it again", computed.staging_table)
        computed = compute_report(clickhouse, request, run_id, attempt)
    source, day = computed.staging_table, expected_fingerprint(computed)
    require_fingerprint(publication, BY_HOUR, day, source)
    if request.campaign_ids:
        source, day = _with_other_campaigns(publication, request, source)
    replace_partition(publication, BY_HOUR, source, day)
    recorded = recorded_load(clickhouse, BY_HOUR.name, request.day)
    stays = recorded and recorded[:2] == (day.rows, day.checksum) and recorded.published_at >= _end(request)
    if not stays:
        check_lease()
        record_load(clickhouse, BY_HOUR.name, unit, day, run_id, now())
    await_removal_of_old_parts(clickhouse, [BY_HOUR.name], old_parts_wait_s)
    require_recorded(clickhouse, BY_HOUR, request.day, NEXT_STEP)
    drop_staging_tables(clickhouse, [BY_HOUR.name], run_id)
    drop_abandoned_staging_tables(clickhouse)
    return PublishedReport(rows=day.rows, checksum=day.checksum, falls=request.falls)


def check_report(
    clickhouse: ClickHouse, request: PhraseViewsRequest, published: PublishedReport, run_id: str
) -> int:
    """Compare the day with what was published, with `loads`, and with the counters; return its rows.

    Raises: DayMismatch, also when counters of the day came in after the report.
    """
    read = Publication(clickhouse, Unit.of_day(request.day), run_id, next_step=NEXT_STEP)
    rows = check_published(read, BY_HOUR, expected_fingerprint(published))
    recorded = recorded_load(clickhouse, BY_HOUR.name, request.day)
    if recorded and recorded[:2] == (published.rows, published.checksum):
        as_published = request.model_copy(update={"falls": published.falls})
        check_conservation(
            clickhouse, as_published
        )  # else another run's request may have cut the day otherwise
    return rows


def read_report(clickhouse: ClickHouse, day: date) -> Iterator[ReportRow]:
    """Yield the published rows of a day by campaign, phrase and hour_start; one campaign is in memory."""
    campaigns = f"SELECT DISTINCT campaign_id FROM {BY_HOUR.name} WHERE date = %(day)s ORDER BY campaign_id"
    for (campaign_id,) in clickhouse.execute(campaigns, {"day": day.isoformat()}):
        rows = clickhouse.execute(
            "SELECT campaign_id, phrase, hour, views, flags, toUnixTimestamp(hour_start), time_zone, "
            f"hour_rule, falls FROM {BY_HOUR.name} WHERE date = %(day)s AND campaign_id = %(campaign_id)s "
            "ORDER BY phrase, hour_start",
            {"day": day.isoformat(), "campaign_id": campaign_id},
        )
        for campaign, phrase, hour, views, flags, start, *cut in rows:
            names = tuple(flags.split(",")) if flags else ()
            at = datetime.fromtimestamp(start, UTC)
            yield ReportRow(campaign, text_of(phrase), hour, views, names, at, *cut)


def publication(clickhouse: ClickHouse, day: date) -> tuple[str, datetime]:
    """Return run_id and time (UTC) of the day's publication, having compared the day with what it recorded.

    Raises: DayMismatch, also where there is none.
    """
    recorded = require_recorded(clickhouse, BY_HOUR, day, NEXT_STEP)
    return recorded.run_id, recorded.published_at


def _end(request: PhraseViewsRequest) -> datetime:
    """Return when the day is over, in its zone and by UTC."""
    midnight = datetime.combine(request.day + timedelta(days=1), time.min, UTC)
    step_s, of_steps = steps(request.day, request.time_zone)
    return max(midnight, of_steps[0].start + timedelta(seconds=step_s * len(of_steps)))


def _with_other_campaigns(
    publication: Publication, request: PhraseViewsRequest, computed: str
) -> tuple[str, Fingerprint]:
    """Return a staging table, with the published rows of campaigns not asked for too, and what it holds."""
    _require_rows_to_keep(publication)
    clickhouse = publication.clickhouse
    name = staging_table_name(BY_HOUR.name, publication.run_id, f"publish {publication.attempt}")
    create_staging_table(clickhouse, BY_HOUR.name, name)
    into = f"INSERT INTO {quoted(name)} ({COLUMNS}) SELECT {COLUMNS} FROM"
    clickhouse.execute(f"{into} {quoted(computed)}")
    clickhouse.execute(  # all columns, also those that only a newer version of the project knows
        f"INSERT INTO {quoted(name)} SELECT * FROM {BY_HOUR.name} "
        "WHERE date = %(day)s AND campaign_id NOT IN %(campaign_ids)s",
        {"day": request.day.isoformat(), "campaign_ids": request.campaign_ids},
    )
    whole = mark_complete(clickhouse, name)
    return whole, publication.fingerprint(BY_HOUR, whole)


def _require_rows_to_keep(publication: Publication) -> None:
    """Require the day to be as recorded, or as a try of this run left it that ended before it could."""
    clickhouse, unit = publication.clickhouse, publication.unit
    recorded = recorded_load(clickhouse, BY_HOUR.name, unit.name)
    published = expected_fingerprint(recorded) if recorded else Fingerprint(rows=0, keys=0, checksum=0)
    found = fingerprint_as_published(clickhouse, BY_HOUR, unit.partition, published)
    if found == published:
        return
    for name in whole_staging_tables(clickhouse, BY_HOUR.name, publication.run_id):
        if publication.fingerprint(BY_HOUR, name) == found:
            return
    reason = f"it holds {found}, loads says {recorded}: rows of other campaigns cannot be taken over"
    raise publication.mismatch(BY_HOUR.name, reason, "report the day once for all campaigns")
