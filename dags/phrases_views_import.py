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

**The same file again** changes nothing. **A file with corrections** replaces the views of the samples that it
names; so does an old run that is cleared from `load` on. A file that was changed needs a new run.

**When it is red**: the error of the first red task names what is wrong and the next step.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk import (
    Asset,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    TriggerRule,
    chain,
    dag,
    get_current_context,
    task,
)

from include.errors import PermanentError
from include.phrase_views.counters.request import (
    DEFAULT_FORMAT,
    DEFAULT_MAX_REJECTED,
    MAX_PATH,
    MAX_REJECTED,
    read_request,
)
from stagehouse.hooks.failure_notice import notify_run_failure, notify_task_failure
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.run_context import manifest_of, run_context, staging_of, this_attempt
from stagehouse.hooks.storage_roots import inbox_root, require_storage, staging_root

if TYPE_CHECKING:
    from datetime import date

    from airflow.sdk.execution_time.context import OutletEventAccessors

    from include.phrase_views.counters.request import ImportRequest
    from include.staging.manifest import Manifest

COUNTERS_PUBLISHED = Asset("phrases_views")
RETRY_POLICY = ExceptionRetryPolicy([RetryRule(exception=PermanentError, action=RetryAction.FAIL)])


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    disable_bundle_versioning=True,  # plugins/ are those of now
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    on_failure_callback=notify_run_failure,
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
    },
    default_args={
        "on_failure_callback": notify_task_failure,
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["phrase views", "clickhouse"],
    doc_md=__doc__,
)
def phrases_views_import() -> None:
    """Wire the six tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        from include.phrase_views.counters.inbox import locate
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        require_storage("inbox_root", "staging_root")
        locate(inbox_root(), _request().path)
        return (await StagehousePostgresHook().check_health()).model_dump(mode="json")

    @task
    def tables() -> list[int]:
        from include.clickhouse.schema import migrate
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        with ClickHouseHook().get_client() as clickhouse:
            return migrate(clickhouse)

    @task(execution_timeout=timedelta(hours=1))
    def stage() -> list[dict[str, str]]:
        from include.phrase_views.counters.file import stage_file

        context, directory = get_current_context(), staging_of(_day())
        manifest = stage_file(
            inbox_root(),
            _request(),
            directory,
            **run_context(),
            day=_day(),
            host=socket.gethostname(),
            now=partial(datetime.now, UTC),
        )
        context["ti"].xcom_push("counts", manifest.facts)
        context["ti"].xcom_push("host", manifest.host)
        return [
            {"table": table, "file": part.file}
            for table, parts in manifest.tables.items()
            for part in parts.parts
        ]

    @task(
        map_index_template="{{ task.op_kwargs['part']['file'].rsplit('-', 1)[0] }}",
        multiple_outputs=False,  # else each key is an XCom too: four requests more for each part
        execution_timeout=timedelta(hours=1),
    )
    def load(part: dict[str, str]) -> dict[str, object]:
        from include.clickhouse.load import load_part
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        directory = staging_of(_day())
        with ClickHouseHook().get_client() as clickhouse:
            staged = load_part(clickhouse, directory, _manifest(), **part, attempt=this_attempt())
        return staged.model_dump()

    @task(trigger_rule=TriggerRule.NONE_FAILED, execution_timeout=timedelta(hours=1))
    def publish(staged: Sequence[dict[str, object]]) -> dict[str, int]:
        from include.clickhouse.load import StagedPart
        from include.clickhouse.publish import publish_day

        manifest = _manifest()
        parts = [StagedPart.model_validate(part) for part in staged]
        with publication_lock("phrases_views") as (clickhouse, lease):
            now, allowed = partial(datetime.now, UTC), lease.check
            return publish_day(
                clickhouse, manifest, parts, attempt=this_attempt(), now=now, check_lease=allowed
            )

    @task(outlets=[COUNTERS_PUBLISHED], execution_timeout=timedelta(hours=1))
    def check(*, outlet_events: OutletEventAccessors) -> dict[str, object]:
        from include.clickhouse.publish import check_day
        from include.staging.cleaning import drop_old_runs, drop_unfinished_files

        directory = staging_of(_day())
        manifest = _manifest()
        with publication_lock("phrases_views") as (clickhouse, _):
            rows = check_day(clickhouse, directory, manifest, this_attempt())
        outlet_events[COUNTERS_PUBLISHED].extra = {"path": _request().path, "rows": rows["phrases_views"]}
        drop_old_runs(staging_root(), manifest.dag_id, now := datetime.now(UTC))
        drop_unfinished_files(staging_root() / manifest.dag_id, now)
        return dict(manifest.facts)

    parts = stage()
    published = publish(load.expand(part=parts))
    chain(postgres_health(), tables(), parts)
    chain(published, check())


def _request() -> ImportRequest:
    return read_request(get_current_context()["params"])


def _day() -> date:
    """Return the day (UTC) the run was made: it names the staging directory and the row in `loads`."""
    return get_current_context()["dag_run"].run_after.astimezone(UTC).date()


def _manifest() -> Manifest:
    return manifest_of("stage", _day())


phrases_views_import()
