"""One try of the task `call`: the rows of a run's file -> the staged rows of the table api_calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from pydantic import JsonValue

from include.api_calls.calls import TICK_S, Calls
from include.api_calls.earlier import Earlier
from include.api_calls.marks import Marks, Taken
from include.api_calls.outcomes import MERGED, OUTCOMES, Outcome, Outcomes
from include.api_calls.planning import salt_of
from include.api_calls.progress import Progress
from include.api_calls.request import CallsRequest
from include.api_calls.sender import Sender
from include.api_calls.settling import Run, keep_keys, presumed, settle
from include.api_calls.staging import StagedFile
from include.api_calls.table import API_CALLS, table_rows, unit_name
from include.clickhouse.client import ClickHouse
from include.http.errors import HttpError, RateLimitedUntil
from include.http.retries import RetryBudget
from include.http.transport import Transport
from include.staging.files import StagingPath
from include.staging.manifest import Manifest, StagedBy, own_manifest, parts_are_whole, save_manifest
from include.staging.parts import write_table
from include.staging.tables import TableParts

TASK = "call"  # of the DAG: what an error of its files says to clear

ROWS_PER_PART = 100_000  # so that the memory of a million rows is that of a hundred thousand

UNSURE = "its answer was lost, and the run stopped before it was sent again by its key"
Unsure = Mapping[int, Outcome]

log = logging.getLogger(__name__)


class RunId(NamedTuple):
    """A run, on a day. Attributes: dag_id; run_id; day; host, this one."""

    dag_id: str
    run_id: str
    day: date
    host: str


@dataclass(frozen=True)
class Api:
    """The API that a try asks.

    Attributes: transport, that is not open yet; base_url; connection, its name in errors; workers, requests
    at the same time; check_lease.
    """

    transport: Transport
    base_url: str
    connection: str
    workers: int
    check_lease: Callable[[], None]


async def call_file(
    staged: StagedFile,
    request: CallsRequest,
    directory: StagingPath,
    run_id: RunId,
    api: Api,
    clickhouse: ClickHouse,
    *,
    marks: Marks | None,
    progress: StagingPath,
    now: Callable[[], datetime],
    last_try: bool = False,
    ends_at: datetime | None = None,
    tick_s: float = TICK_S,
) -> Manifest:
    """Call the rows that are left, and stage the outcomes of all; return the manifest.

    A run whose rows all have an outcome already is not asked about again. One that stopped before goes on.

    Args: marks, None where every call is repeatable; progress, the file that says how far it is; last_try,
        an API that is away stops the run then, and what is known is staged; ends_at, when the run has no more
        time for calls: it stops then.
    Raises: RateLimitedUntil; Unpublished; Overtaken; MarksAway; HttpError; OSError.
    """
    manifest = own_manifest(directory, StagedBy(*run_id[:3], TASK))
    if manifest and not manifest.facts["stopped"] and parts_are_whole(directory, manifest):
        log.info("all rows of %s have an outcome already", staged.path)
        return manifest
    salt = salt_of(request, run_id.run_id)
    outcomes = await asyncio.to_thread(Outcomes, directory, staged.rows)
    run = Run(staged, request, salt, outcomes, marks, now)
    facts = {"run_id": run_id.run_id, "recipe": staged.name, "path": staged.path}
    progressing = Progress(progress, staged.rows, facts, now)
    stopped, unsure = await _call(
        run, run_id, api, clickhouse, progressing, last_try=last_try, ends_at=ends_at, tick_s=tick_s
    )
    manifest = Manifest(
        dag_id=run_id.dag_id,
        run_id=run_id.run_id,
        day=run_id.day,
        task=TASK,
        host=run_id.host,
        written_at=now(),
        tables={API_CALLS.name: await asyncio.to_thread(_write, run, directory, run_id, stopped, unsure)},
        facts=_facts(run, stopped, unsure),
        unit_name=unit_name(staged.name, staged.sha256, run_id.run_id),
    )
    save_manifest(directory, manifest)
    return manifest


async def _call(
    run: Run,
    run_id: RunId,
    api: Api,
    clickhouse: ClickHouse,
    progress: Progress,
    *,
    last_try: bool,
    ends_at: datetime | None,
    tick_s: float,
) -> tuple[str, Unsure]:
    """Call what is left; return why not all was, "" where all was, and outcomes of rows that may be done."""
    marks = run.marks
    beside_others = run.request.resend == "all"
    taken = await marks.take(beside_others=beside_others) if marks else Taken(0, (), 0, None)
    taken = presumed(taken, run.outcomes) if marks else taken
    with Earlier(clickhouse, run.staged, run_id.run_id, nothing=beside_others) as earlier:
        to_do, lost = await asyncio.to_thread(settle, run, earlier, taken)
        await asyncio.to_thread(keep_keys, run, earlier)
    clickhouse.disconnect()  # calls take hours, and an embedded engine lets in one process at a time
    for batch in _batched(lost, MERGED):
        await asyncio.to_thread(run.outcomes.save, batch)
        run.outcomes.saved(batch)
    async with api.transport as transport:
        sender = Sender(
            transport,
            api.base_url,
            run.staged.recipe,
            RetryBudget.for_items(to_do),
            connection=api.connection,
            now=run.now,
        )
        calls = Calls(
            run,
            sender,
            progress,
            lambda: transport.budget.requests,
            to_do=to_do,
            taken=taken,
            ends_at=ends_at,
        )
        try:
            await calls.run(api.workers, api.check_lease, tick_s)
        except RateLimitedUntil:
            raise
        except HttpError as error:
            if not last_try:
                raise
            log.error("this was the last try, the rows that are left are not sent: %s", error)  # noqa: TRY400
            calls.stopped = str(error)
    unsure = calls.unsure() if marks else ()
    sent_at = int(run.now().timestamp())
    return calls.stopped, {row: Outcome(row, "unknown", 0, UNSURE, 1, "", sent_at) for row in unsure}


def _batched(outcomes: Sequence[Outcome], size: int) -> Iterator[Sequence[Outcome]]:
    for first in range(0, len(outcomes), size):
        yield outcomes[first : first + size]


def _write(run: Run, directory: StagingPath, run_id: RunId, stopped: str, unsure: Unsure) -> TableParts:
    otherwise = stopped.partition(". Next: ")[0] or f"param limit is {run.limit}"
    rows = table_rows(
        run.staged,
        run.outcomes,
        day=run_id.day,
        run_id=run_id.run_id,
        salt=run.salt,
        keys=run.keys,
        unsure=unsure,
        otherwise=otherwise[:500],
    )
    return write_table(directory, API_CALLS, rows, ROWS_PER_PART)


def _facts(run: Run, stopped: str, unsure: Unsure) -> dict[str, JsonValue]:
    counts: dict[str, JsonValue] = {name: run.outcomes.counts[name] for name in OUTCOMES}
    counts["unknown"] = run.outcomes.counts["unknown"] + len(unsure)
    counts["not_sent"] = run.staged.rows - run.outcomes.counts.total() - len(unsure)
    return {
        "recipe": run.staged.name,
        "recipe_text": run.staged.text,
        "path": run.staged.path,
        "sha256": run.staged.sha256,
        "rows": run.staged.rows,
        "outcomes": counts,
        "failed_here": run.outcomes.failed_here,
        "requests": run.outcomes.requests,
        "stopped": stopped,
    }
