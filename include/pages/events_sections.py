"""The reports of a topic's DAG, user_events or user_sessions, each as a chart and a table."""

from __future__ import annotations

from datetime import datetime

from include.inbox.preview import visible
from include.kafka.reports import ACTIONS, CHARACTERS, DAYS, HOURS, LETTERS, ActionHour, TopicReports
from include.pages.sections import Column, Section, chart, weekday_section
from include.text import shown_text

_OTHERS = "(all other actions)"
_INSTANT = "%Y-%m-%d %H:%M:%S"


def sections(reports: TopicReports) -> list[Section]:
    """Return the reports in the order of the page."""
    of_events = reports.table == "user_events"
    return [
        _hours(reports),
        *((_actions(reports), _by_action(reports)) if of_events else (weekday_section(reports.weekdays),)),
        _days(reports),
        _lag(reports),
        _reasons(reports),
        _letters(reports),
    ]


def safe(text: str) -> str:
    r"""Return a text of a message on one line, where each sign can be seen: others as \x00 and \u202e."""
    return visible(shown_text(text)).replace("\t", "\\t")


def _hours(reports: TopicReports) -> Section:
    rows = [(f"{row.hour:%Y-%m-%d %H:%M}", row.rows, row.users) for row in reports.hours]
    title, what = (
        ("Events by hour", "event_time") if _is_of_events(reports) else ("Sessions by hour", "session_start")
    )
    return Section(
        "by_hour",
        title,
        f"{reports.table}, by {what}, UTC: the {HOURS} hours up to the newest row. Users are counted once an "
        "hour.",
        (Column("hour", "Hour", number=False), _rows_column(reports), Column("users", "Users")),
        rows[::-1],
        chart(
            "by_hour",
            title,
            [f"{row.hour:%H}h" if row.hour.hour % 6 == 0 else "" for row in reports.hours],
            [row.rows for row in reports.hours],
            most=HOURS,
        ),
        _none(reports),
    )


def _actions(reports: TopicReports) -> Section:
    rows = [(safe(row.action), row.rows, row.users) for row in reports.actions]
    return Section(
        "by_action",
        "Events by action",
        f"user_events, of the same hours: the {ACTIONS} most frequent actions, by their first {CHARACTERS} "
        "characters.",
        (Column("action", "Action", number=False), Column("events", "Events"), Column("users", "Users")),
        rows,
        chart("by_action", "Events by action", [row[0] for row in rows], [row[1] for row in rows]),
        _none(reports),
    )


def _by_action(reports: TopicReports) -> Section:
    return Section(
        "by_hour_and_action",
        "Events by hour and action",
        "user_events: the actions above, in each of the hours.",
        (
            Column("hour", "Hour", number=False),
            Column("action", "Action", number=False),
            Column("events", "Events"),
            Column("users", "Users"),
        ),
        _with_others(reports),
        None,
        _none(reports),
    )


def _with_others(reports: TopicReports) -> list[tuple[object, ...]]:
    """Return the rows of each hour, newest first, and what is of none of the named actions."""
    of_hour: dict[datetime, list[ActionHour]] = {}
    for row in reports.by_action:
        of_hour.setdefault(row.hour, []).append(row)
    found: list[tuple[object, ...]] = []
    for hour in reversed(reports.hours):
        shown, named = f"{hour.hour:%Y-%m-%d %H:%M}", of_hour.get(hour.hour, [])
        found += [(shown, safe(row.action), row.rows, row.users) for row in named]
        rest = hour.rows - sum(row.rows for row in named)
        found += [(shown, _OTHERS, rest, None)] if rest > 0 else []
    return found


def _days(reports: TopicReports) -> Section:
    rows = [(str(row.day), row.users, row.rows) for row in reports.days]
    return Section(
        "users_by_day",
        "Users by day",
        f"{reports.table}: how many different users, in the {DAYS} days of UTC up to the newest row.",
        (Column("day", "Day", number=False), Column("users", "Users"), _rows_column(reports)),
        rows[::-1],
        chart("users_by_day", "Users by day", [row[0][5:] for row in rows], [row[1] for row in rows]),
        _none(reports),
    )


def _lag(reports: TopicReports) -> Section:
    at = (
        f"as of {reports.planned_at:{_INSTANT}} UTC, when the last run planned"
        if reports.planned_at
        else "not known"
    )
    rows = [
        (
            row.topic,
            row.partition,
            row.behind,
            row.open,
            row.done_to,
            *row[4:9],
            f"{row.published_at:{_INSTANT}}" if row.published_at else "",
        )
        for row in sorted(reports.partitions, key=lambda row: (row.behind is None, row.topic, row.partition))
    ]
    known = [row for row in rows if row[2] is not None]
    return Section(
        "lag_by_partition",
        "Lag by partition",
        f"Behind and open: {at}, less what it has read; open are offsets behind the last stable one, in "
        "transactions. Empty: another topic, which that run did not ask. All else: kafka_offsets.",
        (
            Column("topic", "Topic", number=False),
            *(Column(name, title) for name, title in _OF_PARTITION.items()),
            Column("published_at", "Last batch, UTC", number=False),
        ),
        rows,
        chart(
            "lag_by_partition",
            "Offsets behind, by partition",
            [str(row[1]) for row in known],
            [int(row[2] or 0) for row in known],
        ),
        "No batch has come in yet.",
    )


_OF_PARTITION = {
    "partition": "Partition",
    "behind": "Behind",
    "open": "Open",
    "next_offset": "Next offset",
    "rows": "Rows",
    "rejected": "Dead letters",
    "tombstones": "Tombstones",
    "hidden": "Hidden",
    "lost": "Lost",
}


def _reasons(reports: TopicReports) -> Section:
    return Section(
        "dead_letters_by_reason",
        "Dead letters by reason",
        "kafka_dead_letters, all of this DAG: the most frequent reasons.",
        (Column("reason", "Reason", number=False), Column("letters", "Dead letters")),
        [(safe(row.reason), row.letters) for row in reports.reasons],
        None,
        "There is none.",
    )


def _letters(reports: TopicReports) -> Section:
    return Section(
        "dead_letters",
        "The newest dead letters",
        f"kafka_dead_letters: the {LETTERS} newest ones, by when their batch came in. Of each text the first "
        f"{CHARACTERS} characters, and those that cannot be seen written as \\x00; the table has all.",
        (
            Column("published_at", "Came in, UTC", number=False),
            Column("topic", "Topic", number=False),
            Column("epoch", "Epoch"),
            Column("partition", "Partition"),
            Column("offset", "Offset"),
            Column("reason", "Reason", number=False),
            Column("key", "Key", number=False),
            Column("value", "Value", number=False),
            Column("bytes", "Bytes"),
            Column("encoding", "Encoding", number=False),
            Column("run_id", "Run", number=False),
        ),
        [
            (f"{row.published_at:{_INSTANT}}", row.topic, row.epoch, row.partition, row.offset,
             safe(row.reason), safe(row.key), safe(row.value), row.length, row.encoding, row.run_id)
            for row in reports.letters
        ],
        None,
        "There is none.",
    )  # fmt: skip


def _rows_column(reports: TopicReports) -> Column:
    return Column("events", "Events") if _is_of_events(reports) else Column("sessions", "Sessions")


def _is_of_events(reports: TopicReports) -> bool:
    return reports.table == "user_events"


def _none(reports: TopicReports) -> str:
    return f"The table {reports.table} is empty: no message has become a row yet. See the dead letters below."
