"""The report against a plain reading of its rules, on both engines; and a year of days."""

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.clickhouse.client import ClickHouse
from include.pages.phrase_views import render_phrase_views
from include.phrase_views.report import publication, read_report
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest
from tests.examples import examples
from tests.integration.phrase_views.days import NOW, Counter, ask, counters, emptied, insert, run

MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=7)
EVERY_NTH_DAY = 13  # all of a year, twice, take two minutes
LOCAL_DAYS = [
    ("UTC", "2026-08-20"),
    ("UTC", "2026-03-01"),  # samples of two months are in two partitions
    ("Asia/Kolkata", "2026-08-20"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2025-10-26"),
    ("Australia/Lord_Howe", "2025-10-05"),
    ("Australia/Lord_Howe", "2025-04-06"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Havana", "2025-11-02"),
    ("America/St_Johns", "2011-03-13"),
]


def plain_reading(inserted: Iterable[Counter], request: PhraseViewsRequest) -> list[ReportRow]:
    """Return the report's rows by the rules as they are written down, one sample after the other."""
    zone = ZoneInfo(request.time_zone)
    day_begins = datetime.combine(request.day, time.min, zone).astimezone(UTC)
    a_moment_before = timedelta(seconds=1 if request.hour_rule == "closing" else 0)
    by_phrase: dict[tuple[int, str], dict[datetime, int]] = {}
    for campaign_id, phrase, views, at in inserted:
        if not request.campaign_ids or campaign_id in request.campaign_ids:
            by_phrase.setdefault((campaign_id, phrase), {})[at - a_moment_before] = max(views, 0)
    rows = []
    for (campaign_id, phrase), samples in by_phrase.items():
        hours: dict[datetime, tuple[int, set[str]]] = {}
        before: datetime | None = None
        highest = 0
        for at in sorted(samples):
            if at < day_begins - WEEK:
                continue
            flags = flags_of(samples, before, at, request.falls)
            above = samples[at] if "reset" in flags else max(samples[at] - highest, 0) if before else 0
            if at.astimezone(zone).date() == request.day:
                begin = begin_of_hour(at, zone)
                views, known = hours.get(begin, (0, set()))
                hours[begin] = (views + above, known | flags)
            forgets = before is None or "reset" in flags or at < day_begins - HOUR
            highest = samples[at] if forgets else max(highest, samples[at])
            before = at
        rows += [
            ReportRow(
                campaign_id,
                phrase,
                begin.astimezone(zone).hour,
                views,
                tuple(sorted(flags)),
                begin,
                request.time_zone,
                request.hour_rule,
                request.falls,
            )
            for begin, (views, flags) in hours.items()
            if views or flags
        ]
    return sorted(rows, key=lambda row: (row.campaign_id, row.phrase.encode(), row.hour_start))


def flags_of(samples: dict[datetime, int], before: datetime | None, at: datetime, falls: str) -> set[str]:
    """Return what makes the gain of a sample less than sure."""
    if before is None:
        return {"partial"}
    flags = {"gap"} if at - before >= HOUR else set()
    if samples[at] < samples[before]:
        near = falls == "correct" and samples[at] >= samples[before] / 2
        flags |= {"corrected"} if near else {"reset"}
    return flags


def begin_of_hour(at: datetime, zone: ZoneInfo) -> datetime:
    """Go back, minute by minute, as long as clocks show the same hour by the same offset."""

    def shown(instant: datetime) -> tuple:
        local = instant.astimezone(zone)
        return local.hour, local.utcoffset()

    begin = at.replace(second=0)
    while shown(begin - MINUTE) == shown(at):
        begin -= MINUTE
    return begin


@st.composite
def counters_around(draw: st.DrawFn, day: date) -> list[list[Counter]]:
    """Blocks of counters: of few phrases, so that samples meet; on the mark or beside it; falling too."""
    noon = datetime.combine(day, time(12), UTC)
    blocks = []
    for _ in range(draw(st.integers(1, 3))):
        block = []
        for _ in range(draw(st.integers(1, 3))):
            campaign_id = draw(st.sampled_from([1, 2, 2**31 - 1]))
            phrase = draw(st.sampled_from(["a", "ab", "платье", "it's"]))
            start = draw(st.integers(-170, 160) | st.sampled_from([-1156, -1080, -1079, -700]))
            at = noon + start * 10 * MINUTE
            views = draw(st.integers(0, 20) | st.just(2**31 - 200))
            change_of_views = st.integers(-4, 5) | st.sampled_from([-9, -100])
            steps = st.tuples(st.sampled_from([10, 10, 10, 30, 59, 60, 61, 300]), change_of_views)
            for minutes, change in draw(st.lists(steps, min_size=1, max_size=30)):
                beside = timedelta(seconds=draw(st.sampled_from([0, 0, 0, 0, 1, -1])))
                block.append((campaign_id, phrase, views, at + beside))
                at += minutes * MINUTE
                views = views + change if change > -10 else 2
        blocks.append(block)
    return blocks


@st.composite
def cases(draw: st.DrawFn) -> tuple[PhraseViewsRequest, list[list[Counter]]]:
    """A request for a local day, and counters around that day."""
    time_zone, day = draw(st.sampled_from(LOCAL_DAYS))
    request = PhraseViewsRequest(
        campaign_ids=draw(st.sampled_from([(), (), (), (1,), (2, 2**31 - 1)])),
        day=date.fromisoformat(day),
        time_zone=time_zone,
        hour_rule=draw(st.sampled_from(["sample", "closing"])),
        falls=draw(st.sampled_from(["correct", "correct", "reset"])),
    )
    return request, draw(counters_around(request.day))


@examples(40, shared_fixtures=True)
@given(case=cases())
@example(case=(ask(), [counters("-1/23:50=5 00:10=9 01:10=4"), counters("00:10=11 01:10=4")]))
@example(case=(ask(), [counters("-1/23:50=5 00:00=0 00:10=7 00:50=-3 01:10=4")]))
@example(case=(ask(), [counters("-1/22:50=40 -1/23:10=30 -1/23:20=29 00:10=20 00:50=35 01:10=15 02:00=38")]))
@example(case=(ask(falls="reset"), [counters("-1/23:50=5000 10:00=5010 10:05=5008 10:10=5020 10:15=5016")]))
@example(case=(ask(hour_rule="closing"), [counters("-7/00:00:01=1 00:00:00=3 05:00=2 +1/00:00=7 12:00=1")]))
def test_the_report_is_the_plain_reading(engine: ClickHouse, case):
    """Corrections, resets, gaps, samples that come twice, phrases side by side, zones, rules: row by row."""
    request, blocks = case
    emptied(engine)
    for block in blocks:
        insert(engine, block)
    inserted = [counter for block in blocks for counter in block]
    assert run(engine, request) == plain_reading(inserted, request)


@pytest.mark.parametrize("engine", ["26.9 embedded"], indirect=True)
def test_a_year_of_days_comes_out_the_same_to_the_byte(engine: ClickHouse, tmp_path: Path):
    """Day after day, and again by other runs in another order: every TSV, CSV, page and index."""
    emptied(engine)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    every = [(start + number * 50 * MINUTE, number) for number in range(-5, 365 * 1440 // 50 + 5)]
    views = {"a": lambda number: number * 3, "платье": lambda number: number % 1000}
    insert(engine, [(7, phrase, max(of(n), 0), at) for phrase, of in views.items() for at, n in every])
    days = [start.date() + timedelta(days=number) for number in range(0, 365, EVERY_NTH_DAY)]
    first = backfill(engine, tmp_path / "first", days, "first", NOW)
    random.Random(7).shuffle(days)  # noqa: S311 - not a secret
    again = backfill(engine, tmp_path / "again", days, "again", NOW + timedelta(days=1))
    assert len(first) == 5 * len(days)
    assert again == first


def backfill(
    clickhouse: ClickHouse, root: Path, days: list[date], name: str, now: datetime
) -> dict[str, bytes]:
    """Do what the tasks of a run a day do; return all files."""
    for day in days:
        run(clickhouse, ask(day=day), f"{name} {day}", now)
        run_id, published_at = publication(clickhouse, day)
        rows = read_report(clickhouse, day)
        render_phrase_views(root, ask(day=day), rows, run_id=run_id, published_at=published_at)
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*.*")}
