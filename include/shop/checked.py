"""Whether what readers see of the shop has been checked already, and all was well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.quality.checks import newest_findings

if TYPE_CHECKING:
    from datetime import datetime

    from include.clickhouse.client import ClickHouse


def is_checked(clickhouse: ClickHouse, source: str, run_id: str, newest: int) -> bool:
    """Tell whether the newest check found all well, and nothing was published or aggregated since.

    A run that was killed before its check leaves that to the next one, which may have nothing to send.

    Args: source, its name in `source_snapshots`; run_id, of the run that asks, whose own aggregates are not
    checked yet; newest, the greatest version of any row.
    """
    before = newest_findings(clickhouse)
    if before is None or any(finding.outcome != "ok" for finding in before[2]):
        return False
    checked_by, checked_at, _ = before
    if newest > _version_of(clickhouse, source, checked_by, checked_at):
        return False
    aggregated = clickhouse.execute(
        "SELECT run_id, toUnixTimestamp(aggregated_at) FROM aggregated_inputs FINAL"
    )
    since = {by for by, at in aggregated if at > checked_at.timestamp()} - {checked_by}
    return not since and run_id not in {by for by, _ in aggregated}


def _version_of(clickhouse: ClickHouse, source: str, run_id: str, checked_at: datetime) -> int:
    """Return the newest version that a run had published when it checked; 0 where none is known."""
    ((version,),) = clickhouse.execute(
        "SELECT max(version) FROM source_snapshots WHERE source = %(source)s AND run_id = %(run_id)s "
        "AND toUnixTimestamp(taken_at) <= %(checked_at)s",
        {"source": source, "run_id": run_id, "checked_at": int(checked_at.timestamp())},
    )
    return int(version)
