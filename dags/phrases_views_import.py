"""
### Counters of search phrases, from a file

By hand: takes one file of `campaign_id, phrase, views, dt` from the inbox into the table `phrases_views`,
exactly once. CSV with a header, or NDJSON, either of them gzipped or not.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default` | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `stage` | the file | `rejected.ndjson`, parts, then the manifest | yes, what is staged is used |
| `load` | one part | a staging table of this try | yes |
| `publish` | the staging tables | `phrases_views`, `loads` | yes, equal rows count once |
| `check` | ClickHouse, the manifest, the lease of `publish` | the asset `phrases_views` | yes |

**Rejected lines** go with their number and the reason to `rejected.ndjson` in the run's staging directory.
More of them than `max_rejected`, and `stage` fails: nothing is loaded. Two lines for one (campaign, phrase,
instant): with equal views the second counts as repeated, with different views it is rejected.

**A last line without a line end** may have been cut by the upload, within a number too: the log tells it, and
`last_line_ended` among the `counts`. With `require_last_line_end`, `stage` fails.

**The same file again** changes nothing. **A file with corrections** replaces the views of the samples that it
names; so does an old run that is cleared from `load` on. A file that was changed needs a new run.

**When it is red**: the error of the first red task names what is wrong and the next step.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta

from airflow.sdk import Asset, Param, chain, dag, task

from include.inbox.params import MAX_PATH, MAX_REJECTED
from include.phrase_views.counters.request import (
    DEFAULT_FORMAT,
    DEFAULT_MAX_REJECTED,
    DEFAULT_REQUIRE_LAST_LINE_END,
)
from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import phrases_views_import as job
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS
from stagehouse.pipeline.preflight import postgres_facts, tables
from stagehouse.pipeline.run_context import run_date
from stagehouse.pipeline.staged import StagedSource, load_publish_check

STAGED = StagedSource(
    task="stage",
    day=run_date,
    guarded=job.TABLE,
    asset=Asset("phrases_views"),
    event=job.imported_event,
    summary=job.file_counts,
)


@dag(
    **DAG_DEFAULTS,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    params={
        "path": Param(
            type="string",
            minLength=1,
            maxLength=MAX_PATH,
            title="File",
            description="Its path below the variable inbox_root, such as august/20.csv.gz, or its URL.",
        ),
        "format": Param(
            DEFAULT_FORMAT,
            type="string",
            enum=["auto", "csv", "ndjson"],
            title="Format",
            description="auto: a file that begins with '{' is ndjson, any other csv. Either may be gzipped.",
        ),
        "max_rejected": Param(
            DEFAULT_MAX_REJECTED,
            type="integer",
            minimum=0,
            maximum=MAX_REJECTED,
            title="Lines that may be rejected",
            description=f"With more of them the run fails before anything is loaded; 0 to {MAX_REJECTED}.",
        ),
        "require_last_line_end": Param(
            DEFAULT_REQUIRE_LAST_LINE_END,
            type="boolean",
            title="Require a line end after the last line",
            description="A file without one may be cut by its upload. On: the run fails. Off: its log tells.",
        ),
    },
    default_args=TASK_DEFAULTS,
    tags=["phrase views", "clickhouse"],
    doc_md=__doc__,
)
def phrases_views_import() -> None:
    """Wire the six tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        require_storage("inbox_root", "staging_root")
        job.require_file()
        return await postgres_facts()

    @task(execution_timeout=timedelta(hours=1))
    def stage() -> list[dict[str, str]]:
        return job.stage_run()

    parts = stage()
    chain(postgres_health(), tables(), parts)
    load_publish_check(parts, STAGED, timeout=timedelta(hours=1))


phrases_views_import()
