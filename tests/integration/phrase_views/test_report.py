"""Every rule of the report, and how a day is published, on both engines."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import DayMismatch, Refused
from include.clickhouse.loads import recorded_load
from include.pages.phrase_views import render_phrase_views
from include.phrase_views import gains
from include.phrase_views.gains import REPORT_SQL, bound_params, check_conservation
from include.phrase_views.report import (
    PublishedReport,
    check_report,
    compute_report,
    publication,
    read_report,
)
from include.phrase_views.sample import EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, sample_counters
from include.phrase_views.views_by_hour import views_by_hour_text
from include.text import bytes_of
from tests.integration.phrase_views.days import (
    DAY,
    NOW,
    OTHER_DAY,
    Counter,
    ask,
    counters,
    hours_of,
    insert,
    migrated_server,
    publish,
    run,
    staging_tables,
)

EVERY_TEN_MINUTES = timedelta(minutes=10)
SEPARATING = "11:50=10 12:00=13 12:50=15 13:00=20 13:50=21 14:00=21"


EXAMPLE_TEXT = f"phrase\tviews_by_hour\n{EXAMPLE_PHRASE}\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"


def example(day: date) -> list[Counter]:
    """The counters of the original example, as the sample has them for a day."""
    return [row for row in sample_counters(day) if row[0] == EXAMPLE_CAMPAIGN]


@pytest.mark.parametrize("hour_rule", ["sample", "closing"])
def test_the_original_example_comes_out_to_the_letter(clickhouse: ClickHouse, hour_rule: str):
    """By both rules: hours newest first, none that gained nothing, and no lifetime value as views."""
    day = date(2025, 1, 1)
    insert(clickhouse, example(day))
    rows = run(clickhouse, ask(1111111, day=day, hour_rule=hour_rule))
    assert views_by_hour_text(rows) == EXAMPLE_TEXT
    assert [row.flags for row in rows if row.views == 0] == [("partial",)]


def test_the_example_comes_out_day_after_day(clickhouse: ClickHouse):
    """Its counter runs on over night: who tries it on two days sees the same report twice."""
    for day in (DAY, DAY + timedelta(days=1)):
        insert(clickhouse, example(day))
        assert views_by_hour_text(run(clickhouse, ask(day=day))) == EXAMPLE_TEXT


NO_UTF8 = {
    b"\x80 begins in the middle": r"\x80 begins in the middle",
    "сл".encode() + b"\xd0": "сл\\xd0",
    b"\xf1\xeb\xee\xed": r"\xf1\xeb\xee\xed",
    b"\xff\xfe<b>": r"\xff\xfe&lt;b&gt;",
}


def test_phrases_that_are_no_utf8(clickhouse: ClickHouse, tmp_path: Path):
    """Cut within a letter, or of another encoding: counted, shown escaped, in the files to the byte.

    The others of the campaign, and the other campaigns, are as without them.
    """
    plain = ["ф dress", "\U0001f600", "slon"]
    phrases = [*(phrase.encode() for phrase in plain), *NO_UTF8]
    for number, phrase in enumerate(phrases, 1):
        for views, at in ((1, f"{OTHER_DAY} 23:55:00"), (1 + number, f"{DAY} 00:10:00")):
            insert = f"INSERT INTO phrases_views SELECT 7, unhex('{phrase.hex()}'), {views}, "
            clickhouse.execute(f"{insert}toDateTime('{at}', 'UTC')")
    insert_other = counters("-1/23:50=5 00:10=9", campaign_id=8)
    clickhouse.execute("INSERT INTO phrases_views (campaign_id, phrase, views, dt) VALUES", insert_other)
    rows = run(clickhouse, ask())
    assert {bytes_of(row.phrase): row.views for row in rows if row.campaign_id == 7} == {
        phrase: number for number, phrase in enumerate(phrases, 1)
    }
    run_id, published_at = publication(clickhouse, DAY)
    day = render_phrase_views(tmp_path, ask(), rows, run_id=run_id, published_at=published_at)
    html, tsv = (day / "7.html").read_text(), (day / "7.tsv").read_bytes().splitlines()
    assert sorted(line.partition(b"\t")[0] for line in tsv[1:]) == sorted(phrases)
    assert all(phrase in (day / "rows.csv").read_bytes() for phrase in phrases)
    assert all(f"<bdi>{text}</bdi>" in html for text in [*plain, *NO_UTF8.values()])
    assert "4 of 7 phrases are no UTF-8" in html
    assert "no UTF-8" not in (day / "8.html").read_text()


def test_a_counter_that_comes_late_for_a_phrase_that_is_no_utf8(clickhouse: ClickHouse):
    """Is told as any other, on a line that can be printed."""
    insert(clickhouse, counters("-1/23:50=5 00:10=9", phrase=b"\xd1\x81\xd0"))
    computed = compute_report(clickhouse, ask(), "run 1", "report")
    published = publish(clickhouse, ask(), computed)
    insert(clickhouse, counters("00:20=19", phrase=b"\xd1\x81\xd0"))
    with pytest.raises(
        DayMismatch, match=r"phrase '\u0441\\\\xd0' add up to 4 views, but its counters gained 14"
    ) as red:
        check_report(clickhouse, ask(), published, "run 1")
    assert str(red.value).isprintable()


@pytest.mark.parametrize("year", [2038, 2040, 2105])
def test_a_day_of_the_far_future_counts_as_any_other(clickhouse: ClickHouse, year: int):
    """Instants beyond 2^31 seconds: as long as the column holds them, their gains are found."""
    day = date(year, 2, 1)
    insert(clickhouse, counters("00:10=5 10:00=9 10:10=2", day=day))
    rows = run(clickhouse, ask(day=day), now=datetime(year, 3, 1, tzinfo=UTC))
    assert hours_of(rows) == [(0, 0, "partial"), (10, 6, "gap", "reset")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A gain is the difference of neighbours: also from one hour to the next.
        ("-1/23:50=5 00:10=5 00:50=9 01:40=12 01:50=12", [(0, 4), (1, 3)]),
        (SEPARATING, [(11, 0, "partial"), (12, 5), (13, 6)]),
        ("23:59:59=4", [(23, 0, "partial")]),
        # Nothing gained and nothing to flag; no sample of the day.
        ("-1/23:50=5 00:10=5", []),
        ("-1/23:50=5", []),
        ("+1/00:00=5", []),
        # The baseline: the last sample before the day, within seven days.
        ("-1/23:40=1 -1/23:50=100 00:10=103", [(0, 3)]),
        ("-1/23:50=100 00:00=103 00:10=104", [(0, 4)]),
        ("-7/00:00=100 00:00=103", [(0, 3, "gap")]),
        ("-8/23:59:59=100 00:00=103", [(0, 0, "partial")]),
        ("-2/12:00=100 00:10=103", [(0, 3, "gap")]),
        # Without a baseline the first sample is it.
        ("11:50=100", [(11, 0, "partial")]),
        ("11:50=100 11:55=103 12:00=104", [(11, 3, "partial"), (12, 1)]),
        # A counter that falls counts from zero.
        ("-1/23:50=100 00:10=103 00:20=3 00:30=5", [(0, 8, "reset")]),
        ("-1/23:50=100 00:10=7", [(0, 7, "reset")]),
        ("-1/23:50=100 00:10=0", [(0, 0, "reset")]),
        # After an hour or more without a sample: all of it in the hour of the next.
        ("-1/23:50=1 00:10=2 01:10=5", [(0, 1), (1, 3, "gap")]),
        ("-1/23:50=1 00:10=2 01:09:59=5", [(0, 1), (1, 3)]),
        ("-1/23:50=1 00:10=2 05:10=5 05:20=6", [(0, 1), (5, 4, "gap")]),
        ("-1/23:50=1 00:10=1 05:10=1", [(5, 0, "gap")]),
        # Several at once, in order of the alphabet.
        ("-1/23:50=100 05:00=3", [(5, 3, "gap", "reset")]),
        ("05:00=10 05:10=3", [(5, 3, "partial", "reset")]),
        # Out of range: a counter cannot be below zero, and a sum of gains may be above Int32.
        ("-1/23:50=-5 00:10=3", [(0, 3)]),
        ("-1/23:50=5 00:10=-3", [(0, 0, "reset")]),
        ("-1/23:50=0 00:10=2147483647 00:20=0 00:30=2147483647", [(0, 2 * 2147483647, "reset")]),
    ],
)
def test_hours_of_the_sample(clickhouse: ClickHouse, text: str, expected: list[tuple]):
    """A gain is in the hour of the sample that shows it; flags tell what is less than sure."""
    insert(clickhouse, counters(text))
    assert hours_of(run(clickhouse, ask())) == expected


@pytest.mark.parametrize(
    ("text", "corrected", "reset"),
    [
        # Three views are taken back; two replicas are read in turn, and one of them lags.
        (
            "-1/23:55=1000000 10:00=1000050 10:05=1000047 10:10=1000060",
            [(10, 60, "corrected", "gap")],
            [(10, 50 + 1000047 + 13, "gap", "reset")],
        ),
        (
            "-1/23:55=5000 10:00=5010 10:05=5008 10:10=5020 10:15=5016 10:20=5030",
            [(10, 30, "corrected", "gap")],
            [(10, 10 + 5008 + 12 + 5016 + 14, "gap", "reset")],
        ),
        # Half of the value before is near it, less is not; of an odd one too.
        ("-1/23:50=100 00:10=50 00:20=101", [(0, 1, "corrected")], [(0, 101, "reset")]),
        ("-1/23:50=100 00:10=49 00:20=101", [(0, 101, "reset")], [(0, 101, "reset")]),
        ("-1/23:50=5 00:10=3 00:20=6", [(0, 1, "corrected")], [(0, 6, "reset")]),
        ("-1/23:50=5 00:10=2 00:20=6", [(0, 6, "reset")], [(0, 6, "reset")]),
        ("-1/23:50=1 00:10=0 00:20=1", [(0, 1, "reset")], [(0, 1, "reset")]),
        # The hour of the fall has the flag; those after it gain what is above the highest value.
        (
            "-1/23:50=100 00:50=90 01:10=95 01:50=99 02:10=104",
            [(0, 0, "corrected", "gap"), (2, 4)],
            [(0, 90, "gap", "reset"), (1, 9), (2, 5)],
        ),
        # The next dip, deeper or not, is measured by the same highest value.
        (
            "-1/23:50=100 00:10=90 00:20=95 00:30=80 00:40=99 00:50=110",
            [(0, 10, "corrected")],
            [(0, 90 + 5 + 80 + 19 + 11, "reset")],
        ),
        # A reset ends it, also one within a dip.
        (
            "-1/23:50=100 00:10=90 00:20=7 00:30=6 00:40=9 01:10=99",
            [(0, 9, "corrected", "reset"), (1, 90)],
            [(0, 90 + 7 + 6 + 3, "reset"), (1, 90)],
        ),
        (
            "-1/23:50=9 00:10=2 00:50=1 01:10=4 01:20=3",
            [(0, 2, "corrected", "reset"), (1, 2, "corrected")],
            [(0, 3, "reset"), (1, 6, "reset")],
        ),
        # An hour before the day counts with it; before that, the last sample alone.
        ("-1/23:00=100 -1/23:50=90 00:10=101", [(0, 1)], [(0, 11)]),
        ("-1/22:59:59=100 -1/23:50=90 00:10=101", [(0, 1)], [(0, 11)]),
        ("-1/22:50=100 -1/22:59:59=90 00:10=101", [(0, 11, "gap")], [(0, 11, "gap")]),
        ("-1/23:00=100 -1/23:10=9 -1/23:20=8 00:10=12", [(0, 3)], [(0, 4)]),
        ("-1/23:10=100 -1/23:50=90 00:10=40", [(0, 40, "reset")], [(0, 40, "reset")]),
        # Out of range: below zero is zero, and falls as far as a column can hold.
        ("-1/23:50=5 00:10=-3 00:20=6", [(0, 6, "reset")], [(0, 6, "reset")]),
        (
            "-1/23:50=2147483647 00:10=1073741824 00:20=1073741823 00:30=2147483647",
            [(0, 0, "corrected")],
            [(0, 1073741824 + 2147483647, "reset")],
        ),
    ],
)
def test_counters_that_fall(clickhouse: ClickHouse, text: str, corrected: list[tuple], reset: list[tuple]):
    """One that stays near its old value was corrected, and gains what is above it; or all were reset."""
    insert(clickhouse, counters(text))
    rows = run(clickhouse, ask())
    assert hours_of(rows) == corrected
    assert {row.falls for row in rows} == {"correct"}
    rows = run(clickhouse, ask(falls="reset"), "run 2")
    assert hours_of(rows) == reset
    assert {row.falls for row in rows} == {"reset"}


@pytest.mark.parametrize("hour_rule", ["sample", "closing"])
def test_a_replica_that_lags_gains_every_view_once_day_after_day(clickhouse: ClickHouse, hour_rule: str):
    """Read every other time, over two midnights: the sum of the days is what the counter rose."""
    start = datetime(2026, 8, 18, 22, tzinfo=UTC)
    lags = [10 * n - (3 + n % 9 if n % 2 else 0) for n in range(3 * 144)]
    insert(clickhouse, [(7, "a", 500 + each, start + n * EVERY_TEN_MINUTES) for n, each in enumerate(lags)])
    days = [date(2026, 8, 18) + timedelta(days=n) for n in range(4)]
    views = [sum(row.views for row in run(clickhouse, ask(day=day, hour_rule=hour_rule))) for day in days]
    assert sum(views) == max(lags)
    assert views[1:3] == [1440, 1440]


@pytest.mark.parametrize(("fell_at", "gained"), [("22:45", 113), ("23:15", 110)])
def test_a_dip_over_midnight_is_known_when_it_began_in_the_last_hour(
    clickhouse: ClickHouse, fell_at: str, gained: int
):
    """One that began before counts by its last sample: the days gain once more what was taken back."""
    peak_at = fell_at.replace(":45", ":30").replace(":15", ":00")
    insert(clickhouse, counters(f"-1/00:00=900 -1/{peak_at}=1000 -1/{fell_at}=997 00:10=1010"))
    days = [DAY - timedelta(days=1), DAY]
    assert sum(row.views for day in days for row in run(clickhouse, ask(day=day))) == gained


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SEPARATING, [(11, 3, "partial"), (12, 7), (13, 1)]),
        ("-1/23:50=100 00:00=103 00:10=104", [(0, 1)]),
        ("00:00=100 00:10=104", [(0, 4)]),
        ("23:10=1 23:50=2 +1/00:00=25 +1/00:00:01=99", [(23, 24, "partial")]),
        ("-1/23:50=1 00:50=2 01:00=3 01:00:01=4 02:00=5", [(0, 2, "gap"), (1, 2)]),
        ("+1/00:00=5", [(23, 0, "partial")]),
        ("00:00=5", []),
        ("-7/00:00:01=100 00:00:01=103", [(0, 3, "gap")]),
        ("-7/00:00=100 00:00:01=103", [(0, 0, "partial")]),
    ],
)
def test_hours_that_a_sample_on_the_mark_closes(clickhouse: ClickHouse, text: str, expected: list[tuple]):
    """A sample at HH:00:00 is the last one of the hour before: also at midnight, of the day before."""
    insert(clickhouse, counters(text))
    assert hours_of(run(clickhouse, ask(hour_rule="closing"))) == expected


@pytest.mark.parametrize("hour_rule", ["sample", "closing"])
def test_days_in_a_row_count_every_view_once(clickhouse: ClickHouse, hour_rule: str):
    """What one day leaves is what the next begins with, whoever owns midnight."""
    start = datetime(2026, 8, 18, 23, 50, tzinfo=UTC)
    insert(clickhouse, [(7, "a", n * n, start + n * EVERY_TEN_MINUTES) for n in range(3 * 144 + 2)])
    days = [date(2026, 8, 19) + timedelta(days=n) for n in range(3)]
    views = [sum(row.views for row in run(clickhouse, ask(day=day, hour_rule=hour_rule))) for day in days]
    first, last = (0, 432) if hour_rule == "sample" else (1, 433)
    assert sum(views) == last**2 - first**2


@pytest.mark.parametrize(
    ("day", "time_zone", "expected"),
    [
        ("2026-08-20", "Europe/Berlin", [(hour, 6) for hour in range(24)]),
        ("2026-08-20", "Asia/Kolkata", [(hour, 6) for hour in range(24)]),
        ("2025-03-30", "Europe/Berlin", [(hour, 6) for hour in range(24) if hour != 2]),
        ("2025-10-26", "Europe/Berlin", [(hour, 6) for hour in sorted([*range(24), 2])]),
        ("2025-10-05", "Australia/Lord_Howe", [(hour, 3 if hour == 2 else 6) for hour in range(24)]),
        (
            "2025-04-06",
            "Australia/Lord_Howe",
            [(0, 6), (1, 6), (1, 3), *((hour, 6) for hour in range(2, 24))],
        ),
        ("2018-11-04", "America/Sao_Paulo", [(hour, 6) for hour in range(1, 24)]),
        ("2025-11-02", "America/Havana", [(hour, 6) for hour in sorted([*range(24), 0])]),
        ("2011-03-13", "America/St_Johns", [(0, 1), (1, 5), *((hour, 6) for hour in range(2, 24))]),
    ],
)
def test_a_day_is_cut_as_local_clocks_show_it(
    clickhouse: ClickHouse, day: str, time_zone: str, expected: list[tuple]
):
    """A view every ten minutes: hours that clocks skip are not there, those they show twice are two."""
    wanted = date.fromisoformat(day)
    start = datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC) - timedelta(days=1)
    insert(clickhouse, [(7, "a", n, start + n * EVERY_TEN_MINUTES) for n in range(3 * 144)])
    rows = run(clickhouse, ask(day=wanted, time_zone=time_zone))
    assert hours_of(rows) == expected
    assert len({row.hour_start for row in rows}) == len(rows)
    assert {row[-3:] for row in rows} == {(time_zone, "sample", "correct")}


def test_the_zone_of_the_server_changes_nothing():
    """Instants are instants."""
    with migrated_server("Asia/Tokyo") as clickhouse:
        insert(clickhouse, counters("-1/23:50=1 00:10=2 15:10=5"))
        rows = run(clickhouse, ask(time_zone="Europe/Berlin"))
    assert hours_of(rows) == [(1, 0, "partial"), (2, 1), (17, 3, "gap")]
    assert [row.hour_start.hour for row in rows] == [23, 0, 15]


READING_WITH_FINAL = "not merged yet: reading them with FINAL"


@pytest.mark.parametrize(
    ("again", "corrected"),
    [
        ("-1/21:50=3 -1/22:50=2 -1/23:50=5 00:10=9 01:10=4", False),
        ("-1/23:50=5", False),
        ("00:10=11", True),
        ("01:10=30 -1/23:50=1", True),
        ("-1/22:50=1", True),  # the baseline, to fewer and to more
        ("-1/22:50=3", True),
        ("-1/22:50=0", True),
        ("-1/21:50=9", False),  # behind the baseline nothing counts
        ("+1/00:00=9", False),
    ],
)
@pytest.mark.parametrize("baseline", ["-1/21:50=3 -1/22:50=2 -1/23:50=5", "-1/21:50=3 -1/22:50=2"])
def test_what_is_there_twice_counts_once_before_and_after_it_is_merged(
    clickhouse: ClickHouse, caplog, baseline: str, again: str, corrected: bool
):
    """The same samples, or other views for them: the last ones inserted count, merged or not.

    Only samples that were corrected, and are not merged yet, are read with FINAL.
    """
    text = f"{baseline} 00:10=9 01:10=4"
    caplog.set_level("INFO")
    times = {row[3] for row in counters(text)}
    times_again = {row[3] for row in counters(again)}
    clickhouse.execute("SYSTEM STOP MERGES")
    try:
        insert(clickhouse, counters(text))
        insert(clickhouse, counters(again))
        found = clickhouse.execute("SELECT count() FROM phrases_views")
        assert found == [(len(counters(text)) + len(counters(again)),)]
        rows = run(clickhouse, ask())
    finally:
        clickhouse.execute("SYSTEM START MERGES")
    assert (READING_WITH_FINAL in caplog.text) == (corrected and not times.isdisjoint(times_again))
    caplog.clear()
    clickhouse.execute("OPTIMIZE TABLE phrases_views FINAL")
    assert clickhouse.execute("SELECT count() FROM phrases_views") == [(len(times | times_again),)]
    assert run(clickhouse, ask()) == rows
    assert READING_WITH_FINAL not in caplog.text

    clickhouse.execute("TRUNCATE TABLE phrases_views")
    last = {row[3]: row for row in [*counters(text), *counters(again)]}
    insert(clickhouse, last.values())
    assert run(clickhouse, ask()) == rows


def test_rows_that_came_before_a_corrected_sample_are_not_there_twice(clickhouse: ClickHouse, caplog):
    """The engine sees it when it has inserted some blocks, here small ones: the table begins anew."""
    phrases = 120_000
    block_size = {"rows": 1_048_576, "bytes": 268_435_456}
    insert_many = (
        "INSERT INTO phrases_views (campaign_id, phrase, views, dt) SELECT 7, toString(number), 5 + {0}, "
        f"toDateTime('{DAY} 00:10:00', 'UTC') + 600 * {{0}} FROM numbers({phrases})"
    )
    caplog.set_level("INFO")
    clickhouse.execute("SYSTEM STOP MERGES")
    try:
        for number in (0, 1):
            clickhouse.execute(insert_many.format(number))
        insert(clickhouse, counters("00:20=9", phrase="77777"))
        for unit in block_size:
            clickhouse.execute(f"SET min_insert_block_size_{unit} = 1")
        computed = compute_report(clickhouse, ask(), "run 1", "report")
    finally:
        for unit, usual in block_size.items():
            clickhouse.execute(f"SET min_insert_block_size_{unit} = {usual}")
        clickhouse.execute("SYSTEM START MERGES")
    assert READING_WITH_FINAL in caplog.text
    assert computed.rows == phrases
    views = f"SELECT views, count() FROM {computed.staging_table} GROUP BY views ORDER BY views"
    assert clickhouse.execute(views) == [(1, phrases - 1), (4, 1)]


def test_an_engine_that_refuses_the_report_is_not_asked_again(clickhouse: ClickHouse, monkeypatch, tmp_path):
    """Only a sample with two values is another reading worth."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    wrong = tmp_path / "report.sql"
    wrong.write_text(REPORT_SQL.read_text().replace("total_gain_before AS views", "nowhere AS views"))
    monkeypatch.setattr(gains, "REPORT_SQL", wrong)
    monkeypatch.delattr(gains, "with_final")
    with pytest.raises(Refused, match="nowhere"):
        compute_report(clickhouse, ask(), "run 1", "report")


def test_nothing_is_counted_across_phrases_or_campaigns(clickhouse: ClickHouse):
    """Interleaved, far apart in views, one the beginning of the other, the same in two campaigns."""
    phrases = ["", "a", "A", "a ", "ab", "it's \\ \n\t%(day)s %s", "платье", "👗", "\x00"]
    inserted = []
    for number, phrase in enumerate(phrases):
        for campaign_id in (1, 2, 2**31 - 1):
            first = 1000 * number + campaign_id % 100
            inserted += counters(
                f"-1/23:50={first} 00:10={first + number} 00:20={first + number + campaign_id % 3}",
                phrase,
                campaign_id,
            )
    insert(clickhouse, sorted(inserted, key=lambda row: (row[3], -row[2])))
    rows = run(clickhouse, ask())
    expected = {
        (campaign_id, phrase): number + campaign_id % 3
        for number, phrase in enumerate(phrases)
        for campaign_id in (1, 2, 2**31 - 1)
    }
    assert {row[:2]: row.views for row in rows} == expected
    assert {(row.hour, row.flags) for row in rows} == {(0, ())}
    in_order = [(row.campaign_id, row.phrase.encode()) for row in rows]
    assert in_order == sorted(in_order)


def test_rows_that_do_not_add_up_are_not_published(clickhouse: ClickHouse, tmp_path, monkeypatch):
    """A mistake in the SQL would be found by each run: the task report is red, and names the phrase."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4 05:00=1 05:10=2", "платье"))
    mistaken = tmp_path / "report.sql"
    mistake = REPORT_SQL.read_text().replace("if(reset, now, greatest", "if(reset, now - before, greatest")
    mistaken.write_text(mistake)
    monkeypatch.setattr(gains, "REPORT_SQL", mistaken)
    with pytest.raises(DayMismatch, match=r"campaign 7, phrase 'платье' add up to 1 views.* gained 5"):
        compute_report(clickhouse, ask(), "run 1", "1")


@pytest.mark.parametrize("sum_of_hours", [4, 6])
def test_tampered_rows_are_found(clickhouse: ClickHouse, sum_of_hours: int):
    """One view more or fewer in sight: both the contents and the sums tell."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4 00:30=6"))
    computed = compute_report(clickhouse, ask(), "run 1", "1")
    published = publish(clickhouse, ask(), computed)
    clickhouse.execute(
        "INSERT INTO phrases_views_by_hour (date, campaign_id, phrase, hour, views) "
        "SELECT toDate(%(day)s), 7, 'a phrase', 9, toInt64(%(views)s)",
        {"day": str(DAY), "views": sum_of_hours - 5},
    )
    with pytest.raises(DayMismatch, match=f"add up to {sum_of_hours} views, but its counters gained 5"):
        check_conservation(clickhouse, ask())
    with pytest.raises(DayMismatch, match="clear task report with all after it"):
        check_report(clickhouse, ask(), published, "run 1")


def test_lost_rows_are_found(clickhouse: ClickHouse):
    """A day that somebody dropped does not add up either; of campaigns not asked for nothing is said."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    run(clickhouse, ask())
    clickhouse.execute(f"ALTER TABLE phrases_views_by_hour DROP PARTITION '{DAY}'")
    with pytest.raises(DayMismatch, match="add up to 0 views, but its counters gained 3"):
        check_conservation(clickhouse, ask())
    check_conservation(clickhouse, ask(8))


def test_counters_that_come_in_late_turn_the_check_red_and_a_new_report_heals_it(clickhouse: ClickHouse):
    """The error names campaign and phrase, and what to clear."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    computed = compute_report(clickhouse, ask(), "run 1", "1")
    published = publish(clickhouse, ask(), computed)
    assert check_report(clickhouse, ask(), published, "run 1") == 1
    insert(clickhouse, counters("09:10=9"))
    with pytest.raises(DayMismatch) as red:
        check_report(clickhouse, ask(), published, "run 1")
    told = str(red.value)
    assert "the hours of campaign 7, phrase 'a phrase' add up to 3 views, but its counters gained 8" in told
    assert told.endswith("Did counters of this day come in since?. Next: clear task report with all after it")
    assert hours_of(run(clickhouse, ask())) == [(0, 3), (9, 5, "gap")]


def test_some_campaigns_anew_leave_the_others_as_they_were_published(clickhouse: ClickHouse):
    """Though their counters have changed; each row tells by which zone and rule it was cut."""
    for campaign_id in (1, 2, 3):
        insert(clickhouse, counters("-1/23:50=1 00:10=4 01:00=9", "a", campaign_id))
    run(clickhouse, ask())
    for campaign_id in (1, 2, 4):
        insert(clickhouse, counters("-1/23:50=1 01:20=20", "a", campaign_id))
    berlin = ask(1, 4, 5, time_zone="Europe/Berlin", hour_rule="closing", falls="reset")
    rows = run(clickhouse, berlin, "run 2")
    seen = {number: hours_of(row for row in rows if row.campaign_id == number) for number in range(1, 6)}
    assert seen == {
        1: [(1, 0, "partial"), (2, 8), (3, 11)],
        2: [(0, 3), (1, 5)],
        3: [(0, 3), (1, 5)],
        4: [(1, 0, "partial"), (3, 19, "gap")],
        5: [],
    }
    assert {(row.campaign_id, *row[-3:]) for row in rows} == {
        *((number, "Europe/Berlin", "closing", "reset") for number in (1, 4)),
        *((number, "UTC", "sample", "correct") for number in (2, 3)),
    }
    clickhouse.execute("TRUNCATE TABLE phrases_views")
    assert {row.campaign_id for row in run(clickhouse, ask(1, 2), "run 3")} == {3, 4}
    assert staging_tables(clickhouse) == []


def test_a_report_of_some_campaigns_may_be_the_first_of_its_day(clickhouse: ClickHouse):
    """There is nothing to keep."""
    for campaign_id in (1, 2):
        insert(clickhouse, counters("-1/23:50=1 00:10=4", "a", campaign_id))
    assert [row.campaign_id for row in run(clickhouse, ask(2))] == [2]
    assert [row.campaign_id for row in run(clickhouse, ask(1), "run 2")] == [1, 2]


def test_an_empty_day_is_published_as_such(clickhouse: ClickHouse):
    """Without counters, again, and where there were some before: no rows, and `loads` says so."""
    with pytest.raises(DayMismatch, match="loads has no row of it"):
        publication(clickhouse, DAY)
    for _ in range(2):
        assert run(clickhouse, ask()) == []
        assert recorded_load(clickhouse, "phrases_views_by_hour", DAY) == (0, 0, "run 1", NOW)
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    assert len(run(clickhouse, ask(), "run 2")) == 1
    clickhouse.execute("TRUNCATE TABLE phrases_views")
    assert run(clickhouse, ask(), "run 3") == []
    assert recorded_load(clickhouse, "phrases_views_by_hour", DAY)[:3] == (0, 0, "run 3")


def test_a_day_is_replaced_whole_and_other_days_stay(clickhouse: ClickHouse):
    """Of other phrases nothing is left; the day before keeps rows and its row in `loads`."""
    insert(clickhouse, counters("-2/23:50=1 -1/10:00=3 -1/23:50=7 00:10=11 05:00=12"))
    insert(clickhouse, counters("-1/23:50=7 05:00=12", "another"))
    before = run(clickhouse, ask(day=OTHER_DAY), "run 0")
    told = publication(clickhouse, OTHER_DAY)
    assert (len(before), len(run(clickhouse, ask()))) == (3, 3)
    clickhouse.execute("TRUNCATE TABLE phrases_views")
    insert(clickhouse, counters("-1/23:50=7 08:10=8", "new"))
    assert [row.phrase for row in run(clickhouse, ask(), "run 2", NOW + timedelta(hours=1))] == ["new"]
    assert list(read_report(clickhouse, OTHER_DAY)) == before
    assert publication(clickhouse, OTHER_DAY) == told == ("run 0", NOW)
    assert publication(clickhouse, DAY) == ("run 2", NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    ("time_zone", "over"),
    [
        ("UTC", datetime(2026, 8, 21, tzinfo=UTC)),
        ("America/Los_Angeles", datetime(2026, 8, 21, 7, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 8, 21, tzinfo=UTC)),  # over there, it is not yet by UTC
    ],
)
def test_a_day_that_was_not_over_is_recorded_anew_when_it_is(clickhouse: ClickHouse, time_zone, over):
    """The same rows, now of the whole day: who looks at `loads` must be able to tell."""
    insert(clickhouse, counters("06:00=5 07:10=9 08:10=12"))
    moments = {"early": over - timedelta(seconds=1), "again": over, "later": over + timedelta(days=1)}
    for run_id, now in moments.items():
        run(clickhouse, ask(time_zone=time_zone), run_id, now=now)
    assert publication(clickhouse, DAY) == ("again", over)


def test_a_day_that_stays_as_it_is_keeps_its_row_in_loads(clickhouse: ClickHouse):
    """So that what is made from it stays the same to the byte; a day that changes gets a new one."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    rows = run(clickhouse, ask())
    assert run(clickhouse, ask(), "run 2", NOW + timedelta(days=9)) == rows
    assert run(clickhouse, ask(7), "run 3", NOW + timedelta(days=9)) == rows
    assert publication(clickhouse, DAY) == ("run 1", NOW)
    run(clickhouse, ask(hour_rule="closing"), "run 4", NOW + timedelta(days=10))
    assert publication(clickhouse, DAY) == ("run 4", NOW + timedelta(days=10))


def test_publish_may_be_repeated_after_its_end(clickhouse: ClickHouse):
    """The staging table is gone, so it computes the same again; nothing of staging is left."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    computed = compute_report(clickhouse, ask(), "run 1", "1")
    assert staging_tables(clickhouse) == [computed.staging_table]
    first = publish(clickhouse, ask(), computed)
    assert staging_tables(clickhouse) == []
    assert (
        publish(clickhouse, ask(), computed)
        == first
        == PublishedReport(rows=1, checksum=first.checksum, falls="correct")
    )
    assert publish(clickhouse, ask(7), computed) == first
    assert staging_tables(clickhouse) == []
    check_report(clickhouse, ask(), first, "run 1")


def test_a_second_try_computes_into_a_table_of_its_own_and_both_go(clickhouse: ClickHouse):
    """Two tries alive at once cannot mix; a try of the same name begins from nothing."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    tries = [compute_report(clickhouse, ask(), "run 1", attempt) for attempt in ("1", "1", "2")]
    assert [computed.rows for computed in tries] == [1, 1, 1]
    assert len(staging_tables(clickhouse)) == 2
    assert publish(clickhouse, ask(), tries[-1]).rows == 1
    assert staging_tables(clickhouse) == []


@pytest.mark.parametrize("calls_before_loss", [0, 1])
def test_a_lost_permission_stops_the_publication(clickhouse: ClickHouse, calls_before_loss: int):
    """It is asked before each change in sight: before the first one, readers still see the old day."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4"))
    old = run(clickhouse, ask())
    insert(clickhouse, counters("00:20=9"))
    computed = compute_report(clickhouse, ask(), "run 2", "1")
    permits = list(range(calls_before_loss))
    with pytest.raises(IndexError):
        publish(clickhouse, ask(), computed, "run 2", check_lease=permits.pop)
    assert (list(read_report(clickhouse, DAY)) == old) is (calls_before_loss == 0)
    assert recorded_load(clickhouse, "phrases_views_by_hour", DAY).run_id == "run 1"
    assert publish(clickhouse, ask(), computed, "run 2").rows == 1
    assert publication(clickhouse, DAY)[0] == "run 2"


def test_the_check_of_a_run_that_another_one_overtook(clickhouse: ClickHouse):
    """The day is what the later run recorded, cut by its own rule: neither of them is red."""
    insert(clickhouse, counters("-1/23:50=1 00:10=4 01:00=9"))
    first = publish(clickhouse, ask(), compute_report(clickhouse, ask(), "run 1", "1"))
    later = run(clickhouse, ask(time_zone="Asia/Kolkata", hour_rule="closing"), "run 2")
    assert check_report(clickhouse, ask(), first, "run 1") == len(later)


def test_a_day_of_a_version_that_knew_one_rule_is_checked_by_it(clickhouse: ClickHouse):
    """Published before an upgrade, checked after it: what the older version told has no `falls`."""
    insert(clickhouse, counters("-1/23:50=10 00:10=9 00:20=12"))
    older = ask(falls="reset")
    published = publish(clickhouse, older, compute_report(clickhouse, older, "run 1", "1"))
    told = published.model_dump(exclude={"falls"})
    assert check_report(clickhouse, ask(), PublishedReport.model_validate(told), "run 1") == 1


def test_a_report_of_one_campaign_reads_no_more_than_its_counters(clickhouse: ClickHouse):
    """And one granule at each end, of a million."""
    campaigns, own = 100, 10_080
    clickhouse.execute(
        "INSERT INTO phrases_views (campaign_id, phrase, views, dt) "
        "SELECT toInt32(1 + intDiv(number, 10080)), toString(number %% 70), toInt32(number %% 10080), "
        "toDateTime('2026-08-20 00:00:00', 'UTC') + intDiv(number %% 10080, 70) * 600 FROM numbers(%(rows)s)",
        {"rows": campaigns * own},
    )
    clickhouse.execute("OPTIMIZE TABLE phrases_views FINAL")
    assert len(compute(clickhouse, 50)) == 70 * 24
    assert own <= rows_read(clickhouse, 50) <= own + 2 * 8192


def compute(clickhouse: ClickHouse, campaign_id: int) -> list[tuple]:
    """Return the report's rows, straight from the SQL."""
    return clickhouse.execute(REPORT_SQL.read_text(), bound_params(ask(campaign_id)))


def rows_read(clickhouse: ClickHouse, campaign_id: int) -> int:
    """Return how many rows of the table the engine read for the report."""
    if clickhouse.is_server:
        compute(clickhouse, campaign_id)
        return clickhouse.last_query.progress.rows
    from clickhouse_driver.util.escape import escape_params

    query = REPORT_SQL.read_text() % escape_params(bound_params(ask(campaign_id)), clickhouse._context)
    result = clickhouse._engine().query(query, "Null")
    if not hasattr(result, "storage_rows_read"):
        pytest.skip("the chDB of engine 24.8 does not tell what was read")
    return result.storage_rows_read()
