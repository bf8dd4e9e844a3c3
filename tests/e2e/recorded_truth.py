"""What the recorded files say a day must look like in ClickHouse, read with nothing of the project."""

import csv
import gzip
import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

LAST_RECORDED_DAY = date(2026, 8, 21)


@dataclass(frozen=True)
class Truth:
    """The rows of one day, as sets and lists of tuples."""

    positions: list[tuple]
    commits: set[tuple]
    outcomes: set[tuple]
    repositories: set[tuple]
    requests: int


def read_truth(data: Path, *, top: int, day: date, last_day: date) -> Truth:
    """Read the files as if the recording ended on `last_day`."""
    shift = last_day - LAST_RECORDED_DAY
    with (data / "repositories.csv").open(newline="", encoding="utf-8") as file:
        ranking = sorted(csv.DictReader(file), key=lambda row: -int(row["stars"]))[:top]
    with gzip.open(data / "commits.csv.gz", "rt", newline="", encoding="utf-8") as file:
        authors: dict[str, Counter[str]] = {}
        for row in csv.DictReader(file):
            if _moment(row["committed_at"], shift).date() == day:
                author = row["author_login"] or row["author_name"] or "(unknown)"
                authors.setdefault(f"{row['owner']}/{row['name']}", Counter())[author] += 1
    outcomes, repositories = set(), set()
    for row in ranking:
        repo, pushed = f"{row['owner']}/{row['name']}", _moment(row["pushed_at"], shift)
        commits = authors.get(repo, Counter()).total()
        asked = pushed >= datetime.combine(day, time()) - timedelta(hours=1)  # a clock may be ahead
        requests = max(1, math.ceil(commits / 100)) if asked else 0
        outcomes.add((day, repo, "ok" if asked else "unpushed", commits if asked else 0, requests))
        stars = int(row["stars"])
        repositories.add(
            (row["owner"], row["name"], stars, stars, int(row["forks"]), row["language"], pushed)
        )
    ranked = {f"{row['owner']}/{row['name']}" for row in ranking}
    return Truth(
        positions=[
            (day, f"{row['owner']}/{row['name']}", position, int(row["stars"]))
            for position, row in enumerate(ranking, start=1)
        ],
        commits={(day, r, who, n) for r, c in authors.items() if r in ranked for who, n in c.items()},
        outcomes=outcomes,
        repositories=repositories,
        requests=math.ceil(top / 100) + sum(row[4] for row in outcomes),
    )


def _moment(text: str, shift: timedelta) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") + shift  # noqa: DTZ007 - compared with naive rows of UTC
