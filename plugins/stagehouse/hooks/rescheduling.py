"""Waiting without holding a worker slot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from airflow.sdk.exceptions import AirflowRescheduleException

from stagehouse.clock import now

log = logging.getLogger(__name__)

LEASE_RETRY = timedelta(seconds=20)


@contextmanager
def reschedule_on_wait() -> Iterator[None]:
    """Turn "not before T", "another holds the lease" and "no session is free" into a reschedule of this task.

    The task leaves its slot, spends no retry, and starts again at T.
    """
    from include.http.errors import RateLimitedUntil
    from include.postgres.errors import LeaseTaken, LeaseUnanswered

    try:
        yield
    except RateLimitedUntil as limit:
        log.warning("%s; the slot is given back until then", limit)
        raise AirflowRescheduleException(limit.until) from limit  # type: ignore[no-untyped-call]
    except LeaseTaken as taken:
        log.info("%s; looking again in %d s", taken, LEASE_RETRY.total_seconds())
        again = now() + LEASE_RETRY
        raise AirflowRescheduleException(again) from taken  # type: ignore[no-untyped-call]
    except LeaseUnanswered as silence:
        log.warning("%s; the slot is given back for %d s", silence, LEASE_RETRY.total_seconds())
        again = now() + LEASE_RETRY
        raise AirflowRescheduleException(again) from silence  # type: ignore[no-untyped-call]
