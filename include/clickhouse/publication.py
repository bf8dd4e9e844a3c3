"""A publication: the arguments of all its steps, bound once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import stamina

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import CLEAR_LOAD, DayMismatch, OutcomeUnknown, UnusableConnection
from include.clickhouse.fingerprint import Fingerprint, fingerprint
from include.errors import PermanentError
from include.staging.tables import StagedTable
from include.staging.units import Unit

ANSWER_WAIT_S = 120.0  # long enough for a server to restart


def _may_pass(error: Exception) -> bool:
    is_of_a_connection = isinstance(error, OutcomeUnknown | UnusableConnection)
    return is_of_a_connection and not isinstance(error, PermanentError)


@dataclass(frozen=True)
class Publication:
    """One try of a run to bring a unit into sight, or to check it.

    Attributes: clickhouse; unit; run_id; attempt, text that no other try uses; check_lease, called right
    before each change in sight: what it raises (a lost lease) ends the publication; next_step, for errors.
    """

    clickhouse: ClickHouse
    unit: Unit
    run_id: str
    attempt: str = ""
    check_lease: Callable[[], None] = lambda: None
    next_step: str = CLEAR_LOAD

    @stamina.retry(on=_may_pass, attempts=None, timeout=ANSWER_WAIT_S, wait_max=10.0)
    def execute_until_confirmed(
        self, idempotent_statement: str, params: Any = None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Run a statement until the server says that it is done: after a lost answer, once more.

        The lease is checked each time: while the answer was away, another may have taken it. `before` is
        called each time too.
        """
        before()
        self.check_lease()
        self.clickhouse.execute(idempotent_statement, params)

    def fingerprint(
        self, table: StagedTable, source: str | None = None, *, keys_are_unique: bool = False
    ) -> Fingerprint:
        """Count and hash the unit's rows in `table`, or all rows of the staging table `source`."""
        partition = self.unit.partition
        return fingerprint(self.clickhouse, table, partition, source, keys_are_unique=keys_are_unique)

    def mismatch(self, table: str, reason: str, next_step: str = "") -> DayMismatch:
        """Return the error of a table that does not hold what it should."""
        where, unit = self.clickhouse.where, self.unit.name
        return DayMismatch(where, table, unit, reason, next_step or self.next_step)
