"""`python -m include.github_stand_in` as a process of its own."""

import csv
import gzip
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.invented_recording import recorded_or_invented

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "include.github_stand_in"]


@pytest.fixture
def start(tmp_path):
    """Start the command with options; returns the process and the root of its API; killed after the test."""
    started = []

    def run(*options):
        port_file = tmp_path / "port"
        process = subprocess.Popen(
            [*COMMAND, "--port-file", str(port_file), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        until = time.monotonic() + 30
        while not port_file.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "no port file after 30 s"
            time.sleep(0.02)
        return process, f"http://127.0.0.1:{port_file.read_text().strip()}"

    yield run
    for process in started:
        process.kill()
        process.communicate()


def get(url):
    """Return the body and the headers of an answer."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer), answer.headers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(start, tmp_path, number):
    """A signal ends it with 0, also while clients keep connections open; nothing is left behind."""
    process, root = start("--request-log", str(tmp_path / "requests"))
    body, headers = get(f"{root}/search/repositories?q=stars:%3E1&per_page=1")
    assert body["total_count"] == 300
    assert headers["x-ratelimit-limit"] == "10000"
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, err) == (0, "")
    assert out == f"GitHub stand-in: {root} (300 repositories, sample)\n"
    (logged,) = map(json.loads, (tmp_path / "requests").read_text().splitlines())
    assert (logged["path_qs"], logged["status"]) == ("/search/repositories?q=stars:%3E1&per_page=1", 200)
    assert [file.name for file in tmp_path.iterdir()] == ["requests"]


def test_quotas_are_options(start):
    """The quotas that are given are the ones that are kept."""
    _, root = start("--quota", "7", "--search-quota", "5")
    resources = get(f"{root}/rate_limit")[0]["resources"]
    assert [resources["core"]["limit"], resources["search"]["limit"]] == [7, 5]


@pytest.fixture
def recording(tmp_path):
    """A small recording that ends on 2026-08-21."""
    directory = tmp_path / "recording"
    directory.mkdir()
    with (directory / "repositories.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["owner", "name", "stars", "forks", "open_issues", "language", "pushed_at"],
                ["amber", "kit", 5, 1, 0, "Go", "2026-08-21T10:00:01Z"],
            ]
        )
    with gzip.open(directory / "commits.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows(
            [
                ["owner", "name", "sha", "committed_at", "author_login", "author_name"],
                ["amber", "kit", "a" * 40, "2026-08-21T10:00:00Z", "anouk", "Anouk"],
            ]
        )
    return directory


def last_commit_day(root):
    """Return the day of the newest commit that is served."""
    (commit,) = get(f"{root}/repos/amber/kit/commits")[0]
    return date.fromisoformat(commit["commit"]["committer"]["date"][:10])


def test_recording_ends_yesterday(start, recording):
    """By default the recording is moved so that its last day is over, but only just."""
    before = datetime.now(UTC)
    _, root = start("--data", str(recording))
    # It reads the machine's clock at its start, and midnight may pass just then: between these two readings.
    looks = (before, datetime.now(UTC))
    assert last_commit_day(root) in {look.date() - timedelta(days=1) for look in looks}


@pytest.mark.parametrize(
    ("options", "day"),
    [(["--no-shift"], date(2026, 8, 21)), (["--last-day", "2026-02-03"], date(2026, 2, 3))],
)
def test_recording_ends_where_it_is_told_to(start, recording, options, day):
    """The days are kept, or moved to a given end."""
    _, root = start("--data", str(recording), *options)
    assert last_commit_day(root) == day


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--data", "nowhere"], 1, "nowhere/repositories.csv: cannot be read: No such file"),
        (["--port", "65536"], 2, "not a port"),
        (["--latency-ms", "-1"], 2, "whole number"),
        (["--no-shift"], 2, "give its directory with --data"),
        (["--data", "x", "--no-shift", "--last-day", "2026-01-01"], 2, "not allowed with"),
        (["--host", "203.0.113.1"], 1, "203.0.113.1"),
        (["--graphql-schema", "nowhere"], 1, "No such file or directory: 'nowhere'"),
    ],
)
def test_says_what_is_wrong_and_stops(options, code, reason):
    """A mistake on the command line is one clear message and an exit code, no traceback."""
    ran = subprocess.run(
        [*COMMAND, *options], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == code
    assert reason in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_recording_is_served_as_it_is(start, tmp_path):
    """The top hundred are those of the file, and a day's commits those of its lines, the newest first."""
    data = recorded_or_invented(tmp_path)
    _, root = start("--data", str(data), "--no-shift")
    items = get(f"{root}/search/repositories?q=stars:%3E1&sort=stars&per_page=100")[0]["items"]
    with (data / "repositories.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -int(row["stars"]))
    assert [item["full_name"] for item in items] == [f"{row['owner']}/{row['name']}" for row in rows[:100]]
    assert [item["pushed_at"] for item in items] == [row["pushed_at"] for row in rows[:100]]
    with gzip.open(data / "commits.csv.gz", "rt", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    day_of = lambda line: (line["owner"], line["name"], line["committed_at"][:10])  # noqa: E731
    (owner, name, day), count = next(
        (key, count) for key, count in Counter(map(day_of, lines)).items() if 1 < count <= 100
    )
    url = f"{root}/repos/{owner}/{name}/commits?per_page=100"
    commits, _ = get(f"{url}&since={day}T00:00:00Z&until={day}T23:59:59Z")
    of_day = [line for line in lines if day_of(line) == (owner, name, day)]
    of_day.sort(key=lambda line: line["committed_at"], reverse=True)
    assert [commit["sha"] for commit in commits] == [line["sha"] for line in of_day]
    assert len(of_day) == count
