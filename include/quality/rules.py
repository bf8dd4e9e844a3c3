"""Rules: SQL that returns the rows that should not be there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Literal

from attrs import frozen

from include.clickhouse.client import ClickHouse
from include.clickhouse.errors import Refused
from include.errors import facts_of
from include.text import shown_text, text_of

log = logging.getLogger(__name__)

Severity = Literal["error", "warning"]
Outcome = Literal["ok", "warning", "failed"]
_COUNTED = 1000  # offending rows of a rule: more are so many
_LONGEST = 200  # characters of a value that is shown


@frozen
class Rule:
    """What must be so.

    Attributes: name; table that it is about; sql, a SELECT of offending rows as `unit` (a day, a key, a
    bucket), `expected` and `found`, of any types: the first row is shown; severity; next_step, a verb and
    what follows, for who finds it broken.
    """

    name: str
    table: str
    sql: str
    next_step: str
    severity: Severity = "error"


@frozen
class Finding:
    """What a check has found.

    Attributes: rule; table; severity; outcome; offending, how many rows or buckets; unit, expected, found: of
    the first of them, "" where all is well; next_step.
    """

    rule: str
    table: str
    severity: Severity
    outcome: Outcome
    offending: int = 0
    unit: str = ""
    expected: str = ""
    found: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        more = f" (and {self.offending - 1} more)" if self.offending > 1 else ""
        values = f"expected {self.expected}, found {self.found}"
        return f"{self.rule}: table {self.table}, {self.unit}: {values}{more}"


def find(clickhouse: ClickHouse, rules: Iterable[Rule], *, strict: bool = False) -> list[Finding]:
    """Ask each rule; return what was found, in their order.

    A rule that the server refuses counts as broken, and says so: the others are asked all the same.

    Args: strict: warnings are errors.
    Raises: ClickHouseError where the server does not answer.
    """
    return [_ask(clickhouse, rule, strict=strict) for rule in rules]


def judged(
    rule: str,
    table: str,
    *,
    offending: int,
    unit: str = "",
    expected: object = "",
    found: object = "",
    next_step: str,
    severity: Severity = "error",
    strict: bool = False,
) -> Finding:
    """Return the finding of a check that is not SQL, such as source against destination."""
    if not offending:
        return Finding(rule, table, severity, "ok")
    outcome: Outcome = "failed" if strict or severity == "error" else "warning"
    texts = (_text(unit), _text(expected), _text(found))
    return Finding(rule, table, severity, outcome, offending, *texts, next_step)


def _ask(clickhouse: ClickHouse, rule: Rule, *, strict: bool) -> Finding:
    shown = "toString(unit) AS unit, toString(expected) AS expected, toString(found) AS found"
    try:
        rows = clickhouse.execute(f"SELECT {shown} FROM ({rule.sql}) LIMIT {_COUNTED}")
    except Refused as error:
        return judged(
            rule.name, rule.table, offending=1, unit="its SQL", expected="rows or none",
            found=facts_of(error), next_step=f"correct the rule {rule.name}", severity=rule.severity,
            strict=strict,
        )  # fmt: skip
    unit, expected, found = rows[0] if rows else ("", "", "")
    return judged(
        rule.name, rule.table, offending=len(rows), unit=unit, expected=expected, found=found,
        next_step=rule.next_step, severity=rule.severity, strict=strict,
    )  # fmt: skip


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    text = shown_text(text_of(value)) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
