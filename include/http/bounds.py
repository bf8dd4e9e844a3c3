"""Limits on waiting and on retries."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SLEEP_S = 30.0  # a longer wait gives the worker slot back instead of sleeping on it


@dataclass(frozen=True)
class Bounds:
    """Every bound of waiting and asking again. Times in seconds.

    Attributes:
        max_sleep_s: waits up to this are slept; longer ones raise RateLimitedUntil.
        refusal_wait_s: wait after a refusal that names no time; doubles each time in a row.
        strikes: refusals in a row, each after the full wait, before the run fails.
        attempts: tries of one request. retry_first_s, retry_most_s: backoff between them, doubling, with
            jitter of up to retry_jitter_s on top.
        redirects: hops followed.
    """

    max_sleep_s: float = MAX_SLEEP_S
    refusal_wait_s: float = 60.0
    strikes: int = 5
    attempts: int = 5
    retry_first_s: float = 1.0
    retry_most_s: float = 20.0
    retry_jitter_s: float = 1.0
    redirects: int = 5
