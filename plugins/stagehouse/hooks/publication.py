"""One publication at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stagehouse.hooks.rescheduling import reschedule_on_wait

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.postgres.lease import Lease


@contextmanager
def publication_lock(key: object) -> Iterator[tuple[ClickHouse, Lease]]:
    """Yield a client of ClickHouse and the lease to publish `key`: a day, a table, a day of a table.

    Who checks or renders takes it too: between a table and its row in `loads` no publication is as it says,
    and what is read has to be of one publication. A task that has to wait gives its slot back.
    """
    from stagehouse.hooks.clickhouse_hook import ClickHouseHook
    from stagehouse.hooks.postgres_hook import StagehousePostgresHook

    with (
        reschedule_on_wait(),
        StagehousePostgresHook().lease(f"publish {key}") as lease,
        ClickHouseHook().get_client() as clickhouse,
    ):
        yield clickhouse, lease
