"""How many requests does the question cost: the top 100, and who committed to them on a day?

58 of the 100 were pushed to. Ours asks by REST and by GraphQL; others, set up for the same question as far as
they can be, ask the same stand-in, whose request log is the judge. And ours alone: the top 10,000.
"""

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from include.github.request import Api
from tests.bench.busy_stand_in import PER_PAGE
from tests.bench.capacity_model import PUSHED_EVERY
from tests.bench.fetch import stand_in
from tests.bench.findings import Finding, WorkNotDone, at_most, not_measured, require_equal
from tests.bench.main_job import graphql_options, rank_and_fetch, yesterday
from tests.bench.peers import AIRBYTE, DLT, TAP_GITHUB, NotInstalled, Peer
from tests.bench.pushed_stand_in import PUSHED, PushedSample

ROOT = Path(__file__).resolve().parents[2]
TOP = 100
WHAT = f"requests for {TOP} repositories, {PUSHED} pushed to:"
GRAPHQL_TARGET = 8
MANY = 10_000
RATE = 500  # requests/s
PEER_WITHIN_S = 300


def run() -> list[Finding]:
    """Ask with each, one after the other."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder:
        findings = _top_100(Path(folder))
        if graphql_options():
            return [*findings, _top_10_000(Path(folder))]
    return [*findings, not_measured("requests by GraphQL", WorkNotDone("not measured: no npm, no schema"))]


def _top_100(directory: Path) -> list[Finding]:
    commits = PushedSample().commits_of_day(TOP, yesterday())[:PUSHED]
    fewest = 1 + sum(max(1, -(-count // PER_PAGE)) for count in commits)
    with _asked(directory, "tests.bench.pushed_stand_in") as asked:
        findings = [at_most(f"{WHAT} by REST", [asked.by_us("rest", TOP, sum(commits))], fewest, digits=0)]
        if graphql_options():
            spent = asked.by_us("graphql", TOP, sum(commits))
            findings.append(at_most(f"{WHAT} by GraphQL", [spent], GRAPHQL_TARGET, digits=0))
        return findings + [asked.by(peer, command, sum(commits), why) for peer, command, why in PEERS]


def _top_10_000(directory: Path) -> Finding:
    with _asked(directory, "tests.bench.crowd_stand_in", str(MANY), str(PUSHED_EVERY[MANY])) as asked:
        rest, graphql = (asked.by_us(api, MANY) for api in ("rest", "graphql"))
    what = f"requests for {MANY:,} repositories, {MANY // PUSHED_EVERY[MANY]:,} pushed to:"
    remark = f"{graphql:,} against {rest:,}"
    return at_most(f"{what} GraphQL's of REST's", [graphql / rest], 1 / 20, digits=3, remark=remark)


@contextmanager
def _asked(directory: Path, *module: str) -> Iterator["_Asked"]:
    log = directory / f"{module[0]}.log"
    with stand_in(directory / "port", *module, "--request-log", str(log), *graphql_options()) as url:
        yield _Asked(url, directory, log)


class _Asked:
    """What the stand-in at `url` is asked."""

    def __init__(self, url: str, directory: Path, log: Path) -> None:
        self.url, self.directory, self._log = url, directory, log

    def by_us(self, api: Api, top: int, commits: int | None = None) -> int:
        """Return the requests of a run."""
        before, directory = self._requests(), self.directory / f"{top} by {api}"
        work = rank_and_fetch(self.url, top, directory, rate=RATE, api=api, tokens=("token",))
        facts = asyncio.run(work).facts
        require_equal("repositories", facts["ranked"], top)
        if commits is not None:
            require_equal(f"commits by {api}", facts["commits"], commits)
        return self._requests() - before

    def by(self, peer: Peer, command: Callable[["_Asked", Peer], int], commits: int, remark: str) -> Finding:
        """Return the requests of another tool, which must have got the day's commits."""
        question = f"{WHAT} by {peer.title} {peer.version}"
        try:
            peer.program()
        except NotInstalled as why:
            return not_measured(question, why)
        before = self._requests()
        found = command(self, peer)
        if found < commits:
            raise WorkNotDone(f"{peer.title} got {found} commits of {commits}")
        return Finding(question, [self._requests() - before], "", None, digits=0, remark=remark)

    def write(self, name: str, content: object) -> str:
        """Write a file of JSON; return its path."""
        (self.directory / name).write_text(json.dumps(content))
        return str(self.directory / name)

    def output(self, *command: str) -> list[str]:
        """Return the lines that a command prints; it sees no token of ours and no home."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB")}
        env |= {"HOME": str(self.directory), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PEER_WITHIN_S
        )
        if done.returncode:
            raise WorkNotDone(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
        return done.stdout.splitlines()

    def _requests(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


def _tap_github(asked: _Asked, peer: Peer) -> int:
    config = {"api_url_base": asked.url, "searches": [{"name": "top", "query": "stars:>1"}]}
    config |= {"start_date": f"{yesterday()}T00:00:00Z", "rate_limit_buffer": 0}
    tap = (peer.program("tap-github"), "--config", asked.write("tap.json", config))
    catalog = json.loads("\n".join(asked.output(*tap, "--discover")))
    for stream in catalog["streams"]:
        selected = stream["tap_stream_id"] in {"repositories", "commits"}
        for each in stream["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = selected
    messages = map(json.loads, asked.output(*tap, "--catalog", asked.write("catalog.json", catalog)))
    return sum(each["type"] == "RECORD" and each["stream"] == "commits" for each in messages)


def _dlt(asked: _Asked, peer: Peer) -> int:
    said = asked.output(peer.program(), "-m", "tests.bench.dlt_source", f"{asked.url}/", str(yesterday()))
    return int(said[-1])


def _airbyte(asked: _Asked, peer: Peer) -> int:
    token = {"option_title": "PAT Credentials", "personal_access_token": "token"}
    names = [repository.full_name for repository in PushedSample().repositories]
    config = {"credentials": token, "repositories": names, "api_url": f"{asked.url}/"}
    config |= {"start_date": f"{yesterday()}T00:00:00Z"}
    stream = {"name": "commits", "json_schema": {}, "supported_sync_modes": ["incremental"]}
    synced = {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append"}
    files = ("--config", asked.write("airbyte.json", config))
    files += ("--catalog", asked.write("streams.json", {"streams": [synced]}))
    lines = asked.output(peer.program("source-github"), "read", *files)
    return sum(json.loads(line)["type"] == "RECORD" for line in lines)


PEERS = (
    (TAP_GITHUB, _tap_github, "its commits end now, not with the day"),
    (DLT, _dlt, ""),
    (AIRBYTE, _airbyte, "it has no search: the names were given; its commits end now"),
)
