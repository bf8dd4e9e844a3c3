"""The results of green runs, read back from ClickHouse."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from rich.console import Group
from rich.table import Table

from include.api_calls.results import RESULTS
from include.clickhouse.embedded import EmbeddedClient
from include.local_stack.api_calls import CALLS
from include.local_stack.errors import StackError
from include.local_stack.state import StateDirectory
from include.staging.files import run_directory

SHOWN = 10
_NUMBERS = {
    *("#", "rows", "stars", "commits", "repositories", "from", "to", "dead letters", "lag", "users"),
    *("sales", "pieces", "revenue", "rules", "checks"),
}

LOADS = "SELECT table, date, rows, published_at FROM loads FINAL WHERE date = %(day)s ORDER BY table"
DAY = "SELECT DISTINCT date FROM loads FINAL WHERE run_id = %(run_id)s"
TOP = """
    SELECT position, repo, stars FROM repositories_positions
    WHERE date = %(day)s ORDER BY position LIMIT %(shown)s
"""
AUTHORS = """
    SELECT author, sum(commits_num) AS commits, count() AS repos FROM repositories_authors_commits
    WHERE date = %(day)s GROUP BY author ORDER BY commits DESC, author LIMIT %(shown)s
"""
OUTCOMES = """
    SELECT any(date), outcome, count() AS rows, status, argMin(reason, row) FROM api_calls FINAL
    WHERE run_id = %(run_id)s GROUP BY outcome, status ORDER BY rows DESC, outcome, status
"""


class Reader(Protocol):
    """A ClickHouse connection, as far as it is needed here."""

    def execute(self, query: str, params: Any = None) -> Any:
        """Return rows as tuples."""


def stored(path: Path, database: str, run_id: str) -> Group:
    """Return the tables to print for the day a run has published. path: chDB's directory."""
    with EmbeddedClient("clickhouse_default", path, database) as clickhouse:
        return Group(*read_back(clickhouse, run_id))


def called(state: StateDirectory, database: str, run_id: str) -> Group:
    """Return the table to print for a run of api_calls, and where its files are."""
    with EmbeddedClient("clickhouse_default", state.clickhouse, database) as clickhouse:
        day, outcomes = outcomes_of(clickhouse, run_id)
    files = run_directory(state.reports, dag_id=CALLS, run_id=run_id, day=day)
    return Group(outcomes, f"Every row with its outcome: {files / RESULTS}")


def outcomes_of(clickhouse: Reader, run_id: str) -> tuple[date, Table]:
    """Return the day of a run of api_calls, and its rows by outcome.

    Raises: StackError: the table has none of them.
    """
    found = clickhouse.execute(OUTCOMES, {"run_id": run_id})
    if not found:
        raise StackError(
            f"run {run_id} was green, but the table {CALLS} has no row of it. "
            "Next: look in the log of its task publish"
        )
    day = found[0][0]
    return day, table(
        "Calls", day, ("outcome", "rows", "status", "reason of the first"), [row[1:] for row in found]
    )


def read_back(clickhouse: Reader, run_id: str) -> Iterator[Table]:
    """Yield the rows published, the top repositories and the most active authors of the run's day.

    Raises: StackError: `loads` knows nothing of the run.
    """
    days = clickhouse.execute(DAY, {"run_id": run_id})
    if len(days) != 1:
        raise StackError(
            f"run {run_id} was green, but the table loads has {len(days)} days of it instead of 1. "
            "Next: look in the log of its task publish"
        )
    ((day,),) = days
    bound = {"day": day, "shown": SHOWN}
    loads = clickhouse.execute(LOADS, {"day": day})
    yield table("Stored", day, ("table", "date", "rows", "published at (UTC)"), loads)
    # A backfilled day has none: GitHub tells only today's stars.
    if top := clickhouse.execute(TOP, bound):
        yield table("Top repositories", day, ("#", "repository", "stars"), top)
    authors = clickhouse.execute(AUTHORS, bound)
    yield table("Most active authors", day, ("author", "commits", "repositories"), authors)


def table(title: str, of: date | str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> Table:
    """Return a table to print. Args: of, a day or what else the title ends with."""
    made = Table(title=f"{title}, {of}", title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for row in rows:
        made.add_row(*(f"{value:,}" if isinstance(value, int | Decimal) else str(value) for value in row))
    return made
