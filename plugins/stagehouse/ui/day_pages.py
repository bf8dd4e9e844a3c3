"""The pages of a section that has one for each day: a day to choose, what is rendered of it, its reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response

from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.archive import Archive, Index, NotPublished, RenderedReports, read_day
from stagehouse.ui.days import neighbours
from stagehouse.ui.responses import download, page, rendered_page
from stagehouse.ui.sections import Section


def archive_of(section: Section) -> Archive:
    """Return the days of a section."""
    return Archive(reports_root(), section.folder)


def file_name(section: Section, name: str) -> str:
    """Return what a file of a section is called as a download."""
    return f"{section.folder}-{name}".replace("_", "-")


def show_day(
    request: Request,
    section: Section,
    kind: type[Index],
    template: str,
    day: str,
    *,
    empty: str = "empty.html",
    of_index: Callable[[Index], Mapping[str, Any]] = lambda _: {},
    **facts: Any,
) -> Response:
    """Return the page of a day, the newest unless told; `empty` where there is none yet.

    Args: kind, of the day's index; of_index: more that the template shows of a day.
    """
    archive = archive_of(section)
    index = archive.index(read_day(day), kind) if day else archive.newest(kind)
    if index is None:
        return page(request, empty, section=section, **facts)
    days = archive.days()
    beside = neighbours(days, index.day)
    shown = {**facts, **of_index(index)}
    return page(request, template, section=section, index=index, days=days, neighbours=beside, **shown)


def rendered_index(section: Section, day: str, *, keep: bool) -> Response:
    """Return the rendered page of a day, to be shown or, with `keep`, as a download."""
    wanted = read_day(day)
    file = archive_of(section).open(wanted, "index.html")
    return download(file, file_name(section, f"{wanted}.html")) if keep else rendered_page(file)


def report_csv(section: Section, day: str, report: str) -> Response:
    """Return a report that the day's index names as a download. Raises: NotPublished."""
    archive, wanted = archive_of(section), read_day(day)
    known = {each: each for each in archive.index(wanted, RenderedReports).reports}
    if report not in known:
        raise NotPublished(f"{section.title}: there is no such report of {wanted}")
    file = archive.open(wanted, f"{known[report]}.csv")
    return download(file, file_name(section, f"{wanted}-{known[report]}.csv"))
