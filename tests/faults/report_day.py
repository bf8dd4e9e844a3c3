"""The report's day that the faults happen to, and its publisher in a process of its own.

Of a day before and of the day `old run` has published campaigns 1 and 2; then more counters of both came in.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any

import psycopg2

from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.loads import recorded_load
from include.clickhouse.schema import migrate
from include.phrase_views.gains import BY_HOUR
from include.phrase_views.report import (
    ComputedReport,
    PublishedReport,
    check_report,
    compute_report,
    publication,
    publish_report,
    read_report,
)
from include.postgres.lease import lease
from tests.faults.day import Reader
from tests.faults.task_process import TaskProcess
from tests.integration.phrase_views.days import (
    DAY,
    NOW,
    OTHER_DAY,
    ask,
    counters,
    hours_of,
    insert,
    run,
    staging_tables,
)
from tests.servers.clickhouse import ClickHouseServer

WHERE = "connection 'clickhouse_default'"
CAMPAIGNS = (1, 2)
BEFORE = [(0, 0, "partial"), (23, 1, "gap")]  # of the day before
OLD, NEW = [(0, 3), (1, 5)], [(0, 3), (1, 5), (2, 7)]  # hours of a campaign before and after
BOTH_NEW, FIRST_NEW = {1: NEW, 2: NEW}, {1: NEW, 2: OLD}


class ReportDay:
    """The day on one server."""

    def __init__(self, server: ClickHouseServer, database: str) -> None:
        self.server, self.database = server, database
        server.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
        with self.connect() as clickhouse:
            migrate(clickhouse)
            for campaign_id in CAMPAIGNS:
                text = "-1/00:10=0 -1/23:50=1 00:10=4 00:50=4 01:10=9 01:50=9"
                insert(clickhouse, counters(text, campaign_id=campaign_id))
            run(clickhouse, ask(day=OTHER_DAY), "run of the day before")
            run(clickhouse, ask(), "old run")
            self.old = fingerprint(clickhouse, BY_HOUR, DAY.isoformat())
            for campaign_id in CAMPAIGNS:
                insert(clickhouse, counters("02:10=16", campaign_id=campaign_id))

    def connect(self, port: int | None = None) -> NativeClient:
        """A client straight to the server, or to the port of a proxy."""
        return connect(self.server.user, self.server.password, port or self.server.port, self.database)

    def compute(self, *campaign_ids: int, run_id: str = "new run", attempt: str = "report") -> ComputedReport:
        """Do what the task `report` does."""
        with self.connect() as clickhouse:
            return compute_report(clickhouse, ask(*campaign_ids), run_id, attempt)

    def publish(self, computed: ComputedReport, *campaign_ids: int, run_id: str = "new run") -> None:
        """Do what `publish` and `check` do, as a second try."""
        with self.connect() as clickhouse:
            published = publish(clickhouse, computed, campaign_ids, run_id, "2")
            check_report(clickhouse, ask(*campaign_ids), published, run_id)

    def rows(self, clickhouse: ClickHouse, day: date = DAY) -> dict[int, list[tuple]]:
        """Return what readers see: hours by campaign."""
        found = list(read_report(clickhouse, day))
        campaigns = sorted({row.campaign_id for row in found})
        return {number: hours_of(row for row in found if row.campaign_id == number) for number in campaigns}

    def require(self, expected: dict[int, list[tuple]], *, by: str = "new run") -> None:
        """Rows equal the truth and their row in `loads`, the other day is untouched, no staging is left."""
        with self.connect() as clickhouse:
            assert self.rows(clickhouse) == expected
            assert publication(clickhouse, DAY)[0] == by
            assert self.rows(clickhouse, OTHER_DAY) == dict.fromkeys(CAMPAIGNS, BEFORE)
            assert publication(clickhouse, OTHER_DAY)[0] == "run of the day before"
            assert staging_tables(clickhouse) == []

    def require_old(self) -> None:
        """Readers see what they saw before."""
        with self.connect() as clickhouse:
            assert fingerprint(clickhouse, BY_HOUR, DAY.isoformat()) == self.old
            assert recorded_load(clickhouse, BY_HOUR.name, DAY).run_id == "old run"

    @contextmanager
    def watched(self) -> Iterator[Reader]:
        """Have a reader look all the time; at the end it has seen the old day or the one that is there."""
        reader = Reader(self.connect, BY_HOUR)
        try:
            yield reader
        finally:
            reader.stop()
        with self.connect() as clickhouse:
            assert reader.seen <= {self.old, fingerprint(clickhouse, BY_HOUR, DAY.isoformat())}


class Publisher(TaskProcess):
    """One try of `publish` in a process of its own; `postgres`, a DSN: it holds the day's lease there."""

    def __init__(
        self,
        day: ReportDay,
        computed: ComputedReport,
        *campaign_ids: int,
        run_id: str = "new run",
        attempt: str = "1",
        port: int | None = None,
        postgres: str = "",
    ) -> None:
        server = day.server
        work = {"connect": [server.user, server.password, port or server.port, day.database]}
        work |= {"computed": computed.model_dump(), "campaign_ids": campaign_ids, "run_id": run_id}
        work |= {"attempt": attempt, "postgres": postgres}
        self._start("tests.faults.report_day", work)


def connect(user: str, password: str, port: int, database: str) -> NativeClient:
    """A client of the loader."""
    return NativeClient(WHERE, "127.0.0.1", port, database, user=user, password=password)


def publish(
    clickhouse: ClickHouse,
    computed: ComputedReport,
    campaign_ids: tuple[int, ...] = (),
    run_id: str = "new run",
    attempt: str = "1",
    **how: Any,
) -> PublishedReport:
    """Publish without waiting for the server to clean up: 18.16 takes 10 s for it."""
    return publish_report(
        clickhouse, ask(*campaign_ids), computed, run_id, attempt, now=lambda: NOW, old_parts_wait_s=0, **how
    )


def main(work: dict[str, Any]) -> dict[str, Any]:
    """Do the work of a Publisher."""
    computed = ComputedReport.model_validate(work["computed"])
    what = (computed, tuple(work["campaign_ids"]), work["run_id"], work["attempt"])
    with connect(*work["connect"]) as clickhouse:
        if not work["postgres"]:
            return publish(clickhouse, *what).model_dump()
        opened = partial(psycopg2.connect, work["postgres"])
        with lease(opened, f"publish {BY_HOUR.name} {DAY}", f"publish of {work['run_id']}") as held:
            return publish(clickhouse, *what, check_lease=held.check).model_dump()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
