"""The reports of a topic's DAG, as readers find them in ClickHouse: bounded, whatever is in the messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from include.clickhouse.client import ClickHouse
from include.kafka.messages import RowType
from include.kafka.plan import Plan
from include.text import text_of

HOURS, DAYS = 48, 14  # up to the newest row
ACTIONS, LETTERS, REASONS = 20, 50, 50  # at the most
CHARACTERS = 300  # of a text that is from a message
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SQL = Path(__file__).parent / "report_sql"


class Hour(NamedTuple):
    """Rows of an hour, UTC. Attributes: hour, its start; users, how many different ones."""

    hour: datetime
    rows: int
    users: int


class Day(NamedTuple):
    """Rows of a day, UTC. Attributes: users, how many different ones."""

    day: date
    rows: int
    users: int


class Action(NamedTuple):
    """Events of an action, its name cut. Attributes: users, how many different ones."""

    action: str
    rows: int
    users: int


class ActionHour(NamedTuple):
    """Events of an hour and an action."""

    hour: datetime
    action: str
    rows: int
    users: int


class Weekday(NamedTuple):
    """Sessions that began on a day of the week, 1 Monday to 7 Sunday, UTC."""

    weekday: int
    sessions: int
    clicks: int
    users: int


class Partition(NamedTuple):
    """What is done of a partition, in the topic's last epoch, and what is left of it.

    Attributes: done_to, the offset of the next run; rows to lost, offsets by what became of them; behind,
    open, left when the last run planned, None where that was not asked: of another topic; published_at, of
    the last batch. done_to and published_at are None where no run has read the partition yet.
    """

    topic: str
    epoch: int
    partition: int
    done_to: int | None
    rows: int
    rejected: int
    tombstones: int
    hidden: int
    lost: int
    behind: int | None
    open: int | None
    published_at: datetime | None


class Reason(NamedTuple):
    """How many dead letters have a reason."""

    reason: str
    letters: int


class Letter(NamedTuple):
    """A dead letter, texts cut. Attributes: published_at, run_id: of its batch; length: of the value."""

    published_at: datetime
    topic: str
    epoch: int
    partition: int
    offset: int
    reason: str
    key: str
    value: str
    length: int
    encoding: str
    run_id: str


class TopicReports(NamedTuple):
    """All that a page shows. Attributes: newest, the time of the newest row; planned_at, of the lags.

    actions and by_action are of events, weekdays of sessions: else empty.
    """

    table: str
    rows: int
    newest: datetime | None
    planned_at: datetime | None
    hours: list[Hour]
    days: list[Day]
    actions: list[Action]
    by_action: list[ActionHour]
    weekdays: list[Weekday]
    partitions: list[Partition]
    reasons: list[Reason]
    letters: list[Letter]


def read_reports(clickhouse: ClickHouse, dag_id: str, row_type: RowType, plan: Plan | None) -> TopicReports:
    """Read all reports of a DAG.

    Args: plan, of the last run, which knows what is left. Raises: ClickHouseError.
    """
    names = {"table": row_type.table, "time": row_type.event_time}
    ((rows, seconds),) = clickhouse.execute(
        "SELECT count(), toUnixTimestamp(max({time})) FROM {table}".format(**names)
    )
    newest = _instant(seconds) if rows else None
    hours, days, actions, by_action = list[Hour](), list[Day](), list[Action](), list[ActionHour]()
    if newest:
        end = newest.replace(minute=0, second=0) + _HOUR
        hours = _hours(clickhouse, names, end)
        days = _days(clickhouse, names, newest)
        if "action" in row_type.columns:
            actions, by_action = _actions(clickhouse, end)
    is_of_sessions = "session_start" in row_type.columns
    bound: dict[str, object] = {"dag_id": dag_id, "characters": CHARACTERS, "most": REASONS}
    return TopicReports(
        row_type.table,
        rows,
        newest,
        plan.planned_at if plan else None,
        hours,
        days,
        actions,
        by_action,
        by_weekday(clickhouse) if is_of_sessions else [],
        _partitions(clickhouse, dag_id, plan),
        [Reason(*map(_text, row)) for row in _ask(clickhouse, "reasons", bound)],
        _letters(clickhouse, dag_id),
    )


def by_weekday(clickhouse: ClickHouse) -> list[Weekday]:
    """Return sessions by weekday, all seven; none where there are no sessions. Raises: ClickHouseError."""
    found = {row[0]: Weekday(*row) for row in _ask(clickhouse, "by_weekday", {})}
    return [found.get(number, Weekday(number, 0, 0, 0)) for number in range(1, 8)] if found else []


def _hours(clickhouse: ClickHouse, names: Mapping[str, str], end: datetime) -> list[Hour]:
    """Return each hour, also those without rows."""
    first = end - HOURS * _HOUR
    found = {row[0]: row for row in _ask(clickhouse, "by_hour", _between(first, end), names)}
    each = [first + number * _HOUR for number in range(HOURS)]
    return [Hour(at, *found.get(int(at.timestamp()), (0, 0, 0))[1:]) for at in each]


def _days(clickhouse: ClickHouse, names: Mapping[str, str], newest: datetime) -> list[Day]:
    """Return each day, also those without rows."""
    end = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + _DAY
    first = end - DAYS * _DAY
    found = {row[0]: row for row in _ask(clickhouse, "by_day", _between(first, end), names)}
    each = [(first + number * _DAY).date() for number in range(DAYS)]
    return [Day(day, *found.get(day, (day, 0, 0))[1:]) for day in each]


def _actions(clickhouse: ClickHouse, end: datetime) -> tuple[list[Action], list[ActionHour]]:
    """Return the most frequent actions, and their hours."""
    bound = _between(end - HOURS * _HOUR, end) | {"characters": CHARACTERS, "most": ACTIONS}
    actions = [Action(*map(_text, row)) for row in _ask(clickhouse, "by_action", bound)]
    found = _ask(clickhouse, "by_hour_and_action", bound)
    return actions, [ActionHour(_instant(hour), *map(_text, rest)) for hour, *rest in found]


def _partitions(clickhouse: ClickHouse, dag_id: str, plan: Plan | None) -> list[Partition]:
    rows = _ask(clickhouse, "partitions", {"dag_id": dag_id})
    last_epoch = {row[0]: row[1] for row in rows}  # they are sorted by it
    ends = {each.partition: each.end for each in plan.ranges} if plan else {}
    lags = {each.partition: each for each in plan.lags} if plan else {}
    found = []
    for topic, epoch, partition, done_to, *counts, seconds in rows:
        if epoch != last_epoch[topic]:
            continue
        behind, in_transactions = None, None
        if plan and (plan.topic, plan.epoch) == (topic, epoch) and partition in lags:
            # A batch may end before its plan does.
            behind = max(0, ends.get(partition, done_to) - done_to) + lags[partition].behind
            in_transactions = lags[partition].open
        left = behind, in_transactions, _instant(seconds)
        found.append(Partition._make((topic, epoch, partition, done_to, *counts, *left)))
    return sorted([*found, *_unread(plan, found)], key=lambda each: each[:3]) if plan else found


def _unread(plan: Plan, known: Sequence[Partition]) -> list[Partition]:
    """Return the partitions that are behind, and that the ledger does not know yet."""
    there = {each.partition for each in known if (each.topic, each.epoch) == (plan.topic, plan.epoch)}
    planned = {each.partition: each.end - each.first for each in plan.ranges}
    left = [(each, planned.get(each.partition, 0) + each.behind) for each in plan.lags]
    return [
        Partition(plan.topic, plan.epoch, lag.partition, None, 0, 0, 0, 0, 0, behind, lag.open, None)
        for lag, behind in left
        if lag.partition not in there and (behind or lag.open)
    ]


def _letters(clickhouse: ClickHouse, dag_id: str) -> list[Letter]:
    """Return the newest dead letters, range after range: the ledger says when they came."""
    bound: dict[str, object] = {"dag_id": dag_id, "most": LETTERS}
    found = list[Letter]()
    for topic, epoch, partition, start, end, seconds, run_id in _ask(clickhouse, "rejected_ranges", bound):
        if len(found) >= LETTERS:
            break
        bound |= {"topic": topic, "epoch": epoch, "partition": partition, "start": start, "end": end}
        bound |= {"most": LETTERS - len(found), "characters": CHARACTERS}
        for offset, *texts in _ask(clickhouse, "letters", bound):
            reason, key, value, length, encoding = map(_text, texts)
            place = topic, epoch, partition, offset
            found.append(Letter(_instant(seconds), *place, reason, key, value, length, encoding, run_id))
    return found


def _ask(
    clickhouse: ClickHouse, name: str, bound: Mapping[str, object], names: Mapping[str, str] | None = None
) -> Sequence[tuple[Any, ...]]:
    query = (_SQL / f"{name}.sql").read_text()
    rows: Sequence[tuple[Any, ...]] = clickhouse.execute(
        query.format(**names) if names else query, dict(bound)
    )
    return rows


def _between(first: datetime, end: datetime) -> dict[str, object]:
    return {"first": int(first.timestamp()), "end": int(end.timestamp())}


def _text(value: Any) -> Any:
    return text_of(value) if isinstance(value, str | bytes) else value


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
