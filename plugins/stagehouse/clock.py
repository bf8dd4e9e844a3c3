"""The machine's clock. Plugins and DAGs read it here alone, so that tests put theirs in one place."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time (UTC)."""
    return datetime.now(UTC)
