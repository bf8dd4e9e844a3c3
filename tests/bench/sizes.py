"""Sizes of benchmarks of many rows: BENCH_SMALLER=100 has them do a hundredth, to see whether they work."""

import os

SMALLER = int(os.environ.get("BENCH_SMALLER", "1"))


def rows(count: int) -> int:
    """Return `count`, or the share of it that was asked for."""
    return max(count // SMALLER, 1)
