"""The phrase-views report of a day as files: a page and a TSV per campaign, a CSV of all rows, an index."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include.staging.files import StagingPath, write_atomically

HEAT_MAP_PHRASES = 40
_SHADES = 8
_HERE = Path(__file__).parent
_TSV_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class Request(Protocol):
    """What was asked for. Attributes: day, local in time_zone; hour_rule, sample or closing."""

    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def time_zone(self) -> str: ...  # noqa: D102
    @property
    def hour_rule(self) -> str: ...  # noqa: D102


class Row(Protocol):
    """Views gained by a phrase in an hour. hour is local, hour_start an aware instant."""

    @property
    def campaign_id(self) -> int: ...  # noqa: D102
    @property
    def phrase(self) -> str: ...  # noqa: D102
    @property
    def hour(self) -> int: ...  # noqa: D102
    @property
    def hour_start(self) -> datetime: ...  # noqa: D102
    @property
    def views(self) -> int: ...  # noqa: D102
    @property
    def flags(self) -> tuple[str, ...]: ...  # noqa: D102


class Phrase(NamedTuple):
    """A phrase's day. hours: (hour, views), newest first; by_start: views of an hour's start instant."""

    text: str
    views: int
    hours: list[tuple[int, int]]
    by_start: dict[datetime, int]
    flags: list[str]


def render_phrase_views(
    root: StagingPath, request: Request, rows: Iterable[Row], *, run_id: str, rendered_at: datetime
) -> StagingPath:
    """Write the files of a day below `<root>/phrase_views/<day>`, index.json last; return that directory.

    The same arguments give the same bytes. Files of campaigns that are gone are removed after the index.
    Raises: OSError with the path in it.
    """
    directory = root / "phrase_views" / request.day.isoformat()
    directory.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda row: (row.campaign_id, row.phrase, row.hour_start))
    campaigns: dict[int, list[Row]] = defaultdict(list)
    for row in ordered:
        campaigns[row.campaign_id].append(row)
    index = []
    for campaign_id, own in campaigns.items():
        phrases = _phrases(own)
        write_atomically(directory / f"{campaign_id}.tsv", _tsv(phrases).encode())
        page = _page(request, campaign_id, phrases, own, run_id, rendered_at)
        write_atomically(directory / f"{campaign_id}.html", page.encode())
        flags = dict(sorted(Counter(flag for row in own for flag in row.flags).items()))
        views = sum(row.views for row in own)
        index.append({"campaign_id": campaign_id, "phrases": len(phrases), "views": views, "flags": flags})
    write_atomically(directory / "rows.csv", _csv(request.day, ordered).encode())
    facts = {
        "day": request.day.isoformat(),
        "run_id": run_id,
        "rendered_at": rendered_at.isoformat(),
        "time_zone": request.time_zone,
        "hour_rule": request.hour_rule,
        "campaigns": index,
    }
    write_atomically(directory / "index.json", json.dumps(facts, ensure_ascii=False, indent=1).encode())
    _remove_gone(directory, {f"{number}.{kind}" for number in campaigns for kind in ("tsv", "html")})
    return directory


def _phrases(rows: Sequence[Row]) -> list[Phrase]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.phrase].append(row)
    return [
        Phrase(
            text,
            sum(row.views for row in own),
            [(row.hour, row.views) for row in reversed(own) if row.views],
            {row.hour_start.astimezone(UTC): row.views for row in own},
            sorted({flag for row in own for flag in row.flags}),
        )
        for text, own in grouped.items()
    ]


def _tsv(phrases: Iterable[Phrase]) -> str:
    lines = (f"{phrase.text.translate(_TSV_ESCAPES)}\t{phrase.hours}\n" for phrase in phrases if phrase.hours)
    return "phrase\tviews_by_hour\n" + "".join(lines)


def _csv(day: date, rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("date", "campaign_id", "phrase", "hour", "views", "flags", "hour_start"))
    for row in rows:
        start = row.hour_start.astimezone(UTC).isoformat()
        writer.writerow((day, row.campaign_id, row.phrase, row.hour, row.views, ",".join(row.flags), start))
    return text.getvalue()


def _page(
    request: Request, campaign_id: int, phrases: list[Phrase], rows: Sequence[Row], run_id: str, at: datetime
) -> str:
    zone = ZoneInfo(request.time_zone)
    starts = _hour_starts(request.day, zone, rows)
    by_hour = [sum(phrase.by_start.get(start, 0) for phrase in phrases) for start in starts]
    top = sorted(phrases, key=lambda phrase: (-phrase.views, phrase.text))[:HEAT_MAP_PHRASES]
    most = max((views for phrase in top for views in phrase.by_start.values()), default=0)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("phrase_views.html").render(
        request=request,
        campaign_id=campaign_id,
        phrases=sorted(phrases, key=lambda phrase: (-phrase.views, phrase.text)),
        top=top,
        starts=starts,
        labels=[f"{start.astimezone(zone):%H}" for start in starts],
        by_hour=by_hour,
        chart=Markup(_bars([f"{s.astimezone(zone):%H}" for s in starts], by_hour)),  # noqa: S704 - numbers only
        shade=lambda views: 0 if not views else 1 + (views * (_SHADES - 1)) // most,
        run_id=run_id,
        rendered_at=at,
        style=Markup((_HERE / "page.css").read_text()),  # noqa: S704 - our own file
        script=Markup((_HERE / "table.js").read_text()),  # noqa: S704 - our own file
    )


def _hour_starts(day: date, zone: ZoneInfo, rows: Iterable[Row]) -> list[datetime]:
    # Instants, not local hours: the day of a clock change has 23 or 25 of them.
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    whole = {start + timedelta(hours=n) for n in range(-(-int((end - start).total_seconds()) // 3600))}
    return sorted(whole | {row.hour_start.astimezone(UTC) for row in rows})


def _bars(labels: list[str], views: list[int]) -> str:
    import pygal  # type: ignore[import-untyped]
    from pygal.style import Style  # type: ignore[import-untyped]

    look = Style(
        background="transparent",
        plot_background="transparent",
        foreground="currentColor",
        foreground_strong="currentColor",
        foreground_subtle="currentColor",
        guide_stroke_color="currentColor",
        major_guide_stroke_color="currentColor",
        colors=("#2f81d6",),
        font_family="system-ui, sans-serif",
    )
    chart = pygal.Bar(js=[], style=look, no_prefix=True, show_legend=False, width=960, height=280)
    chart.disable_xml_declaration = True
    chart.x_labels = labels
    chart.add("views", views)
    chart.add_xml_filter(_without_script_and_date)
    # A browser hashes the style with its entities decoded; the text here is numbers and pygal's CSS only.
    return str(chart.render(is_unicode=True)).replace("&gt;", ">")


def _without_script_and_date(svg: Element) -> Element:
    # pygal adds a script for its tooltips, style attributes that a strict policy blocks, and a comment with
    # today's date, which would make two renderings of one day differ.
    for parent in list(svg.iter()):
        parent.attrib.pop("style", None)
        for child in list(parent):
            tooltip = "tooltip" in child.get("class", "").split()
            if child.tag == "script" or not isinstance(child.tag, str) or tooltip:
                parent.remove(child)
    return svg


def _remove_gone(directory: StagingPath, kept: set[str]) -> None:
    for file in list(directory.iterdir()):
        stem, _, kind = file.name.partition(".")
        if stem.isdecimal() and kind in ("tsv", "html") and file.name not in kept:
            file.unlink(missing_ok=True)
