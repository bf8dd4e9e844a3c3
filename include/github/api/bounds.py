"""How long to wait, and how often to ask again."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SLEEP_S = 30.0  # a longer wait gives the worker slot back instead of sleeping on it


@dataclass(frozen=True)
class Bounds:
    """Every bound of waiting and asking again. Times in seconds.

    Attributes:
        max_sleep_s: waits up to this are slept; longer ones raise RateLimitedUntil.
        secondary_wait_s: wait after a refusal that names no time; doubles each time in a row. The minute is
            GitHub's: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
        strikes: refusals in a row, each after the full wait, before the run fails.
        attempts: tries of one request. retry_first_s, retry_most_s: backoff between them, doubling, with
            jitter of up to retry_jitter_s on top.
        gone_delay_s: before a 404 is asked for once more: replicas of GitHub lag for a moment.
        redirects: hops followed. pages: of one list; past it the run fails. At 100 a page that is 100,000
            commits of one repository in a day, ten times what the busiest has.
    """

    max_sleep_s: float = MAX_SLEEP_S
    secondary_wait_s: float = 60.0
    strikes: int = 5
    attempts: int = 5
    retry_first_s: float = 1.0
    retry_most_s: float = 20.0
    retry_jitter_s: float = 1.0
    gone_delay_s: float = 1.0
    redirects: int = 5
    pages: int = 1000
