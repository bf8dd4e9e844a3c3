"""What shop_sync makes of the shop's tables when they are in sight: aggregates, checks, the page."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.storage_roots import reports_root
from stagehouse.jobs.shop_sync import PREFIX, staged_manifest
from stagehouse.pipeline.rendering import end_rendering
from stagehouse.pipeline.run_context import run_context, run_date, staging_of, this_attempt

if TYPE_CHECKING:
    from include.change_capture.comparison import Comparison
    from include.change_capture.synchronization import SyncFacts
    from include.clickhouse.client import ClickHouse
    from include.postgres.lease import Lease
    from include.quality.rules import Finding

log = logging.getLogger(__name__)


def aggregate_run() -> dict[str, Any]:
    """Make the days anew whose input has changed; return by table how many, and their rows."""
    from include.change_capture.synchronization import facts_of_run
    from include.shop.aggregates import aggregate

    facts = facts_of_run(staged_manifest())
    if not _is_a_shop(facts):
        return {}
    with publication_lock(PREFIX) as (clickhouse, lease):
        run_id, full = run_context()["run_id"], facts.state.full_check
        done = aggregate(clickhouse, run_id, this_attempt(), now=now, check_lease=lease.check, full=full)
    return {table: {"days": len(each.days), "rows": each.rows} for table, each in done.items()}


def quality_run() -> list[dict[str, Any]]:
    """Compare source and destination at the instant that was published, and ask the rules; keep all findings.

    An idle run asks no rules again that found nothing. Where a check fails the page is rendered too.

    Raises: Differs; QualityFailed.
    """
    from include.change_capture.comparison import compare, require_same
    from include.change_capture.synchronization import facts_of_run
    from include.clickhouse.publish import check_day
    from include.quality.checks import keep, require_none_failed
    from include.staging.cleaning import drop_old_runs, drop_unfinished_files
    from stagehouse.hooks.storage_roots import staging_root

    manifest = staged_manifest()
    directory, facts = staging_of(manifest.day), facts_of_run(manifest)
    with publication_lock(PREFIX) as (clickhouse, lease):
        compared = compare(clickhouse, directory, manifest)
        check_day(clickhouse, directory, manifest, this_attempt())
        findings = _findings(clickhouse, lease, compared, facts)
        if findings:
            keep(clickhouse, findings, run_id=manifest.run_id, day=manifest.day, checked_at=now())
        if any(finding.outcome == "failed" for finding in findings):
            _render(clickhouse, lease)
        require_same(clickhouse, compared)
        require_none_failed(clickhouse.where, findings)
    drop_old_runs(staging_root(), manifest.dag_id, now())
    drop_unfinished_files(staging_root() / manifest.dag_id, now())
    return [each.model_dump(mode="json") for each in compared]


def render_run() -> str:
    """Render what readers see; return the directory of the day below `reports_root`."""
    with publication_lock(PREFIX) as (clickhouse, lease):
        return _render(clickhouse, lease)


def _findings(
    clickhouse: ClickHouse, lease: Lease, compared: list[Comparison], facts: SyncFacts
) -> list[Finding]:
    """Return what all checks have found; nothing where nothing has moved since all was well."""
    from include.quality.checks import shrunken
    from include.shop.checked import is_checked

    params, run_id = get_current_context()["params"], run_context()["run_id"]
    newest = max((each.newest for each in facts.tables), default=0)  # before this run
    # A table without rows is read whole each time.
    changed = any(each.changed or each.gone or (each.whole and each.newest) for each in facts.tables)
    moved = changed or not all(each.is_same for each in compared)
    if not (moved or facts.state.full_check) and is_checked(clickhouse, PREFIX, run_id, newest):
        log.info("nothing has changed since all was found well: no rule is asked")
        return []
    findings = [_of_comparison(each) for each in compared]
    tables = [f"{PREFIX}_{each.table.name}" for each in facts.tables]
    accepted = [f"{PREFIX}_{name}" for name in params["accept_shrink"] or ()]
    strict = bool(params["strict"])
    findings += shrunken(clickhouse, tables, accepted, run_id=run_id, strict=strict)
    return findings + (_ask_rules(clickhouse, lease, strict=strict) if _is_a_shop(facts) else [])


def _of_comparison(compared: Comparison) -> Finding:
    """Show the first bucket that differs, or where all are the same, the first column."""
    from include.quality.rules import judged

    first = next(iter([*compared.differences, *compared.columns]), None)
    return judged(
        "source equals destination",
        f"{PREFIX}_{compared.table}",
        offending=compared.unlike or len(compared.columns),
        unit=first.unit if first else "",
        expected=first.source if first else "",
        found=first.destination if first else "",
        next_step=f"start a run with param reread naming {compared.table}",
    )


def _ask_rules(clickhouse: ClickHouse, lease: Lease, *, strict: bool) -> list[Finding]:
    from include.shop.aggregates import aggregate
    from include.shop.rules import ask_rules

    run_id, attempt = run_context()["run_id"], f"{this_attempt()} quality"

    def bring_up_to_date() -> None:
        aggregate(clickhouse, run_id, attempt, now=now, check_lease=lease.check)

    return ask_rules(clickhouse, bring_up_to_date, strict=strict)


def _render(clickhouse: ClickHouse, lease: Lease) -> str:
    from include.change_capture.state import read_state
    from include.pages.shop import PAGES, render_shop
    from include.shop.reports import read_reports

    state, day, root = read_state(clickhouse, PREFIX), run_date(), reports_root()
    if state is None or not {f"{PREFIX}_{name}" for name in state.tables} >= _tables():
        return ""
    reports = read_reports(clickhouse, day, state.taken_at, state.version)
    run_id = run_context()["run_id"]
    directory = render_shop(root, reports, day, run_id=run_id, published_at=now(), check_lease=lease.check)
    end_rendering(root / PAGES, day)
    return str(directory)


def _is_a_shop(facts: SyncFacts) -> bool:
    """Tell whether all tables are there that the shop's aggregates and reports are made of."""
    missing = _tables() - {f"{PREFIX}_{each.table.name}" for each in facts.tables}
    if missing:
        log.warning("no aggregates, rules and page: %s are not copied", ", ".join(sorted(missing)))
    return not missing


def _tables() -> set[str]:
    from include.shop.rules import TABLES

    return set(TABLES)
