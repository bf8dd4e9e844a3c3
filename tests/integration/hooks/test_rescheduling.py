"""Waiting without a worker slot: only what is worth waiting for becomes a reschedule."""

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from include.http.errors import RateLimitedUntil
from include.postgres.errors import LeaseLost, LeaseTaken
from stagehouse.hooks.rescheduling import LEASE_RETRY, reschedule_on_wait

UNTIL = datetime(2026, 8, 21, 1, 2, 3, tzinfo=UTC)


def test_a_closed_limit_is_waited_for_outside(caplog: pytest.LogCaptureFixture):
    """The task comes back at the very moment GitHub named, and the log says so."""
    limit = RateLimitedUntil("core", UNTIL, "403")
    with (
        caplog.at_level("WARNING"),
        pytest.raises(AirflowRescheduleException) as caught,
        reschedule_on_wait(),
    ):
        raise limit
    assert caught.value.reschedule_date == UNTIL
    assert caught.value.__cause__ is limit
    assert "the slot is given back" in caplog.text


def test_a_taken_lease_is_looked_at_again(caplog: pytest.LogCaptureFixture):
    """A little later, with the holder's name in the log."""
    before = datetime.now(UTC)
    with (
        caplog.at_level("INFO"),
        pytest.raises(AirflowRescheduleException) as caught,
        reschedule_on_wait(),
    ):
        raise LeaseTaken("github:x", "some_dag.fetch try 1")
    assert before + LEASE_RETRY <= caught.value.reschedule_date <= datetime.now(UTC) + LEASE_RETRY
    assert timedelta(seconds=5) <= LEASE_RETRY <= timedelta(minutes=1)
    assert "some_dag.fetch try 1" in caplog.text


@pytest.mark.parametrize(
    "error", [LeaseLost("github:x"), ValueError("x"), KeyboardInterrupt()], ids=lambda e: type(e).__name__
)
def test_everything_else_passes(error: BaseException):
    """Unchanged: a lost lease is a failure, not a wait."""
    with pytest.raises(type(error)) as caught, reschedule_on_wait():
        raise error
    assert caught.value is error


def test_nothing_to_wait_for_is_nothing():
    """A block that ends well ends well."""
    with reschedule_on_wait():
        done = True
    assert done
