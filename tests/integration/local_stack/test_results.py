"""What is printed after a green run, read from the engine that holds it."""

from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from include.local_stack.errors import StackError
from include.local_stack.results import called, outcomes_of, read_back, stored
from include.local_stack.state import StateDirectory

DAY = date(2026, 1, 2)
AT = datetime(2026, 1, 3, tzinfo=UTC)
LOADS = "INSERT INTO loads (table, date, rows, checksum, run_id, published_at) VALUES"
POSITIONS = "INSERT INTO repositories_positions (date, repo, position, id, stars) VALUES"
AUTHORS = "INSERT INTO repositories_authors_commits (date, repo, author, commits_num) VALUES"


@pytest.fixture
def clickhouse(tmp_path):
    """Return an engine with one published day and rows of another."""
    with EmbeddedClient("test", tmp_path / "clickhouse", "default") as client:
        migrate(client)
        client.execute(LOADS, [("repositories_positions", DAY, 1234, 1, "run", AT)])
        positions = [(DAY, f"o/r{n}", n, n, 5000 - n) for n in range(1, 13)]
        client.execute(POSITIONS, [*positions, (date(2026, 1, 1), "o/old", 1, 1, 9)])
        commits = [(DAY, "o/a", "ada", 2), (DAY, "o/b", "ada", 3), (DAY, "o/a", "bob", 4)]
        client.execute(AUTHORS, [*commits, (date(2026, 1, 1), "o/a", "old", 99)])
        yield client


def printed(*tables, width: int = 100) -> list[str]:
    """Render without a terminal."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(*tables)
    return capture.get().splitlines()


def test_prints_the_run_s_day_only(clickhouse):
    """Ten repositories in order, authors by commits over all repositories, rows as recorded."""
    loads, top, authors = (printed(table) for table in read_back(clickhouse, "run"))
    assert any("repositories_positions" in line and "1,234" in line for line in loads)
    shown = [line.split("│")[2].strip() for line in top if "o/r" in line]
    assert shown == [f"o/r{n}" for n in range(1, 11)]
    assert [line.split("│")[1].strip() for line in authors if "│" in line] == ["ada", "bob"]
    assert not any("old" in line for line in (*top, *authors))


def test_a_day_without_positions_has_no_top(clickhouse):
    """A backfilled day shows what it has."""
    clickhouse.execute("TRUNCATE TABLE repositories_positions")
    assert [table.title for table in read_back(clickhouse, "run")] == [
        "Stored, 2026-01-02",
        "Most active authors, 2026-01-02",
    ]


def test_a_green_run_without_a_load_is_not_taken_for_success(clickhouse, tmp_path):
    """Nothing recorded under the run is an error, not an empty table."""
    clickhouse.disconnect()
    with pytest.raises(StackError, match="other was green, but"):
        stored(tmp_path / "clickhouse", "default", "other")


def test_calls_are_shown_by_outcome(clickhouse, tmp_path):
    """Rows, status and the reason of the first of each; where results.csv is; rows of other runs are not."""
    rows = [
        *((DAY, "run", number, "ok", 201, "") for number in range(1, 58)),
        *((DAY, "run", number, "failed", 422, f"422, no user {number}") for number in (58, 59, 60)),
        (DAY, "another run", 1, "unknown", 0, "lost"),
    ]
    clickhouse.execute("INSERT INTO api_calls (date, run_id, row, outcome, status, reason) VALUES", rows)
    lines = printed(outcomes_of(clickhouse, "run")[1])
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells == [["ok", "57", "201", ""], ["failed", "3", "422", "422, no user 58"]]
    clickhouse.disconnect()
    told = printed(called(StateDirectory(tmp_path), "default", "run"), width=1000)
    assert any(f"{tmp_path / 'reports' / 'api_calls' / '2026-01-02'}" in line for line in told)


def test_a_green_run_without_calls_is_not_taken_for_success(clickhouse):
    """The error names the table and the task."""
    with pytest.raises(StackError, match=r"table api_calls has no row of it\. Next: .* task publish"):
        outcomes_of(clickhouse, "no run")
