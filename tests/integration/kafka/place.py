"""What the tasks of a run that reads a topic do, without Airflow: on a real broker and either engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include.clickhouse.client import ClickHouse
from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.publish import check_day, publish_day
from include.clickhouse.schema import migrate
from include.kafka.events import USER_EVENTS
from include.kafka.groups import stage_group
from include.kafka.ledger import read_ledger, require_chain, require_next
from include.kafka.messages import RowType
from include.kafka.options import checked_options
from include.kafka.plan import Plan, make_plan
from include.kafka.request import read_request
from include.kafka.session import KafkaSession
from include.staging.manifest import Manifest, StagedBy, read_manifest

NOW = datetime(2026, 8, 21, 6, 30, tzinfo=UTC)
LETTERS = "SELECT `partition`, `offset`, reason, key, value, encoding FROM kafka_dead_letters ORDER BY 1, 2"
OFFSETS = (
    "SELECT epoch, `partition`, from_offset, to_offset, rows, rejected, tombstones, hidden, lost "
    "FROM kafka_offsets WHERE topic = %(topic)s ORDER BY epoch, `partition`, from_offset"
)


def event(number: int = 0, **changes: Any) -> bytes:
    """Return a message of the format json."""
    at = datetime(2026, 8, 20, 5, tzinfo=UTC) + timedelta(seconds=number)
    fields = {
        "user_id": f"u{number % 7}",
        "action": "click",
        "description": f"event-{number}",
        "event_time": at.isoformat(),
        "start_time": "05:00:00",
        "end_time": "05:00:10",
    }
    return json.dumps(fields | changes).encode()


def visit(number: int = 0, **changes: object) -> bytes:
    """Return a message of user_sessions."""
    start = datetime(2026, 8, 20, tzinfo=UTC) + timedelta(hours=number % 30)
    fields = {
        "session_id": number,
        "user_id": f"u{number % 7}",
        "session_start": start.isoformat(),
        "session_end": (start + timedelta(minutes=10)).isoformat(),
        "path": "/",
        "click_count": number,
    }
    return json.dumps(fields | changes).encode()


def staged_by(plan: Plan) -> StagedBy:
    """Return whose files a plan's are."""
    return StagedBy(plan.dag_id, plan.run_id, NOW.date(), "stage")


class Place:
    """A broker's topic and an engine with the tables. Attributes: topic; directory, of staging."""

    def __init__(
        self,
        options: dict[str, Any],
        topic: str,
        connect: Callable[[], ClickHouse],
        directory: Path,
        row_type: RowType = USER_EVENTS,
    ) -> None:
        self.options, self.topic, self.connect, self.directory = options, topic, connect, directory
        self.row_type, self.dag_id = row_type, row_type.table
        with self.connect() as clickhouse:
            migrate(clickhouse)

    def session(self, **deadlines: float) -> KafkaSession:
        """Return a session, to be entered."""
        return KafkaSession("connection 'kafka_default'", checked_options(self.options), **deadlines)

    def plan(self, run_id: str = "run 1", now: datetime = NOW, **params: Any) -> Plan:
        """Do what the task plan does."""
        request = read_request(params, self.topic, tuple(self.row_type.formats))
        with self.connect() as clickhouse, self.session() as session:
            ledger = read_ledger(clickhouse, self.dag_id, request.topic)
            topic = session.topic(request.topic)
            marks = session.marks(topic)
            return make_plan(
                session.where, request, ledger, topic, marks, dag_id=self.dag_id, run_id=run_id, now=now
            )

    def stage(self, plan: Plan, **limits: Any) -> Manifest:
        """Do what the task stage does, group after group."""
        for partitions in plan.groups:
            self.stage_group(plan, partitions, **limits)
        return read_manifest(self.directory / plan.run_id, staged_by(plan))

    def stage_group(self, plan: Plan, partitions: Sequence[int], **limits: Any) -> Manifest:
        """Do what the task stage does for a group; return the manifest of the group."""
        directory, by = self.directory / plan.run_id, staged_by(plan)
        with self.session(no_progress_s=10) as session:
            return stage_group(
                session,
                plan,
                partitions,
                self.row_type,
                directory,
                by,
                host="here",
                now=lambda: NOW,
                **limits,
            )

    def load(self, manifest: Manifest, clickhouse: ClickHouse) -> list[StagedPart]:
        """Do what the task load does, for all parts."""
        directory = self.directory / manifest.run_id
        return [
            load_part(clickhouse, directory, manifest, table=name, file=part.file, attempt="1")
            for name, parts in manifest.tables.items()
            for part in parts.parts
        ]

    def publish(
        self,
        manifest: Manifest,
        clickhouse: ClickHouse,
        loaded: list[StagedPart],
        check_lease: Callable[[], None] = lambda: None,
    ) -> dict[str, int]:
        """Do what the task publish does."""
        ranges = manifest.tables[self.dag_id].ranges
        require_next(clickhouse, manifest.dag_id, manifest.run_id, ranges)
        return publish_day(
            clickhouse, manifest, loaded, attempt="1", now=lambda: NOW, check_lease=check_lease
        )

    def check(self, manifest: Manifest, clickhouse: ClickHouse) -> None:
        """Do what the task check does."""
        check_day(clickhouse, self.directory / manifest.run_id, manifest, "1")
        require_chain(clickhouse, manifest.dag_id, self.topic)

    def finish(self, manifest: Manifest) -> None:
        """Load, publish and check what is staged."""
        with self.connect() as clickhouse:
            self.publish(manifest, clickhouse, self.load(manifest, clickhouse))
            self.check(manifest, clickhouse)

    def run(self, run_id: str = "run 1", now: datetime = NOW, **params: Any) -> Manifest | None:
        """Do all of a run; return what it staged, None where nothing was new."""
        plan = self.plan(run_id, now, **params)
        if not plan.ranges:
            return None
        manifest = self.stage(plan)
        self.finish(manifest)
        return manifest

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with self.connect() as clickhouse:
            return clickhouse.execute(select, {"topic": self.topic})

    def offsets(self, columns: str = "epoch, `partition`, `offset`") -> list[tuple]:
        """Return the rows in sight, without FINAL."""
        return self.read(f"SELECT {columns} FROM {self.dag_id} ORDER BY epoch, `partition`, `offset`")

    def ledger(self) -> list[tuple]:
        """Return the lines of the ledger, from `epoch` to `lost`."""
        return self.read(OFFSETS)

    def letters(self) -> list[tuple]:
        """Return the dead letters: partition, offset, reason, key, value, encoding."""
        return self.read(LETTERS)
