"""`python -m tests.bench [NAME ...]`: run the benchmarks, all or those named, and print one table.

The exit code tells whether they did their work; whether a target is missed is told by the table.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench import (
    calls_evening,
    calls_file,
    calls_rate,
    capacity,
    change_capture,
    fetch,
    kafka_batches,
    kafka_kills,
    load,
    load_batches,
    load_memory,
    lost_rows,
    parse,
    phrase_views_import,
    phrase_views_report,
    rank_memory,
    requests_spent,
    scrape,
    small_loads,
    storage,
    text_parts,
    workers,
)
from tests.bench.findings import Finding

BENCHMARKS: dict[str, Callable[[], list[Finding]]] = {
    module.__name__.rpartition(".")[2]: module.run
    for module in (
        *(fetch, load, load_batches, load_memory, parse, phrase_views_import, phrase_views_report),
        *(requests_spent, rank_memory, text_parts, workers, capacity, calls_rate, calls_file, calls_evening),
        *(kafka_batches, kafka_kills, storage),
        *(change_capture, lost_rows, small_loads, scrape),
    )
}


def main(arguments: list[str]) -> int:
    """Run and print; return 1 if a benchmark did not do its work."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)} (all)")
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    # A terminal's width may be 80, a log's too: a cut table is no table.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 150)
    findings: list[Finding] = []
    failed = []
    for name in names:
        started = time.monotonic()
        try:
            findings += BENCHMARKS[name]()
        except Exception:  # noqa: BLE001 - the other benchmarks still have something to say
            console.print_exception()
            failed.append(name)
        sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n")
    console.print(table(findings))
    console.print(machine())
    if failed:
        console.print(f"Did not do their work: {', '.join(failed)}")
    return 1 if failed else 0


def table(findings: list[Finding]) -> Table:
    """Return all findings as one table."""
    drawn = Table("question", caption_justify="left")
    for name in ("min", "median", "max", "target"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("verdict", no_wrap=True)
    drawn.add_column("medians in figures")
    for finding in findings:
        drawn.add_row(finding.question, *finding.measured, finding.target, finding.verdict, finding.remark)
    return drawn


def machine() -> str:
    """Say in a line what the figures come from; how busy it was tells how much to believe them."""
    memory_gib = psutil.virtual_memory().total / 2**30
    load_1_min, _, load_15_min = os.getloadavg()
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}; load average {load_1_min:.1f}, {load_15_min:.1f} (1, 15 min)"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
