"""How much slower is the report of a day than the plainest question to the same counters?

140 campaigns of 1,000 phrases, a sample every ten minutes. The plain question is GROUP BY campaign, phrase,
hour with max(views): it knows no neighbour, no reset, no gap, reads without FINAL, and its rows are counted
where the report's are stored. And: how many rows does the report of one campaign read?

`python -m tests.bench.phrase_views_report` times both on the embedded engine, and prints the seconds as JSON:
with an older chDB on PYTHONPATH, on that one's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from include.phrase_views.gains import BY_HOUR, REPORT_SQL, bound_params, insert_report
from include.phrase_views.request import PhraseViewsRequest
from tests.bench import sizes
from tests.bench.findings import Finding, at_most, never_above, not_measured, require_equal
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, connect, migrated_server

DAY = date(2026, 8, 20)
CAMPAIGNS, PHRASES, SAMPLES = sizes.rows(140), 1000, 144
ROWS_OF_CAMPAIGN = PHRASES * SAMPLES
GRANULE = 8192  # rows, the engine's default; the least it reads
ROUNDS = 3
ROOT = Path(__file__).resolve().parents[2]
OLDER = "25.8"
COUNTERS = """
    INSERT INTO phrases_views (campaign_id, phrase, views, dt)
    SELECT
        toInt32(1 + intDiv(number, %(campaign)s)),
        concat('search phrase number ', toString(number %% %(phrases)s)),
        toInt32(1000 + intDiv(intDiv(number %% %(campaign)s, %(phrases)s) * (1 + number %% 7), 3)),
        toDateTime('2026-08-20 00:00:00', 'UTC') + intDiv(number %% %(campaign)s, %(phrases)s) * 600
    FROM numbers(%(rows)s)
"""
PLAIN = """
    SELECT count() FROM
    (
        SELECT campaign_id, phrase, toHour(dt) AS hour, max(views) FROM phrases_views
        GROUP BY campaign_id, phrase, hour
    )
"""


def run() -> list[Finding]:
    """Time both on the engine of 2026, which is the default, on that of 2025, and on the server of 2018."""
    with _embedded() as clickhouse:
        embedded = _compared("26.9", _seconds(clickhouse), 1.5)
    with migrated_server() as server, connect(server.port) as clickhouse:
        served = _compared("18.16", _seconds(clickhouse), 3.0)
        return [embedded, _on_an_older_engine(), served, _rows_read(clickhouse)]


def _on_an_older_engine() -> Finding:
    try:
        place = _output([".ci/get-engine", OLDER])
    except subprocess.CalledProcessError as error:
        return not_measured(f"the same, engine {OLDER}", error)
    seconds = json.loads(_output([sys.executable, "-m", "tests.bench.phrase_views_report"], place))
    return _compared(OLDER, seconds)


def _output(command: list[str], *path: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*path, ".", "plugins"])}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@contextmanager
def _embedded() -> Iterator[EmbeddedClient]:
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        EmbeddedClient("the benchmark's engine", Path(folder) / "chdb", DATABASE) as clickhouse,
    ):
        migrate(clickhouse)
        yield clickhouse


def _seconds(clickhouse: ClickHouse) -> dict[str, list[float]]:
    rows = CAMPAIGNS * ROWS_OF_CAMPAIGN
    clickhouse.execute(COUNTERS, {"campaign": ROWS_OF_CAMPAIGN, "phrases": PHRASES, "rows": rows})
    clickhouse.execute("OPTIMIZE TABLE phrases_views FINAL")  # merges meanwhile would disturb
    clickhouse.execute(f"CREATE TABLE report AS {BY_HOUR.name}")
    work = {"plain": lambda: _timed_plain(clickhouse), "report": lambda: _timed_report(clickhouse)}
    return in_turn(work, ROUNDS)


def _compared(engine: str, seconds: dict[str, list[float]], target: float | None = None) -> Finding:
    rows = CAMPAIGNS * ROWS_OF_CAMPAIGN
    question = f"phrase views of a day, {rows:,} counters, engine {engine}: time of a bare GROUP BY"
    remark = f"{typical(seconds['report'])} s against {typical(seconds['plain'])} s"
    slower = ratios(seconds["report"], seconds["plain"])
    if target is None:
        return Finding(question, slower, "", None, remark=remark)
    return at_most(question, slower, target, remark=remark)


def _timed_plain(clickhouse: ClickHouse) -> float:
    started = time.perf_counter()
    found = clickhouse.execute(PLAIN)
    seconds = time.perf_counter() - started
    require_equal("groups", found, [(CAMPAIGNS * PHRASES * 24,)])
    return seconds


def _timed_report(clickhouse: ClickHouse) -> float:
    clickhouse.execute("TRUNCATE TABLE report")
    started = time.perf_counter()
    insert_report(clickhouse, PhraseViewsRequest(day=DAY), "report")
    seconds = time.perf_counter() - started
    found = clickhouse.execute("SELECT count() FROM report")
    require_equal("rows of the report", found, [(CAMPAIGNS * PHRASES * 24,)])
    return seconds


def _rows_read(clickhouse: NativeClient) -> Finding:
    request = PhraseViewsRequest(day=DAY, campaign_ids=(CAMPAIGNS // 2 + 1,))
    rows = clickhouse.execute(REPORT_SQL.read_text(), bound_params(request))
    require_equal("rows of one campaign", len(rows), PHRASES * 24)
    beyond = clickhouse.last_query.progress.rows - ROWS_OF_CAMPAIGN
    ((parts,),) = clickhouse.execute(
        "SELECT count() FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'phrases_views' AND active"
    )
    question = f"the same, one of {CAMPAIGNS} campaigns, {parts} parts on disk: rows read beyond its own"
    return never_above(question, [beyond], 2 * GRANULE * parts)  # a granule at each end, in each part


if __name__ == "__main__":
    with _embedded() as opened:
        sys.stdout.write(json.dumps(_seconds(opened)))
