"""Does docs/capacity.md tell the truth of a day of 100 to 100,000 repositories: rows, bytes, memory, time?

A day from its ranking to its page, each stage in a process of its own, against what capacity_model.py says;
and the same list and commits by GraphQL.
Time is scaled: more requests are allowed a second, and any number an hour, searches a minute too.

`python -m tests.bench.capacity STAGE COUNT DIRECTORY PORT URL` runs one stage and prints what it cost.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.publish import check_day, publish_day
from include.http.pacing import GUARD
from include.pages.top_repositories import render_top_repositories
from include.pages.top_repositories_data import HISTORY_DAYS, read_top_repositories
from tests.bench.capacity_model import PUSHED_EVERY, Day
from tests.bench.fetch import stand_in
from tests.bench.findings import Finding, require_equal
from tests.bench.load_memory import peak_kib
from tests.bench.main_job import graphql_options, now, rank_and_fetch, yesterday
from tests.bench.staged_day import connect, migrated_server, staged_in

# repositories: requests a second, so that the pace counts; none of 100,000, whose fetch takes what it takes
RATES = {100: 20, 1_000: 50, 10_000: 100, 100_000: 10_000}
# days with a ranking; 60 of 100,000 repositories are more than this machine holds
HISTORY = {100: HISTORY_DAYS, 1_000: HISTORY_DAYS, 10_000: HISTORY_DAYS, 100_000: 1}
ROUNDS = 2
Costs = dict[str, dict[str, float]]  # by stage and name


def run() -> list[Finding]:
    """Take days of each size from their ranking to their page, in turn."""
    found = [{count: measure(count) for count in RATES} for _ in range(ROUNDS)]
    findings: list[Finding] = []
    for count, rate in RATES.items():
        findings += _judge(Day(count, history_days=HISTORY[count]), rate, [each[count] for each in found])
    return findings


def measure(count: int) -> Costs:
    """Run the stages of a day; return what each cost."""
    costs = {}
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-") as folder, migrated_server() as server:
        directory = Path(folder)
        crowd = ("tests.bench.crowd_stand_in", str(count), str(PUSHED_EVERY[count]))
        with stand_in(directory / "port", *crowd, *graphql_options()) as url:
            for stage in STAGES:
                command = [sys.executable, "-m", "tests.bench.capacity", stage, str(count), folder]
                done = subprocess.run(
                    [*command, str(server.port), url], check=True, capture_output=True, text=True
                )
                costs[stage] = json.loads(done.stdout.splitlines()[-1])
    return costs


def _judge(day: Day, rate: float, rounds: Sequence[Costs]) -> list[Finding]:
    """Divide what was measured by what the model says, having found the exact figures as they must be."""
    for costs in rounds:
        require_equal("load tasks", costs["fetch"]["parts"], day.load_tasks)
    seconds = day.seconds()
    predicted = {
        ("fetch", "requests"): day.requests,
        ("graphql", "requests"): replace(day, api="graphql").requests,
        ("fetch", "rows"): day.rows,
        ("fetch", "bytes"): day.staged_bytes,
        ("store", "bytes"): day.stored_bytes,
        ("render", "bytes"): day.page_bytes,
        ("show", "bytes"): day.page_bytes,
        ("fetch", "peak_mib"): day.fetch_mib,
        ("graphql", "peak_mib"): day.fetch_mib,
        ("render", "peak_mib"): day.render_mib,
        ("fetch", "seconds"): max(day.requests * GUARD / rate, seconds.fetch_cpu),
        ("fetch", "cpu_s"): seconds.fetch_cpu,
        ("load", "cpu_s"): seconds.load,
        ("publish", "cpu_s"): seconds.publish,
        ("render", "cpu_s"): seconds.render,
    }
    findings = []
    for (stage, what), said in predicted.items():
        found = [costs[stage][what] for costs in rounds]
        question = f"{day.repositories:,} repositories: {what} of {stage}, measured of predicted"
        remark = f"{median(found):,.2f} against {said:,.2f}"
        findings.append(Finding(question, [each / said for each in found], "", None, remark=remark))
    return findings


def _fetch(count: int, directory: Path, _port: int, url: str) -> dict[str, float]:
    manifest = asyncio.run(rank_and_fetch(url, count, directory / "run", rate=RATES[count]))
    require_equal("repositories ranked", manifest.facts["ranked"], count)
    files = [file.stat().st_size for file in (directory / "run").rglob("*") if file.is_file()]
    tables = manifest.tables.values()
    return {
        "requests": int(str(manifest.facts["requests"])),
        "rows": sum(table.rows for table in tables),
        "parts": sum(len(table.parts) for table in tables),
        "bytes": sum(files),
        "files": len(files),
    }


def _graphql(count: int, directory: Path, _port: int, url: str) -> dict[str, float]:
    """Ask for the same by GraphQL, where the stand-in has it."""
    if not graphql_options():
        return {"requests": 0}
    work = rank_and_fetch(
        url, count, directory / "graphql", rate=RATES[count], api="graphql", tokens=("token",)
    )
    facts = asyncio.run(work).facts
    require_equal("repositories ranked", facts["ranked"], count)
    return {"requests": int(str(facts["requests"]))}


def _load(_count: int, directory: Path, port: int, _url: str) -> dict[str, float]:
    manifest = staged_in(directory / "run")
    with connect(port) as clickhouse:
        staged = [
            load_part(clickhouse, directory / "run", manifest, table=name, file=part.file, attempt="load")
            for name, parts in manifest.tables.items()
            for part in parts.parts
        ]
    (directory / "staged.json").write_text(json.dumps([part.model_dump() for part in staged]))
    return {"rows": sum(part.rows for part in staged)}


def _publish(_count: int, directory: Path, port: int, _url: str) -> dict[str, float]:
    manifest = staged_in(directory / "run")
    staged = [StagedPart.model_validate(part) for part in json.loads((directory / "staged.json").read_text())]
    with connect(port) as clickhouse:
        publish_day(clickhouse, manifest, staged, attempt="publish", now=now, old_parts_wait_s=0)
        check_day(clickhouse, directory / "run", manifest, "check")
    return {}


def _store(count: int, directory: Path, port: int, _url: str) -> dict[str, float]:
    """Say what the day takes on disk, then give days before it a ranking: the page shows their course."""
    with connect(port) as clickhouse:
        for table in staged_in(directory / "run").tables:
            clickhouse.execute(f"OPTIMIZE TABLE {table} FINAL")
        ((stored,),) = clickhouse.execute(
            "SELECT sum(bytes_on_disk) FROM system.parts "
            "WHERE database = currentDatabase() AND active AND match(table, '^repositories')"
        )
        clickhouse.execute(
            "INSERT INTO repositories_positions (date, repo, position, id, stars) "
            "SELECT date - back, repo, position, id, stars FROM repositories_positions "
            "ARRAY JOIN arrayMap(n -> n + 1, range(%(before)s)) AS back",
            {"before": HISTORY[count] - 1},
        )
    return {"bytes": stored}


def _render(_count: int, directory: Path, port: int, _url: str) -> dict[str, float]:
    with connect(port) as clickhouse:
        data = read_top_repositories(clickhouse, yesterday())
    pages = render_top_repositories(directory / "reports", data)
    return {"bytes": sum(page.stat().st_size for page in Path(str(pages)).rglob("*.html"))}


def _show(_count: int, directory: Path, _port: int, _url: str) -> dict[str, float]:
    """Answer with the page, as the API server does."""
    from stagehouse.ui.responses import rendered_page

    (page,) = (directory / "reports").rglob("*.html")
    tracemalloc.start()
    rendered_page(page.open("rb"))
    return {"bytes": tracemalloc.get_traced_memory()[1]}


STAGES: dict[str, Callable[[int, Path, int, str], dict[str, float]]] = {
    "fetch": _fetch,
    "graphql": _graphql,
    "load": _load,
    "publish": _publish,
    "store": _store,
    "render": _render,
    "show": _show,
}


def main(stage: str, count: int, directory: Path, port: int, url: str) -> None:
    """Run one stage of a day and print its facts and costs as JSON."""
    started, used = time.perf_counter(), time.process_time()
    facts = STAGES[stage](count, directory, port, url)
    costs = {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - used}
    sys.stdout.write(json.dumps(facts | costs | {"peak_mib": peak_kib() / 1024}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
