"""Rows of invented commits, with nothing but Python: peers make them in environments of their own."""

from collections.abc import Iterator
from datetime import date

DAY = date(2026, 8, 20)
TABLE, COLUMNS = "repositories_authors_commits", ("date", "repo", "author", "commits_num")


def rows(count: int) -> Iterator[tuple[date, str, str, int]]:
    """Yield rows as varied as real ones: some 150 authors a repository, names of different lengths."""
    for number in range(count):
        project = number // 150
        author = number * 7919 % 1_000_003
        repo = f"owner-{project % 911}/{'large-' * (project % 3)}project-{project}"
        yield DAY, repo, f"{'someone-' * (author % 2)}{author:x}", 1 + author % 23
