"""
### A file of rows, each one call to a rate-limited API

By hand: takes a CSV or NDJSON of the inbox, makes one request of each row by a recipe, at the rate that the
connection allows, and writes down what became of every row. What must not be repeated is sent at most once.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, recipe, connections | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `stage` | the file, the recipe | a copy, checked whole; `rejected.ndjson` | yes, the copy is used |
| `plan` | the copy, `api_calls` | XCom: rows, calls, time; in a dry run the first requests | yes |
| `call` | the copy, the API | outcomes as they come, parts, then the manifest | yes, sends the rest only |
| `load` | one part | a staging table of this try | yes |
| `publish` | the staging tables | `api_calls`, `loads_by_unit` | yes, equal rows count once |
| `check` | ClickHouse, the manifest, the lease of `publish` | the asset `api_calls` | yes |
| `render` | ClickHouse, the copy | the files and the page of the run | yes |
| `judge` | ClickHouse, the manifest | nothing: red is the last word on the rows | yes |

**Outcomes**: `ok`; `rejected`, the row does not fit the recipe; `failed`, the API refused it; `unknown`, it
may have been carried out or not; `skipped`, an earlier run did it; `not_sent`, the run stopped before it.

**When it is red**: the error of the first red task names what is wrong and the next step. `judge` is red
above `max_failed`, for any `unknown`, and where the run stopped early: the outcomes are published all the
same.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta

from airflow.sdk import Asset, chain, dag, task

from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import api_calls as job
from stagehouse.jobs.api_calls_params import PARAMS
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS
from stagehouse.pipeline.preflight import postgres_facts, tables
from stagehouse.pipeline.run_context import run_date
from stagehouse.pipeline.staged import StagedSource, load_publish_check

STAGED = StagedSource(
    task="call",
    day=run_date,
    guarded=job.TABLE,
    asset=Asset("api_calls"),
    summary=job.outcome_counts,
    on_published=job.tell_published,
)


@dag(
    **DAG_DEFAULTS,
    schedule=None,
    max_active_runs=1,  # of two runs of one file the second has to see what the first has done
    dagrun_timeout=timedelta(hours=23),
    params=PARAMS,
    default_args=TASK_DEFAULTS,
    tags=["api", "clickhouse"],
    doc_md=__doc__,
)
def api_calls() -> None:
    """Wire the ten tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        require_storage("inbox_root", "recipes_root", "staging_root", "reports_root")
        job.require_input()
        return await postgres_facts()

    @task(execution_timeout=timedelta(hours=1))
    def stage() -> dict[str, int]:
        return job.stage_run()

    @task.short_circuit(execution_timeout=timedelta(hours=1))
    def plan() -> bool:
        return job.plan_run()

    @task(execution_timeout=timedelta(hours=22, minutes=30))
    async def call() -> list[dict[str, str]]:
        return await job.call_run()

    @task(execution_timeout=timedelta(hours=1))
    def render() -> str:
        return job.render_run()

    @task
    def judge() -> dict[str, int]:
        return job.judge_run()

    parts = call()
    chain(postgres_health(), tables(), stage(), plan(), parts)
    chain(load_publish_check(parts, STAGED, timeout=timedelta(hours=1)), render(), judge())


api_calls()
