"""Sections of a page: each a report with its source, a chart and a table, and its rows as a CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from markupsafe import Markup

from include.kafka.reports import Weekday
from include.pages.bar_chart import bar_chart
from include.pages.campaign_page import short
from include.pages.day_index import READABLE, withdraw_index_of_another, write_index
from include.pages.self_contained import self_contained_page
from include.staging.files import StagingPath, write_atomically
from include.text import bytes_of, shown_text

ROWS_SHOWN = 200  # of a table; its CSV has all of them
_STYLES = ("page.css", "phrase_views.css", "sections.css")
_BARS, _LABEL = 16, 12  # of a chart: how many, and characters of a label
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Column(NamedTuple):
    """A column of a table. Attributes: name, as in the CSV; title; number, whether to align it so."""

    name: str
    title: str
    number: bool = True


class Section(NamedTuple):
    """A report.

    Attributes: slug, of its file; title; source, tables and what is counted; columns; rows; chart, None where
    there is nothing to draw; note, in the place of an empty report.
    """

    slug: str
    title: str
    source: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    chart: Markup | None
    note: str = "There is none yet."


def text(value: object) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return shown_text(str(value))


def weekday_section(found: Sequence[Weekday]) -> Section:
    """Return the report of sessions by weekday."""
    rows = [(_WEEKDAYS[row.weekday - 1], *row[1:]) for row in found]
    return Section(
        "sessions_by_weekday",
        "Sessions by weekday",
        "user_sessions, by session_start, UTC.",
        (
            Column("weekday", "Day", number=False),
            Column("sessions", "Sessions"),
            Column("clicks", "Clicks"),
            Column("users", "Users"),
        ),
        rows,
        chart(
            "sessions_by_weekday", "Sessions by weekday", [row[0] for row in rows], [row[1] for row in rows]
        ),
        "There are no sessions: the table user_sessions is empty. The DAG of that name fills it.",
    )


def chart(
    name: str,
    title: str,
    labels: Iterable[str],
    values: Sequence[int],
    *,
    most: int = _BARS,
    shown: Callable[[int], str] = short,
) -> Markup | None:
    """Draw the first `most` of the bars; None where there is nothing to see. Below zero none is drawn."""
    if not any(value > 0 for value in values):
        return None
    pairs = list(zip((_label(label) for label in labels), values, strict=True))[:most]
    most_of_all = max(value for _, value in pairs)
    return bar_chart(
        [label for label, _ in pairs],
        [max(value, 0) for _, value in pairs],
        title=title,
        description=f"The highest is {shown(most_of_all)}. The numbers are in the table below.",
        shown=shown,
        slanted=len(pairs) > _BARS // 2,
        with_values=len(pairs) <= _BARS,
        name=name.replace("_", "-"),
    )


def _label(label: str) -> str:
    label = shown_text(label)
    return label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…"


def render_sections(
    directory: StagingPath,
    template: str,
    sections: Sequence[Section],
    *,
    styles: Sequence[str],
    run_id: str,
    published_at: datetime,
    check_lease: Callable[[], None],
    **facts: object,
) -> None:
    """Write a page of `directory`, a day's; a CSV of each of its sections, and index.json last.

    The same arguments give the same bytes.

    Args: styles, beside those that all such pages have; check_lease: called before each change in sight; what
    it raises ends the rendering; facts, that the template shows beside the sections.
    Raises: OSError with the path in it.
    """
    page = self_contained_page(
        template,
        styles=(*_STYLES, *styles),
        scripts=(),
        sections=sections,
        rows_shown=ROWS_SHOWN,
        text=text,
        run_id=run_id,
        published_at=published_at,
        **facts,
    )
    told = {
        "day": directory.name,
        "run_id": run_id,
        "published_at": published_at.isoformat(),
        "reports": [section.slug for section in sections],
        "sha256": hashlib.sha256(page).hexdigest(),
    }
    check_lease()
    withdraw_index_of_another(directory, told)
    write_atomically(directory / "index.html", page, mode=READABLE)
    for section in sections:
        heads = [column.name for column in section.columns]
        write_atomically(directory / f"{section.slug}.csv", _csv([heads, *section.rows]), mode=READABLE)
    check_lease()
    write_index(directory, told)


def _csv(lines: Sequence[Sequence[object]]) -> bytes:
    # Names are written as they are: whoever reads the file back must find them unchanged.
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return bytes_of(text.getvalue())
