"""The page of one campaign and day: totals, a bar chart, a heat map, and a table of its phrases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from math import isqrt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup

from include.pages.bar_chart import bar_chart
from include.pages.self_contained import self_contained_page
from include.phrase_views.hours import Hour, hours
from include.phrase_views.report_row import ReportRow
from include.text import shown_text

HEAT_MAP_PHRASES = 40
TABLE_PHRASES = 20_000  # a page of about 6 MB; the TSV has all of them
ROWS_AT_ONCE = 200  # the browser lays out this many unless asked for all: 5,000 take it a second
_SHADES = 8
_GLUE = "\N{NO-BREAK SPACE}"


class Published(NamedTuple):
    """By which run a day was published, and when (UTC)."""

    run_id: str
    published_at: datetime


class Flag(NamedTuple):
    """A flag of an hour. Attributes: mark, beside the number; meaning."""

    mark: str
    meaning: str


FLAGS = {
    "corrected": Flag(
        "¶",
        "the counter fell, to half its value or more: it gains nothing until it is above its highest value",
    ),
    "gap": Flag("†", "no sample for an hour or more: the whole gain is in the hour of the next sample"),
    "partial": Flag("‡", "no sample in the seven days before: counting begins with the day's first sample"),
    "reset": Flag(
        "§",
        "the counter fell, below half its value or by the rule reset: its new value counts as the gain since",
    ),
}
HOUR_RULES = {
    "sample": "a gain belongs to the hour of the sample that shows it",
    "closing": "a gain belongs to the hour of the sample that shows it; a sample stamped exactly HH:00:00 "
    "closes the hour before",
}


FALLS = {
    "correct": "one that falls to half its value or more was corrected, and gains nothing until it is above "
    "its highest value; one that falls below was reset, and its new value is the gain",
    "reset": "each was reset, and its new value is the gain",
}


class Column(NamedTuple):
    """An hour of the day.

    Attributes: start, its instant; name, what local clocks show; offset, from UTC, where the day has a second
    hour of that name; views; flags, how many phrases have each.
    """

    start: datetime
    name: str
    offset: str
    views: int
    flags: Counter[str]

    @property
    def label(self) -> str:
        """A text that no other hour of the day has."""
        return f"{self.name} {self.offset}".rstrip()


class Phrase(NamedTuple):
    """A phrase's day.

    Attributes: text, as it is shown; views, of all hours; flags, of any hour; cells, by start of the hour;
    is_utf8, False where bytes of it are shown escaped.
    """

    text: str
    views: int
    flags: list[str]
    cells: dict[datetime, ReportRow]
    is_utf8: bool


def campaign_page(day: date, rows: Sequence[ReportRow], published: Published) -> bytes:
    """Return the page, self-contained; `rows` are those of one campaign, at least one, by phrase and hour.

    The same arguments give the same bytes.
    """
    columns = _columns(day, rows)
    phrases = sorted(_phrases(rows), key=lambda phrase: (-phrase.views, phrase.text))
    top = phrases[:HEAT_MAP_PHRASES]
    most = max(row.views for phrase in top for row in phrase.cells.values())
    peak = max(columns, key=lambda column: column.views)
    labels = {column.start: column.label.replace(" ", _GLUE) for column in columns}
    return self_contained_page(
        "phrase_views.html",
        styles=("page.css", "phrase_views.css"),
        scripts=("table.js",),
        day=day,
        campaign_id=rows[0].campaign_id,
        time_zone=rows[0].time_zone,
        hour_rule=HOUR_RULES[rows[0].hour_rule],
        falls=FALLS[rows[0].falls],
        views=sum(column.views for column in columns),
        gained=sum(1 for phrase in phrases if phrase.views),
        phrases=phrases[:TABLE_PHRASES],
        phrase_count=len(phrases),
        escaped=sum(1 for phrase in phrases if not phrase.is_utf8),
        rows_at_once=ROWS_AT_ONCE,
        columns=columns,
        clocks_change=_clocks_change(columns, rows[0].time_zone),
        chart=_chart(columns, peak),
        peak=peak,
        top=top,
        most=most,
        shades=_SHADES,
        shade=lambda views: views and max(1, isqrt(_SHADES**2 * views // most)),
        flags=FLAGS,
        flag_counts=Counter(flag for row in rows for flag in row.flags),
        short=short,
        by_hour=lambda phrase: _by_hour(phrase, labels),
        published=published,
    )


def short(views: int) -> str:
    """Return a number in at most four signs, up to 999G: 999 1.2k 12k 999k 1.0M."""
    if views < 1000:  # noqa: PLR2004 - the first of four digits
        return str(views)
    units = ((10**3, "k"), (10**6, "M"), (10**9, "G"))
    size, unit = next((unit for unit in units if views < 999.5 * unit[0]), units[-1])
    return f"{views / size:.{1 if views < 9.95 * size else 0}f}{unit}"


def marks(flags: Iterable[str]) -> str:
    """Return the marks of flags."""
    return "".join(FLAGS[flag].mark for flag in flags)


def _columns(day: date, rows: Sequence[ReportRow]) -> list[Column]:
    # The hours of the rows as well: the zone's rules may have been others when the day was published.
    zone = ZoneInfo(rows[0].time_zone)
    found = sorted({*hours(day, rows[0].time_zone), *(Hour(row.hour_start, row.hour) for row in rows)})
    names = Counter(hour for _, hour in found)
    views: Counter[datetime] = Counter()
    flags: dict[datetime, Counter[str]] = {start: Counter() for start, _ in found}
    for row in rows:
        views[row.hour_start] += row.views
        for flag in row.flags:
            flags[row.hour_start][flag] += 1
    return [
        Column(
            start.astimezone(UTC),
            f"{hour:02}",
            _offset(start.astimezone(zone)) if names[hour] > 1 else "",
            views[start],
            flags[start],
        )
        for start, hour in found
    ]


def _offset(local: datetime) -> str:
    return local.isoformat()[-6:]  # "%:z" is not known to Python 3.11


def _phrases(rows: Sequence[ReportRow]) -> Iterator[Phrase]:
    for text, group in groupby(rows, key=lambda row: row.phrase):
        cells = {row.hour_start: row for row in group}
        flags = {flag for row in cells.values() for flag in row.flags}
        views, shown = sum(row.views for row in cells.values()), shown_text(text)
        yield Phrase(shown, views, sorted(flags), cells, is_utf8=shown == text)


def _by_hour(phrase: Phrase, labels: dict[datetime, str]) -> str:
    # Hours newest first, as in the TSV; a line breaks between two of them only.
    return f"{_GLUE}· ".join(
        f"{labels[start]}:{_GLUE}{row.views:,}{marks(row.flags) if row.flags else ''}"
        for start, row in reversed(phrase.cells.items())
    )


def _clocks_change(columns: Sequence[Column], time_zone: str) -> bool:
    zone = ZoneInfo(time_zone)
    return len({column.start.astimezone(zone).utcoffset() for column in columns}) > 1


def _chart(columns: Sequence[Column], peak: Column) -> Markup:
    return bar_chart(
        [column.label for column in columns],
        [column.views for column in columns],
        title="Views by local hour",
        description=f"Most in hour {peak.label}: {peak.views:,}. The numbers are in the table below.",
        shown=short,
        slanted=any(column.offset for column in columns),
    )
