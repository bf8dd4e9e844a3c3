"""What is printed after a green run, read from the engine that holds it."""

from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from include.local_stack.errors import StackError
from include.local_stack.results import read_back, stored

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


def printed(*tables) -> list[str]:
    """Render without a terminal."""
    console = Console(width=100)
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
