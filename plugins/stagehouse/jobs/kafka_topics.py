"""The work of the DAGs that read a topic, user_events and user_sessions."""

from __future__ import annotations

import hashlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context

from include.kafka.request import read_request
from stagehouse.clock import now
from stagehouse.hooks.publication import publication_lock
from stagehouse.jobs.kafka_pages import render_topic
from stagehouse.pipeline.run_context import manifest_of, run_context, run_date, staging_of
from stagehouse.pipeline.staged import StagedSource, part_list

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.kafka.messages import RowType
    from include.kafka.plan import Plan
    from include.kafka.request import BatchRequest
    from include.staging.manifest import Manifest
    from stagehouse.hooks.kafka_hook import StagehouseKafkaHook

STAGE = "stage"
PARTITIONS = "{{ task.op_kwargs['partitions'] | join(', ') | truncate(100) }}"  # Airflow keeps 250 characters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TopicSource:
    """A topic and its table.

    Attributes: name, of the DAG, its table and, unless a param says otherwise, its topic; row_type, returns
    what makes rows of messages; formats, those of row_type.
    """

    name: str
    row_type: Callable[[], RowType]
    formats: tuple[str, ...] = ("json",)

    def staged(self) -> StagedSource:
        """Return what the shared tasks need."""
        return StagedSource(
            task=STAGE,
            day=run_date,
            guarded=self.name,
            asset=Asset(self.name),
            event=lambda manifest, rows: {"days": manifest.facts["days"], "rows": rows[self.name]},
            summary=lambda manifest, _: dict(manifest.facts),
            before_publication=self.require_turn,
            on_checked=require_chain,
        )

    def request(self) -> BatchRequest:
        """Return what the run is asked for. Raises: BadParam."""
        return read_request(get_current_context()["params"], self.name, self.formats)

    def require_usable(self) -> None:
        """Require params and connection to be usable; no broker is asked. Raises: BadParam, BadConnection."""
        self.request()
        _hook().require_usable()

    def plan_run(self) -> list[list[int]]:
        """Fix the offsets of the run; return groups of partitions, over which `stage` is mapped.

        None where nothing is new. Raises: as make_plan().
        """
        from include.kafka.plan import read_plan, save_plan

        plan = read_plan(staging_of(run_date())) or self._new_plan(self.request())
        if plan is None:
            return []
        if plan.ranges:
            save_plan(staging_of(run_date()), plan)
        ranges = [each.model_dump() for each in plan.ranges]
        lags = [each.model_dump() for each in plan.lags]
        facts = {"epoch": plan.epoch, "ranges": ranges, "lags": lags}
        get_current_context()["ti"].xcom_push("plan", facts)
        for each in plan.lags:
            if each.behind or each.open:
                log.info("%s, partition %d: %s", plan.topic, each.partition, each)
        return [list(partitions) for partitions in plan.groups]

    def stage_run(self, partitions: list[int]) -> list[dict[str, str]]:
        """Read the planned offsets of some partitions; return table and file of each part."""
        from include.kafka.groups import stage_group
        from include.staging.manifest import StagedBy

        plan, day, host = _plan(), run_date(), socket.gethostname()
        by = StagedBy(**run_context(), day=day, task=STAGE)
        with _hook().session() as session:
            manifest = stage_group(
                session, plan, partitions, self.row_type(), staging_of(day), by, host=host, now=now
            )
        log.info("%s, partitions %s: %s", plan.topic, partitions, manifest.facts)
        return part_list(manifest)

    def require_turn(self, clickhouse: ClickHouse, manifest: Manifest) -> None:
        """Require the ledger to end where the batch begins, or to have it already. Raises: OffsetsTaken."""
        from include.kafka.ledger import require_next

        ranges = manifest.tables[self.name].ranges
        require_next(clickhouse, manifest.dag_id, manifest.run_id, ranges)

    def commit_run(self) -> dict[str, int]:
        """Commit for the connection's group what the ledger has; return it by partition."""
        from include.kafka.ledger import read_ledger
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        plan = _plan()
        with ClickHouseHook().get_client() as clickhouse:
            ledger = read_ledger(clickhouse, plan.dag_id, plan.topic)
        with _hook().session() as session:
            problem = session.commit(plan.topic, ledger.next_offsets)
        if problem:
            log.warning("The group's offsets are not committed, which monitors of lag look at: %s", problem)
        return {str(partition): offset for partition, offset in ledger.next_offsets.items()}

    def continue_run(self) -> int:
        """Render the page, and have another run follow while offsets are left; return how many are.

        Raises: DagRunTriggerException, which Airflow takes for the wish to trigger a run; as render_topic().
        """
        from airflow.sdk.exceptions import DagRunTriggerException

        plan, run = _plan(), run_context()
        render_topic(self.name, self.row_type(), plan)
        was_cut = manifest_of(STAGE, run_date()).facts["was_cut"]
        if not was_cut and not plan.behind:
            return 0
        log.info(
            "%s: %d offsets are left%s", plan.topic, plan.behind, ", and more: it was cut" * bool(was_cut)
        )
        params: dict[str, Any] = dict(get_current_context()["params"])
        raise DagRunTriggerException(
            trigger_dag_id=run["dag_id"],
            dag_run_id=f"again__{hashlib.sha256(run['run_id'].encode()).hexdigest()[:16]}",
            conf={name: value for name, value in params.items() if not name.startswith("accept_")},
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=60,
            deferrable=False,
        )

    def _new_plan(self, request: BatchRequest) -> Plan | None:
        """Return a plan, None for a run that has published its offsets, whose staging is gone."""
        from include.kafka.ledger import done_by_run, read_ledger
        from include.kafka.plan import make_plan

        run = run_context()
        # Under the lease: a publication that is under way would change where the batch begins.
        with publication_lock(self.name) as (clickhouse, _), _hook().session() as session:
            if done := done_by_run(clickhouse, run["dag_id"], request.topic, run["run_id"]):
                log.info("This run has published %s already", done)
                return None
            ledger = read_ledger(clickhouse, run["dag_id"], request.topic)
            topic = session.topic(request.topic)
            marks = session.marks(topic)
            return make_plan(session.where, request, ledger, topic, marks, **run, now=now())


def require_chain(clickhouse: ClickHouse, manifest: Manifest) -> None:
    """Require the ledger of the topic to be without gap and overlap. Raises: BrokenLedger."""
    from include.kafka import ledger

    ledger.require_chain(clickhouse, manifest.dag_id, _plan().topic)


def _plan() -> Plan:
    from include.kafka.plan import PLAN, TASK, read_plan
    from include.staging.errors import StagingFileMissing, clear

    directory = staging_of(run_date())
    plan = read_plan(directory)
    if plan is None:
        shared = "set variable staging_root to storage that all workers share"
        raise StagingFileMissing(str(directory / PLAN), f"{clear(TASK)}; if another host wrote it, {shared}")
    return plan


def _hook() -> StagehouseKafkaHook:
    from stagehouse.hooks.kafka_hook import StagehouseKafkaHook

    return StagehouseKafkaHook()  # type: ignore[no-untyped-call]  # the provider's constructor
