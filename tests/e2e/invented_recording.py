"""A recording of our own invention: tests need nothing beside the checkout.

Those that take recorded answers run on GitHub's own where a variable names them, STAGEHOUSE_RECORDING: a
directory with repositories.csv and commits.csv.gz.
"""

import csv
import gzip
import os
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path

LAST_DAY = datetime(2026, 8, 21)  # noqa: DTZ001 - written as UTC
REPOSITORIES, DAYS = 400, 14
NAMED = "STAGEHOUSE_RECORDING"
TESTS_TAKE = timedelta(hours=2)  # at the most, on a busy machine
COMMITS_A_DAY = {0: 7, 3: 1, 5: 130, 11: 3, 40: 12, 199: 2}  # by place in the ranking; 130 are two pages


def recorded_or_invented(directory: Path) -> Path:
    """Return the recording that the environment names, else an invented one, written to the directory."""
    named = os.environ.get(NAMED)
    return Path(named) if named else write_recording(directory)


def last_day(now: datetime) -> date:
    """Return the day (UTC) on which a recording is to end: today's or yesterday's for as long as tests take.

    Of other days the main job stores no positions. It is yesterday, but late in the evening the day itself.
    """
    return (now + TESTS_TAKE).date() - timedelta(days=1)


def ahead_of(day: date, now: datetime) -> timedelta:
    """Return how far the clock of a server is to be ahead, for the day to be over on it.

    It shows nothing that is dated after its clock.
    """
    return max(timedelta(), datetime.combine(day + timedelta(days=1), time(), UTC) - now)


def write_recording(directory: Path) -> Path:
    """Write repositories.csv and commits.csv.gz in the form that the stand-in reads."""
    with (directory / "repositories.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["owner", "name", "stars", "forks", "open_issues", "language", "pushed_at"])
        for place in range(REPOSITORIES):
            active = place in COMMITS_A_DAY or place % 2 == 0  # in a list of 150: 80 requests for commits
            pushed = LAST_DAY + (timedelta(hours=20) if active else -timedelta(days=place % 50 + 1))
            stars = 500_000 - 1000 * (place - place % 2)  # every two are equal
            language = ["Python", "Go", "", "C++"][place % 4]
            rows.writerow([*_name(place), stars, place * 3, place, language, _text(pushed)])
    with gzip.open(directory / "commits.csv.gz", "wt", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["owner", "name", "sha", "committed_at", "author_login", "author_name"])
        for place, count in COMMITS_A_DAY.items():
            for day in range(DAYS):
                for number in range(count):
                    rows.writerow([*_name(place), *_commit(place, day, number, count)])
    return directory


def _commit(place: int, day: int, number: int, count: int) -> tuple[str, str, str, str]:
    sha = sha256(f"{place} {day} {number}".encode()).hexdigest()[:40]
    midnight = LAST_DAY - timedelta(days=day)
    # The first and the last second of the day are in it.
    at = midnight + timedelta(seconds=number * 86_399 // max(1, count - 1))
    author = number % 5
    return sha, _text(at), "" if author == 1 else f"login-{author}", f"Náme {author}"


def _name(place: int) -> tuple[str, str]:
    return f"owner-{place % 37}", f"repo-{place}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
