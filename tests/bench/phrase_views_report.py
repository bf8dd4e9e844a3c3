"""How much slower is the report of a day than the plainest question to the same counters?

140 campaigns of 1,000 phrases, a sample every ten minutes. The plain question is GROUP BY campaign, phrase,
hour with max(views): it knows no neighbour, no reset, no gap, reads without FINAL, and its rows are counted
where the report's are stored. And: how many rows does the report of one campaign read?
"""

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
from tests.bench.findings import Finding, at_most, never_above, require_equal
from tests.bench.rounds import in_turn, ratios, typical
from tests.bench.staged_day import DATABASE, connect, migrated_server

DAY = date(2026, 8, 20)
CAMPAIGNS, PHRASES, SAMPLES = 140, 1000, 144
ROWS_OF_CAMPAIGN = PHRASES * SAMPLES
GRANULE = 8192  # rows, the engine's default; the least it reads
ROUNDS = 3
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
    """Time both on the engine of 2026, which is the default, and on the server of 2018."""
    with _embedded() as clickhouse:
        embedded = _compare("26.9", clickhouse, 2.0)
    with migrated_server() as server, connect(server.port) as clickhouse:
        return [embedded, _compare("18.16", clickhouse), _rows_read(clickhouse)]


@contextmanager
def _embedded() -> Iterator[EmbeddedClient]:
    with (
        tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder,
        EmbeddedClient("the benchmark's engine", Path(folder) / "chdb", DATABASE) as clickhouse,
    ):
        migrate(clickhouse)
        yield clickhouse


def _compare(engine: str, clickhouse: ClickHouse, target: float | None = None) -> Finding:
    rows = CAMPAIGNS * ROWS_OF_CAMPAIGN
    clickhouse.execute(COUNTERS, {"campaign": ROWS_OF_CAMPAIGN, "phrases": PHRASES, "rows": rows})
    clickhouse.execute("OPTIMIZE TABLE phrases_views FINAL")  # merges meanwhile would disturb
    clickhouse.execute(f"CREATE TABLE report AS {BY_HOUR.name}")
    work = {"plain": lambda: _timed_plain(clickhouse), "report": lambda: _timed_report(clickhouse)}
    seconds = in_turn(work, ROUNDS)
    question = f"phrase views of a day, 20 M counters, engine {engine}: time of a bare GROUP BY"
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
    request = PhraseViewsRequest(day=DAY, campaign_ids=(77,))
    rows = clickhouse.execute(REPORT_SQL.read_text(), bound_params(request))
    require_equal("rows of one campaign", len(rows), PHRASES * 24)
    beyond = clickhouse.last_query.progress.rows - ROWS_OF_CAMPAIGN
    ((parts,),) = clickhouse.execute(
        "SELECT count() FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'phrases_views' AND active"
    )
    question = f"the same, one of 140 campaigns, {parts} parts on disk: rows read beyond its own"
    return never_above(question, [beyond], 2 * GRANULE * parts)  # a granule at each end, in each part
