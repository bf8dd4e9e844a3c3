"""What is read of published tables, from both engines."""

from datetime import UTC, date, datetime, timedelta

from include.clickhouse.client import ClickHouse
from include.monitoring.facts import Ledger, Published, Synced, late_by, unpublished_days
from include.monitoring.published import read_published

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
TODAY = NOW.date()


def load(clickhouse: ClickHouse, table: str, day: date, rows: int, published_at: datetime, run_id: str = "r"):
    """Record a day as published."""
    clickhouse.execute(
        "INSERT INTO loads (`table`, date, rows, checksum, run_id, published_at) VALUES",
        [(table, day, rows, 1, run_id, published_at.replace(tzinfo=None))],
    )


def test_a_database_that_no_run_has_used(connect):
    """Has nothing published: no table is missed, and none is made."""
    with connect() as clickhouse:
        clickhouse.execute("CREATE TABLE other (n UInt8) ENGINE = Memory")
        assert read_published(clickhouse, NOW) == Published()


def test_days(clickhouse: ClickHouse):
    """Are covered until the end of the newest whole one; the last two weeks are counted by day."""
    for ago in range(3, 30):
        load(
            clickhouse,
            "repositories_positions",
            TODAY - timedelta(days=ago),
            100 + ago,
            NOW - timedelta(days=ago - 1),
        )
    load(clickhouse, "repositories_positions", TODAY - timedelta(days=3), 90, NOW, "again")
    early = datetime(2026, 11, 18, 20, tzinfo=UTC)  # of a day that is not over
    load(clickhouse, "repositories_positions", TODAY - timedelta(days=2), 7, early)
    (table,) = read_published(clickhouse, NOW).tables
    assert (table.table, table.dag_id) == ("repositories_positions", "github_top_repositories")
    assert table.covered_until == datetime(2026, 11, 18, tzinfo=UTC)
    assert (table.published_at, table.run_id) == (NOW, "again")
    assert table.rows[TODAY - timedelta(days=3)] == 90
    assert sorted(table.rows) == [TODAY - timedelta(days=ago) for ago in range(14, 1, -1)]
    assert late_by(table, 6, NOW) == timedelta(days=1, hours=3, minutes=30)
    assert late_by(table, None, NOW) == timedelta()
    assert unpublished_days(table, NOW) == 1


def test_days_that_are_missing_for_weeks(clickhouse: ClickHouse):
    """Are missing all, also where none of the last two weeks has rows."""
    load(clickhouse, "phrases_views_by_hour", date(2026, 10, 1), 5, NOW)
    load(clickhouse, "repositories_positions", date(2026, 10, 1), 5, NOW)
    load(clickhouse, "repositories_positions", date(2026, 11, 18), 5, NOW)
    load(clickhouse, "repositories_outcomes", date(2026, 11, 18), 5, NOW)
    found = {table.table: unpublished_days(table, NOW) for table in read_published(clickhouse, NOW).tables}
    assert found == {"phrases_views_by_hour": 14, "repositories_positions": 13, "repositories_outcomes": 1}


def test_a_day_is_late_from_its_hour_on(clickhouse: ClickHouse):
    """And not a second before."""
    load(clickhouse, "phrases_views_by_hour", date(2026, 11, 18), 5, datetime(2026, 11, 19, 1, tzinfo=UTC))
    (table,) = read_published(clickhouse, NOW).tables
    at_six = datetime(2026, 11, 20, 6, tzinfo=UTC)
    assert late_by(table, 6, at_six) == timedelta()
    assert late_by(table, 6, at_six + timedelta(seconds=1)) == timedelta(seconds=1)


def test_other_units(clickhouse: ClickHouse):
    """Have rows by the day that they belong to, and no day that could be late."""
    clickhouse.execute(
        "INSERT INTO loads_by_unit (`table`, unit, date, rows, checksum, run_id, published_at) VALUES",
        [("api_calls", f"u{n}", TODAY, n, 1, f"run {n}", NOW.replace(tzinfo=None, minute=n)) for n in (1, 2)],
    )
    (table,) = read_published(clickhouse, NOW).tables
    assert (table.dag_id, table.covered_until, table.run_id, dict(table.rows)) == (
        "api_calls",
        None,
        "run 2",
        {TODAY: 3},
    )
    assert late_by(table, 6, NOW) == timedelta()


def test_topics(clickhouse: ClickHouse):
    """Have the rows of each day, and the offsets of the last epoch."""
    row = {"dag_id": "user_events", "topic": "t", "published_at": NOW.replace(tzinfo=None), "run_id": "r"}
    ranges = [(0, 0, 0, 9), (1, 0, 0, 4), (1, 1, 0, 6), (1, 0, 4, 5)]
    columns = "dag_id, topic, epoch, `partition`, from_offset, to_offset, rows, run_id, published_at"
    clickhouse.execute(
        f"INSERT INTO kafka_offsets ({columns}) VALUES",
        [
            (row["dag_id"], row["topic"], *each, each[3] - each[2], row["run_id"], row["published_at"])
            for each in ranges
        ],
    )
    found = read_published(clickhouse, NOW)
    assert found.ledgers == (Ledger("user_events", "t", {0: 5, 1: 6}),)
    assert [(table.table, dict(table.rows)) for table in found.tables] == [("user_events", {TODAY: 20})]


def test_topics_of_long_ago(clickhouse: ClickHouse):
    """Are forgotten, but for the one that a DAG read last: what was tried once is not waited for for ever."""
    columns = "dag_id, topic, `partition`, to_offset, run_id, published_at"
    read = [
        ("user_events", "tried_once", NOW - timedelta(days=15)),
        ("user_events", "recent", NOW - timedelta(days=13)),
        ("user_sessions", "older", NOW - timedelta(days=90)),
        ("user_sessions", "last", NOW - timedelta(days=80)),
    ]
    clickhouse.execute(
        f"INSERT INTO kafka_offsets ({columns}) VALUES",
        [(dag_id, topic, 0, 5, "r", at.replace(tzinfo=None)) for dag_id, topic, at in read],
    )
    assert [ledger.topic for ledger in read_published(clickhouse, NOW).ledgers] == ["recent", "last"]


def test_the_source_of_the_shop(clickhouse: ClickHouse):
    """Is published up to the instant of its newest version."""
    columns = (
        "source, version, low, high, system_identifier, started_at, tables, full_check, run_id, taken_at"
    )
    clickhouse.execute(
        f"INSERT INTO source_snapshots ({columns}) VALUES",
        [
            ("shop", n, 1, 1, 1, "", tables, 0, f"r{n}", NOW.replace(tzinfo=None, hour=n))
            for n, tables in ((1, "{}"), (2, '{"users": {}, "sales": {}}'))
        ],
    )
    newest = Synced("shop_sync", "shop", NOW.replace(hour=2), "r2", ("sales", "users"))
    assert read_published(clickhouse, NOW).synced == (newest,)


def test_the_cost_of_the_last_run_of_github(clickhouse: ClickHouse):
    """Is that of the newest plan or end."""
    columns = "dag_id, run_id, date, planned_at, requests_planned, quota_left, fits, requests"
    clickhouse.execute(
        f"INSERT INTO runs ({columns}) VALUES",
        [
            ("github_top_repositories", f"r{n}", TODAY, NOW.replace(tzinfo=None, hour=n), n, 40, 0, n + 1)
            for n in (1, 2)
        ],
    )
    github = read_published(clickhouse, NOW).github
    assert (github.run_id, github.requests_planned, github.requests, github.quota_left, github.fits) == (
        "r2",
        2,
        3,
        40,
        0,
    )
