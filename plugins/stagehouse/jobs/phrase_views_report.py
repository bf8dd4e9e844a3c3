"""The work of phrase_views_report: its request and its own tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from include.phrase_views.request import read_request
from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.storage_roots import reports_root
from stagehouse.pipeline.rendering import end_rendering
from stagehouse.pipeline.run_context import request_of_this_run, run_context, this_attempt

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.phrase_views.request import PhraseViewsRequest
    from include.postgres.lease import Lease

TABLE = "phrases_views_by_hour"


def run_request() -> PhraseViewsRequest:
    """Return what the run is asked for. Raises: BadParam."""
    return request_of_this_run(read_request)


def report_run() -> dict[str, object]:
    """Compute the day into a staging table of this try; return it as a ComputedReport dumps itself."""
    from include.clickhouse.schema import migrate
    from include.phrase_views.report import compute_report
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook

    request, run_id = run_request(), run_context()["run_id"]
    with ClickHouseHook().get_client() as clickhouse:
        migrate(clickhouse)
        return compute_report(clickhouse, request, run_id, this_attempt()).model_dump()


@contextmanager
def _publication_lock(day: date) -> Iterator[tuple[ClickHouse, Lease]]:
    """Take the lease of the day, with this version's columns: task `tables` may be of the one before."""
    from include.clickhouse.schema import migrate

    with publication_lock(TABLE, day) as (clickhouse, lease):
        migrate(clickhouse)
        yield clickhouse, lease


def publish_run(computed: dict[str, object]) -> dict[str, object]:
    """Publish what report_run() returned; return it as a PublishedReport dumps itself."""
    from include.phrase_views.report import ComputedReport, publish_report

    request, staged, run_id = run_request(), ComputedReport.model_validate(computed), run_context()["run_id"]
    with _publication_lock(request.day) as (clickhouse, lease):
        published = publish_report(
            clickhouse, request, staged, run_id, this_attempt(), now=now, check_lease=lease.check
        )
    return published.model_dump()


def render_run() -> str:
    """Render the day as readers see it; return its directory below `reports_root`."""
    from include.pages.phrase_views import PAGES, render_phrase_views
    from include.phrase_views.report import publication, read_report

    request, root = run_request(), reports_root()
    with _publication_lock(request.day) as (clickhouse, lease):
        run_id, published_at = publication(clickhouse, request.day)
        directory = render_phrase_views(
            root,
            request,
            read_report(clickhouse, request.day),
            run_id=run_id,
            published_at=published_at,
            check_lease=lease.check,
        )
    end_rendering(root / PAGES, request.day)
    return str(directory)


def check_run(published: dict[str, object]) -> int:
    """Require readers to see what publish_run() returned; return the rows of the day."""
    from include.phrase_views.report import PublishedReport, check_report

    request, expected = run_request(), PublishedReport.model_validate(published)
    with _publication_lock(request.day) as (clickhouse, _):
        return check_report(clickhouse, request, expected, run_context()["run_id"])
