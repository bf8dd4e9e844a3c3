"""The phrase-views report of a day as files: a page and a TSV a campaign, a CSV of all rows, an overview."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import NamedTuple

from attrs import define

from include.pages.campaign_page import FALLS, FLAGS, HOUR_RULES, Published, campaign_page
from include.pages.day_index import READABLE, withdraw_index_of_another, write_index
from include.pages.self_contained import self_contained_page
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest
from include.phrase_views.views_by_hour import views_by_hour_text
from include.staging.files import StagingPath, write_atomically, written_atomically
from include.text import bytes_of

PAGES = "phrase_views"  # the directory of all days below reports_root
_CSV_COLUMNS = (
    "date", "campaign_id", "phrase", "hour", "views", "flags", "hour_start", "time_zone", "hour_rule",
    "falls",
)  # fmt: skip


@define(slots=False)
class RowsOutOfOrder(ValueError):
    """Rows do not come by campaign, phrase and hour, each once. Attributes: row; before, the one before."""

    row: ReportRow
    before: ReportRow

    def __str__(self) -> str:
        return (
            f"rows must come by campaign_id, phrase, hour_start, each once: {self.row} after {self.before}. "
            "Next: report a defect, clearing the task does not help"
        )


class Campaign(NamedTuple):
    """A campaign's entry in index.json. Attributes: flags, how many hours of its phrases have each."""

    campaign_id: int
    phrases: int
    views: int
    flags: dict[str, int]
    time_zone: str
    hour_rule: str
    falls: str


def render_phrase_views(
    root: StagingPath,
    request: PhraseViewsRequest,
    rows: Iterable[ReportRow],
    *,
    run_id: str,
    published_at: datetime,
    check_lease: Callable[[], None] = lambda: None,
) -> StagingPath:
    """Write the files of a day below `<root>/phrase_views/<day>`, index.json last; return that directory.

    The same arguments give the same bytes. Memory is bounded by the rows of one campaign. The index of
    another publication goes before the first file is written: a day has files of one, or no index.

    Args: rows: of all campaigns, by campaign_id, phrase and hour_start; a campaign's rows agree in
        time_zone, hour_rule and falls. run_id, published_at: of the run that published the day, and when
        (aware).
        check_lease: called before each change in sight; what it raises ends the rendering.
    Raises: RowsOutOfOrder; OSError with the path in it.
    """
    directory = root / PAGES / request.day.isoformat()
    published = Published(run_id, published_at.astimezone(UTC))
    facts = _facts(request, published)
    check_lease()
    withdraw_index_of_another(directory, facts)
    campaigns = []
    with written_atomically(directory / "rows.csv", mode=READABLE) as write:
        write(_csv([_CSV_COLUMNS]))
        for campaign_id, group in groupby(_in_order(rows), key=lambda row: row.campaign_id):
            own = list(group)
            check_lease()
            _write(directory / f"{campaign_id}.tsv", bytes_of(views_by_hour_text(own)))
            _write(directory / f"{campaign_id}.html", campaign_page(request.day, own, published))
            write(_csv(_csv_lines(request.day, own)))
            campaigns.append(_summary(own))
        check_lease()
    _remove_gone(directory, {campaign.campaign_id for campaign in campaigns})
    _write(directory / "index.html", _overview(request, campaigns, published))
    check_lease()
    write_index(directory, facts | {"campaigns": [campaign._asdict() for campaign in campaigns]})
    return directory


def _write(path: StagingPath, data: bytes) -> None:
    write_atomically(path, data, mode=READABLE)


def _in_order(rows: Iterable[ReportRow]) -> Iterator[ReportRow]:
    # A campaign that came twice would take the place of its own files, without a word.
    before: ReportRow | None = None
    place_before: tuple[int, bytes, datetime] | None = None
    for row in rows:
        place = (row.campaign_id, bytes_of(row.phrase), row.hour_start)  # as ClickHouse orders texts
        if before is not None and place_before is not None and place <= place_before:
            raise RowsOutOfOrder(row, before)
        before, place_before = row, place
        yield row


def _summary(rows: Sequence[ReportRow]) -> Campaign:
    flags = Counter(flag for row in rows for flag in row.flags)
    return Campaign(
        rows[0].campaign_id,
        phrases=len({row.phrase for row in rows}),
        views=sum(row.views for row in rows),
        flags=dict(sorted(flags.items())),
        time_zone=rows[0].time_zone,
        hour_rule=rows[0].hour_rule,
        falls=rows[0].falls,
    )


def _csv_lines(day: date, rows: Iterable[ReportRow]) -> Iterator[Sequence[object]]:
    date_text = day.isoformat()
    instants: dict[datetime, str] = {}  # a day has few, and many rows of each
    for campaign_id, phrase, hour, views, flags, start, *read_by in rows:
        instant = instants.get(start) or instants.setdefault(start, start.astimezone(UTC).isoformat())
        yield date_text, campaign_id, phrase, hour, views, ",".join(flags), instant, *read_by


def _csv(lines: Iterable[Sequence[object]]) -> bytes:
    # Phrases are written as they are, also those that a spreadsheet takes for a formula: whoever reads the
    # file back must find them unchanged.
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return bytes_of(text.getvalue())


def _overview(request: PhraseViewsRequest, campaigns: Sequence[Campaign], published: Published) -> bytes:
    return self_contained_page(
        "phrase_views_day.html",
        styles=("page.css", "phrase_views.css"),
        scripts=("table.js",),
        request=request,
        campaigns=campaigns,
        views=sum(campaign.views for campaign in campaigns),
        phrases=sum(campaign.phrases for campaign in campaigns),
        flags=FLAGS,
        hour_rules=HOUR_RULES,
        falls=FALLS,
        published=published,
    )


def _facts(request: PhraseViewsRequest, published: Published) -> dict[str, object]:
    return {
        "day": request.day.isoformat(),
        "run_id": published.run_id,
        "published_at": published.published_at.isoformat(),
        "asked_for": list(request.campaign_ids),
        "time_zone": request.time_zone,
        "hour_rule": request.hour_rule,
        "falls": request.falls,
    }


def _remove_gone(directory: StagingPath, campaign_ids: set[int]) -> None:
    for file in list(directory.iterdir()):
        campaign = re.fullmatch(r"(-?[0-9]+)\.(tsv|html)", file.name)
        if campaign and int(campaign[1]) not in campaign_ids:
            file.unlink(missing_ok=True)
