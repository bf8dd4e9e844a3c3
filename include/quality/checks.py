"""What the checks of a run have found: kept in the table `quality_checks`, judged, read back for the page."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from attrs import define

from include.clickhouse.client import ClickHouse, insert_rows, quoted
from include.clickhouse.cluster import await_replicas
from include.clickhouse.errors import ClickHouseError
from include.errors import PermanentError
from include.quality.rules import Finding, judged
from include.text import clean_text, text_of

log = logging.getLogger(__name__)

TABLE = "quality_checks"
ROWS = "rows"  # the rule that keeps how many rows a table has, for the next run to compare
_COLUMNS = (
    "date", "run_id", "rule", "table", "severity", "outcome", "offending", "unit", "expected", "found",
    "checked_at",
)  # fmt: skip
_SHOWN = 5


@define(slots=False)
class QualityFailed(ClickHouseError, PermanentError):
    """What readers see is not as it must be. Attributes: where; failed, findings as text; next_step."""

    where: str
    failed: tuple[str, ...]
    next_step: str

    def __str__(self) -> str:
        shown = "; ".join(self.failed[:_SHOWN])
        more = f"; and {len(self.failed) - _SHOWN} more in {TABLE}" if len(self.failed) > _SHOWN else ""
        return f"{self.where}: {len(self.failed)} checks failed: {shown}{more}. Next: {self.next_step}"


def keep(
    clickhouse: ClickHouse, findings: Sequence[Finding], *, run_id: str, day: date, checked_at: datetime
) -> None:
    """Write a row for each finding; those of an earlier try of the run are replaced."""
    rows = [
        (
            day, run_id, f.rule, f.table, f.severity, f.outcome, f.offending, f.unit, f.expected,
            clean_text(f.found), checked_at.astimezone(UTC).replace(microsecond=0),
        )
        for f in findings
    ]  # fmt: skip
    insert_rows(clickhouse, TABLE, _COLUMNS, [rows])
    await_replicas(clickhouse, TABLE)


def require_none_failed(where: str, findings: Iterable[Finding]) -> None:
    """Log the warnings. Raises: QualityFailed, which names each failed check, and what to do."""
    failed = []
    for finding in findings:
        if finding.outcome == "warning":
            log.warning("%s. Next: %s", finding, finding.next_step)
        if finding.outcome == "failed":
            failed.append(finding)
    if failed:
        raise QualityFailed(where, tuple(map(str, failed)), failed[0].next_step)


def shrunken(
    clickhouse: ClickHouse,
    tables: Iterable[str],
    accepted: Iterable[str],
    *,
    run_id: str,
    strict: bool = False,
) -> list[Finding]:
    """Count what readers see of each table, and compare it with what the newest run before this one has seen.

    Args: accepted: tables that may have lost more than half of their rows.
    Returns: of each table how many rows it has (rule ROWS), and whether that is less than half (`shrunken`).
    """
    findings, accepted = [], set(accepted)
    for table in tables:
        ((rows,),) = clickhouse.execute(f"SELECT count() FROM {quoted(table)}")
        before = _rows_before(clickhouse, table, run_id)
        lost = before is not None and rows * 2 < before and table not in accepted
        findings.append(Finding(ROWS, table, "warning", "ok", found=str(rows)))
        findings.append(
            judged(
                "shrunken", table, offending=int(lost), unit="all rows", expected=f"half of {before} or more",
                found=rows, next_step="see whether so many rows were meant to go", severity="warning",
                strict=strict,
            )
        )  # fmt: skip
    return findings


def newest_findings(clickhouse: ClickHouse) -> tuple[str, datetime, list[Finding]] | None:
    """Return run_id, time and findings, failed ones first, of the newest run that checked, if any has."""
    newest = clickhouse.execute(
        f"SELECT run_id, toUnixTimestamp(max(checked_at)) AS at FROM {TABLE} GROUP BY run_id "
        "ORDER BY at DESC, run_id DESC LIMIT 1"
    )
    if not newest:
        return None
    run_id, at = newest[0]
    rows = clickhouse.execute(
        f"SELECT rule, `table`, severity, outcome, offending, unit, expected, found FROM {TABLE} FINAL "
        "WHERE run_id = %(run_id)s ORDER BY outcome != 'failed', outcome != 'warning', rule, `table`",
        {"run_id": run_id},
    )
    findings = [Finding(*row[:5], *map(text_of, row[5:])) for row in rows]
    return text_of(run_id), datetime.fromtimestamp(at, UTC), findings


def _rows_before(clickhouse: ClickHouse, table: str, run_id: str) -> int | None:
    found = clickhouse.execute(
        f"SELECT found FROM {TABLE} FINAL WHERE rule = '{ROWS}' AND `table` = %(table)s "
        "AND run_id != %(run_id)s ORDER BY checked_at DESC LIMIT 1",
        {"table": table, "run_id": run_id},
    )
    return int(found[0][0]) if found else None
