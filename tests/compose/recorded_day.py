"""The day that the recorded answers of GitHub make, as an independent reading of their files has it."""

from collections import Counter

from tests.compose.running import Running
from tests.e2e.recorded_truth import read_truth


def require_recorded_day(stack: Running) -> None:
    """Compare every row of the tables."""
    day = stack.last_day
    truth = read_truth(stack.recording, top=100, day=day, last_day=day)
    of_day = f"WHERE date = '{day}'"
    tables = {
        f"date, repo, position, stars FROM repositories_positions {of_day}": truth.positions,
        f"date, repo, author, commits_num FROM repositories_authors_commits {of_day}": truth.commits,
        f"date, repo, outcome, commits, requests FROM repositories_outcomes {of_day}": truth.outcomes,
        "owner, name, stars, watchers, forks, language, toString(pushed_at) FROM repositories FINAL": [
            (*facts, str(pushed_at)) for *facts, pushed_at in truth.repositories
        ],
    }
    assert len(truth.commits) > 10
    for table, rows in tables.items():
        assert Counter(stack.rows(f"SELECT {table}")) == Counter(rows), table
