"""Where do events best go? The same ones into several stores: inserts, size, six queries.

`make bench ONLY=storage` takes 10,000,000 events, within ten minutes; with EVENTS=100000 fewer. The figures
are written as one JSON; `python -m tests.bench.storage_page FILE` makes tables and chart of
docs/storage-comparison.md of it.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.bench.findings import Finding, WorkNotDone, require_equal
from tests.bench.storage_clickhouse import clickhouse, embedded
from tests.bench.storage_events import smaller_batches, write_batch, write_batches
from tests.bench.storage_sql import duckdb, postgres, vertica
from tests.bench.storage_store import QUERIES, NotThere, Store

EVENTS = int(os.environ.get("EVENTS") or 10_000_000)
WRITTEN = Path(os.environ.get("STORAGE_JSON") or ".stagehouse/storage-comparison.json")
STORES = {
    "clickhouse": clickhouse,
    "chdb": embedded,
    "postgres": postgres,
    "duckdb": duckdb,
    "vertica": vertica,
}
BATCH = 100_000  # of the whole table
SMALLER = {1_000: 100_000, 10_000: 500_000}  # batch size: rows at the most, or it would take the evening
WARM, WARM_S = 3, 10.0  # runs of a query, or so many seconds
PACE_BATCH, PACE_S = 10_000, 0.5  # while it is asked, so many rows come in each time


def run() -> list[Finding]:
    """Measure each store that is here; write the JSON."""
    with tempfile.TemporaryDirectory(prefix="stagehouse-bench-", dir="/tmp") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        batches = write_batches(directory / "batches", 0, EVENTS, BATCH, EVENTS)
        text_bytes = sum(path.stat().st_size for path in batches)
        expected: dict[str, object] = {}
        stores = [_of_store(name, directory, batches, expected) for name in STORES]
    facts = {"events": EVENTS, "text_bytes": text_bytes, "machine": _machine(), "stores": stores}
    WRITTEN.parent.mkdir(exist_ok=True, parents=True)
    WRITTEN.write_text(json.dumps(facts, indent=1) + "\n")
    return [finding for each in stores for finding in _findings(each)]


def _of_store(name: str, directory: Path, batches: list[Path], expected: dict[str, object]) -> dict[str, Any]:
    try:
        with STORES[name](directory / name) as store:
            return {"name": name, **_measured(store, directory, batches, expected)}
    except NotThere as why:
        return {"name": name, "title": name.capitalize(), "missing": str(why)}


def _measured(
    store: Store, directory: Path, batches: list[Path], expected: dict[str, object]
) -> dict[str, Any]:
    rates = {}
    for size, most in SMALLER.items():
        store.make_table()
        rows = min(EVENTS, most)
        rates[str(size)] = rows / sum(
            _seconds(store.insert, path)
            for path in smaller_batches(batches, directory / "smaller", size, rows)
        )
    store.make_table()
    rates[str(BATCH)] = EVENTS / sum(_seconds(store.insert, path) for path in batches)
    store.settle()
    size_on_disk = store.bytes_on_disk()
    cold, warm = {}, {}
    for query in QUERIES:
        if store.forget:
            store.forget()
            cold[query] = _seconds(store.ask, query)
        found = store.ask(query)
        require_equal(f"{query} of {store.title}", found, expected.setdefault(query, found))
        warm[query] = median(_some(lambda query=query: _seconds(store.ask, query), WARM))
    loading, pace = _while_loading(store, directory)
    return {
        "title": store.title,
        "conditions": store.conditions,
        "rows_per_s": rates,
        "bytes": size_on_disk,
        "cold_s": cold,
        "warm_s": warm,
        "loading_s": loading,
        "loading_rows_per_s": pace,
    }


def _while_loading(store: Store, directory: Path) -> tuple[dict[str, float], float]:
    """Ask each query while batches come in at a pace; return seconds, and rows a second that came in."""
    stop, path, loaded, problem = threading.Event(), directory / "coming.tsv", [0], list[Exception]()

    def load() -> None:
        due = time.monotonic()
        try:
            while not stop.is_set():
                write_batch(path, EVENTS + loaded[0], PACE_BATCH, EVENTS)
                store.insert(path)
                loaded[0] += PACE_BATCH
                due += PACE_S
                stop.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - told by the thread that measures
            problem.append(error)

    loader, began = threading.Thread(target=load), time.monotonic()
    loader.start()
    try:
        seconds = {
            query: median(_some(lambda query=query: _seconds(store.ask, query), WARM)) for query in QUERIES
        }
    finally:
        stop.set()
        loader.join()
    if problem:
        raise WorkNotDone(f"{store.title} while it is asked: {problem[0]}") from problem[0]
    return seconds, loaded[0] / (time.monotonic() - began)


def _some(measure: Callable[[], float], most: int) -> list[float]:
    """Measure so often, and less often what takes long."""
    figures = [measure()]
    while len(figures) < most and sum(figures) < WARM_S:
        figures.append(measure())
    return figures


def _seconds(work: Callable[[Any], object], argument: Any) -> float:
    began = time.monotonic()
    work(argument)
    return time.monotonic() - began


def _machine() -> str:
    memory_gib = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[2]
    return f"{os.cpu_count()} processors, {memory_gib:.0f} GiB, load average {load:.1f} in 15 minutes"


def _findings(store: dict[str, Any]) -> list[Finding]:
    title = store["title"]
    if why := store.get("missing"):
        return [Finding(f"{title}: not measured", (), "", None, remark=why)]
    rates = ", ".join(f"{rate:,.0f} ({size})" for size, rate in store["rows_per_s"].items())
    return [
        Finding(f"{title}: MiB on disk", [store["bytes"] / 2**20], "", None, 0, f"rows/s by batch: {rates}"),
        Finding(
            f"{title}: seconds of the six queries, warm",
            [sum(store["warm_s"].values())],
            "",
            None,
            remark=f"cold {sum(store['cold_s'].values()):.2f} s, while rows come in "
            f"{sum(store['loading_s'].values()):.2f} s",
        ),
    ]
