"""One publication at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from stagehouse.hooks.rescheduling import reschedule_on_wait

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.postgres.lease import Lease

# Older versions guard its day by the day alone. Until 1.0 that name is taken too, after the new one: so
# tries of both versions exclude each other in an upgrade. No other publication takes such a name.
DAY_ALONE = "github_top_repositories"


def lease_names(guarded: str, day: date | None = None) -> tuple[str, ...]:
    """Return the names of the leases to publish `guarded`, in the order in which everybody takes them.

    Args: guarded: a DAG or a table. day: the one that is published; None guards all days together.
    """
    if day is None:
        return (f"publish {guarded}",)
    name = f"publish {guarded} {day}"
    return (name, f"publish {day}") if guarded == DAY_ALONE else (name,)


@contextmanager
def publication_lock(guarded: str, day: date | None = None) -> Iterator[tuple[ClickHouse, Lease]]:
    """Yield a client of ClickHouse and the lease to publish: args as of lease_names().

    Who checks or renders takes it too: between a table and its row in `loads` no publication is as it says,
    and what is read has to be of one publication. A task that has to wait gives its slot back.
    """
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook
    from stagehouse.hooks.postgres_hook import StagehousePostgresHook

    with (
        reschedule_on_wait(),
        StagehousePostgresHook().lease(*lease_names(guarded, day)) as lease,
        ClickHouseHook().get_client() as clickhouse,
    ):
        yield clickhouse, lease
