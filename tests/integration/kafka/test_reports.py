"""The reports of a topic's DAG on both engines, compared with what Python counts in the same rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from include.clickhouse.client import ClickHouse
from include.clickhouse.schema import migrate
from include.kafka.events import USER_EVENTS
from include.kafka.plan import Lag, Plan, Range
from include.kafka.reports import ACTIONS, CHARACTERS, HOURS, LETTERS, TopicReports, read_reports
from include.kafka.sessions import USER_SESSIONS

NEWEST = datetime(2026, 8, 20, 5, 59, 59, tzinfo=UTC)
AT = datetime(2026, 8, 20, 6, tzinfo=UTC)
HOSTILE = "</td><script>alert('x')</script>\u202e\x00\n=1+1"
_EVENT = "user_id, action, event_time, topic, epoch, `partition`, `offset`"
_SESSION = "session_id, user_id, session_start, click_count, topic, epoch, `partition`, `offset`"
_LETTER = "dag_id, topic, epoch, `partition`, `offset`, reason, key, value, encoding, run_id"
_OFFSETS = (
    "dag_id, topic, epoch, `partition`, from_offset, to_offset, rows, rejected, tombstones, hidden, lost, "
    "run_id, published_at"
)


@pytest.fixture
def clickhouse(connect) -> Iterator[ClickHouse]:
    """An open connection to migrated tables."""
    with connect() as connection:
        migrate(connection)
        yield connection


def events(count: int = 300) -> list[tuple]:
    """Rows of some hours and actions: each action is so many times as frequent as its number."""
    names = [name for number in range(1, 8) for name in [f"action-{number}"] * number]
    return [
        (f"u{n % 11}", names[n % len(names)], NEWEST - timedelta(minutes=17 * n), "t", 0, 0, n)
        for n in range(count)
    ]


def put(clickhouse: ClickHouse, table: str, columns: str, rows: list[tuple]) -> None:
    """Insert rows."""
    clickhouse.execute(f"INSERT INTO {table} ({columns}) VALUES", rows)


def ledger(start: int, end: int, rejected: int = 0, at: datetime = AT, **changes) -> tuple:
    """A line of the ledger."""
    line = {
        "dag_id": "user_events",
        "topic": "t",
        "epoch": 0,
        "partition": 0,
        "run_id": f"run {start}",
    } | changes
    place = (line["dag_id"], line["topic"], line["epoch"], line["partition"])
    return (*place, start, end, end - start - rejected, rejected, 0, 0, 0, line["run_id"], at)


def read(clickhouse: ClickHouse, plan: Plan | None = None) -> TopicReports:
    """Read the reports of user_events."""
    return read_reports(clickhouse, "user_events", USER_EVENTS, plan)


def a_plan(*ranges: Range, lags: tuple[Lag, ...], topic: str = "t") -> Plan:
    """A plan of these ranges."""
    return Plan(
        dag_id="user_events", run_id="run", topic=topic, format="json", max_rejected=0, epoch=0,
        cluster_id="", topic_id="", planned_at=AT, ranges=ranges, lags=lags,
    )  # fmt: skip


def test_hours_actions_and_users(clickhouse: ClickHouse):
    """Each number is what Python counts; hours and days without events are there too."""
    rows = events()
    put(clickhouse, "user_events", _EVENT, rows)
    found = read(clickhouse)
    assert (found.rows, found.newest) == (300, NEWEST)
    hour_of = {row[6]: row[2].replace(minute=0, second=0) for row in rows}
    users, by_action = defaultdict(set), Counter()
    first = NEWEST.replace(minute=0, second=0) - timedelta(hours=HOURS - 1)
    shown = [row for row in rows if row[2] >= first]
    assert len(shown) < len(rows)
    for row in shown:
        users[hour_of[row[6]]].add(row[0])
        by_action[hour_of[row[6]], row[1]] += 1
    counted = Counter(hour_of[row[6]] for row in shown)
    assert len(found.hours) == HOURS
    assert [each.hour for each in found.hours] == [first + timedelta(hours=n) for n in range(HOURS)]
    assert {each.hour: (each.rows, each.users) for each in found.hours} == {
        hour: (counted[hour], len(users[hour])) for hour in counted
    }
    assert {(each.hour, each.action): each.rows for each in found.by_action} == by_action
    assert {each.action: each.rows for each in found.actions} == Counter(row[1] for row in shown)
    assert [each.rows for each in found.actions] == sorted(
        (each.rows for each in found.actions), reverse=True
    )
    of_day = Counter(row[2].date() for row in rows)
    assert {each.day: each.rows for each in found.days if each.rows} == of_day
    assert len(found.days) == 14
    assert found.weekdays == []


def test_any_number_of_actions_of_any_length(clickhouse: ClickHouse):
    """The most frequent ones are named, by their first characters."""
    rows = [(f"u{n}", "€" * 5_000 + str(n), NEWEST, "t", 0, 0, n) for n in range(50)]
    rows += [("u", f"rare {n}", NEWEST, "t", 0, 1, n) for n in range(50)]
    put(clickhouse, "user_events", _EVENT, rows)
    found = read(clickhouse)
    assert found.actions[0] == ("€" * CHARACTERS, 50, 50)
    assert len(found.actions) == len(found.by_action) == ACTIONS


def test_sessions_by_weekday(clickhouse: ClickHouse):
    """All seven days; events have none."""
    rows = [
        (f"s{n}", "u1", NEWEST - timedelta(days=n), 3, "t", 0, 0, n) for n in (0, 1, 7)
    ]  # Thursday, Wednesday, Thursday
    put(clickhouse, "user_sessions", _SESSION, rows)
    found = read_reports(clickhouse, "user_sessions", USER_SESSIONS, None)
    assert [tuple(each) for each in found.weekdays if each.sessions] == [(3, 1, 3, 1), (4, 2, 6, 1)]
    assert len(found.weekdays) == 7
    assert (found.actions, found.by_action, found.newest) == ([], [], NEWEST)
    assert sum(each.rows for each in found.hours) == 2


def test_what_is_left_by_partition(clickhouse: ClickHouse):
    """As of the plan, with what a batch that was cut has left, also where it is all; others are not asked."""
    lines = [
        ledger(0, 10),
        ledger(10, 70, rejected=3),
        ledger(0, 5, partition=1),
        ledger(0, 9, topic="other"),
    ]
    lines += [ledger(0, 4, epoch=0, topic="anew"), ledger(0, 2, epoch=1, topic="anew")]
    lines += [ledger(0, 99, dag_id="user_sessions")]
    put(clickhouse, "kafka_offsets", _OFFSETS, lines)
    lags = (
        Lag(partition=0, behind=7, open=2),
        Lag(partition=1, behind=0, open=0),
        Lag(partition=2, behind=0, open=0),
        Lag(partition=3, behind=4, open=1),
    )
    ranges = Range(partition=0, start=10, end=100), Range(partition=3, start=2, end=8, lost=1)
    found = read(clickhouse, a_plan(*ranges, lags=lags))
    left = [(each.topic, each.partition, each.done_to, each.behind, each.open) for each in found.partitions]
    assert left == [
        ("anew", 0, 2, None, None), ("other", 0, 9, None, None), ("t", 0, 70, 37, 2), ("t", 1, 5, 0, 0),
        ("t", 3, None, 9, 1),
    ]  # fmt: skip
    assert (found.partitions[2].rows, found.partitions[2].rejected) == (67, 3)
    assert found.planned_at == AT


def test_the_newest_dead_letters(clickhouse: ClickHouse):
    """By when their batch came in, cut, and as many as a page can show."""
    later = AT + timedelta(hours=1)
    put(clickhouse, "kafka_offsets", _OFFSETS, [
        ledger(0, 100, rejected=100), ledger(100, 103, rejected=2, at=later),
        ledger(0, 1, rejected=1, topic="x"),
    ])  # fmt: skip
    letters = [
        ("user_events", "t", 0, 0, n, "the value is no JSON", "k", f"v{n}", "utf8", "run 0")
        for n in range(100)
    ]
    letters += [
        ("user_events", "t", 0, 0, 100, "reason", HOSTILE, HOSTILE + "€" * 10_000, "utf8", "run 100"),
        ("user_events", "t", 0, 0, 102, "reason", "", "/w==", "base64", "run 100"),
        ("user_events", "x", 0, 0, 0, "reason", "", "", "utf8", "run 0"),
        ("user_sessions", "t", 0, 0, 0, "reason", "", "", "utf8", "run 0"),
    ]
    put(clickhouse, "kafka_dead_letters", _LETTER, letters)
    found = read(clickhouse)
    assert len(found.letters) == LETTERS
    assert [each.offset for each in found.letters[:2]] == [102, 100]
    assert found.letters[0].encoding == "base64"
    cut = found.letters[1]
    assert (cut.key, cut.value) == (HOSTILE, (HOSTILE + "€" * 10_000)[:CHARACTERS])
    assert cut.length == len((HOSTILE + "€" * 10_000).encode())
    assert (cut.published_at, cut.run_id) == (later, "run 100")
    assert [tuple(each) for each in found.reasons] == [("the value is no JSON", 100), ("reason", 3)]


def test_nothing_yet(clickhouse: ClickHouse):
    """No report has rows, and none fails."""
    found = read(clickhouse)
    assert (found.rows, found.newest, found.planned_at) == (0, None, None)
    assert not any(found[4:])
