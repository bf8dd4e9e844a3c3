"""
### Views of search phrases by hour

Every night, for the UTC day before: reads the running counters in `phrases_views`, and publishes how many
views each phrase of each campaign gained in each hour: as the table `phrases_views_by_hour`, as files, and as
the page *Phrase views*.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default` | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `report` | `phrases_views` | a staging table of this try | yes |
| `publish` | the staging table | the day in `phrases_views_by_hour`, `loads` | yes, replaces the day whole |
| `render` | the day, `loads` | TSV, CSV and pages below `reports_root` | yes, the same files |
| `check` | the day, `loads`, `phrases_views`; `publish`'s lease | asset `phrases_views_by_hour_day` | yes |

**A gain** is the difference of two neighbouring samples of a counter. Flags mark what is less than sure:
`partial` (no sample before the day), `gap` (an hour or more without one), `reset` (the counter fell).

**A day** is one of the param `time_zone`. With `campaign_ids` only those campaigns are reported anew; what
is published of the others stays; where the day is not as `loads` says, report it once for all campaigns.

**When it is red**: the error of the first red task names what is wrong and the next step. Did counters of the
day come in late? Clear `report` with all after it. A day whose counters are as they were gives the same rows
and the same files, to the byte.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk import (
    Asset,
    CronPartitionTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    chain,
    dag,
    task,
)

from include.errors import PermanentError
from include.phrase_views.request import (
    DEFAULT_HOUR_RULE,
    DEFAULT_TIME_ZONE,
    MAX_CAMPAIGNS,
    read_request,
)
from stagehouse.hooks.failure_notice import notify_run_failure, notify_task_failure
from stagehouse.hooks.publication import publication_lock
from stagehouse.hooks.run_context import request_of_this_run, run_context, this_attempt
from stagehouse.hooks.storage_roots import reports_root, require_storage

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from include.phrase_views.request import PhraseViewsRequest

DAY_PUBLISHED = Asset("phrases_views_by_hour_day")
RETRY_POLICY = ExceptionRetryPolicy([RetryRule(exception=PermanentError, action=RetryAction.FAIL)])


@dag(
    schedule=CronPartitionTimetable("15 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    disable_bundle_versioning=True,  # plugins/ are those of now
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=23),
    on_failure_callback=notify_run_failure,
    params={
        "campaign_ids": Param(
            [],
            type=["null", "array"],
            items={"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
            maxItems=MAX_CAMPAIGNS,
            uniqueItems=True,
            title="Campaigns",
            description="Their numbers. Empty: all campaigns that have counters.",
        ),
        "day": Param(
            "",
            type=["null", "string"],
            pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            title="Day",
            description="YYYY-MM-DD in the time zone below. Empty: the run's own day; by hand, yesterday.",
        ),
        "time_zone": Param(
            DEFAULT_TIME_ZONE,
            type="string",
            title="Time zone",
            description="Whose days and hours: a name such as UTC or Europe/Berlin.",
        ),
        "hour_rule": Param(
            DEFAULT_HOUR_RULE,
            type="string",
            enum=["sample", "closing"],
            title="A sample stamped on the hour",
            description="sample: belongs to the hour it begins. closing: to the hour it ends, which is exact "
            "where samples are taken on the mark.",
        ),
    },
    default_args={
        "on_failure_callback": notify_task_failure,
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": timedelta(hours=1),
    },
    tags=["phrase views", "clickhouse"],
    doc_md=__doc__,
)
def phrase_views_report() -> None:
    """Wire the six tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        _request()
        require_storage("reports_root")  # what is wrong there is told before anything is computed
        return (await StagehousePostgresHook().check_health()).model_dump(mode="json")

    @task
    def tables() -> list[int]:
        from include.clickhouse.schema import migrate
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        with ClickHouseHook().get_client() as clickhouse:
            return migrate(clickhouse)

    @task
    def report() -> dict[str, object]:
        from include.phrase_views.report import compute_report
        from stagehouse.hooks.clickhouse_hook import ClickHouseHook

        with ClickHouseHook().get_client() as clickhouse:
            return compute_report(
                clickhouse, _request(), run_context()["run_id"], this_attempt()
            ).model_dump()

    @task
    def publish(computed: dict[str, object]) -> dict[str, object]:
        from include.phrase_views.report import ComputedReport, publish_report

        request, staged = _request(), ComputedReport.model_validate(computed)
        with publication_lock(f"phrases_views_by_hour {request.day}") as (clickhouse, lease):
            now, allowed, run_id = partial(datetime.now, UTC), lease.check, run_context()["run_id"]
            published = publish_report(
                clickhouse, request, staged, run_id, this_attempt(), now=now, check_lease=allowed
            )
        return published.model_dump()

    @task
    def render() -> str:
        from include.pages.phrase_views import PAGES, render_phrase_views
        from include.pages.run_note import write_run_note
        from include.phrase_views.report import publication, read_report
        from include.staging.cleaning import drop_unfinished_files

        request, root = _request(), reports_root()
        with publication_lock(f"phrases_views_by_hour {request.day}") as (clickhouse, lease):
            run_id, published_at = publication(clickhouse, request.day)
            directory = render_phrase_views(
                root,
                request,
                read_report(clickhouse, request.day),
                run_id=run_id,
                published_at=published_at,
                check_lease=lease.check,
            )
        write_run_note(root / PAGES, run_context()["run_id"], request.day)
        drop_unfinished_files(root / PAGES, datetime.now(UTC))
        return str(directory)

    @task(outlets=[DAY_PUBLISHED])
    def check(published: dict[str, object], *, outlet_events: OutletEventAccessors) -> int:
        from include.phrase_views.report import PublishedReport, check_report

        request, expected = _request(), PublishedReport.model_validate(published)
        with publication_lock(f"phrases_views_by_hour {request.day}") as (clickhouse, _):
            rows = check_report(clickhouse, request, expected, run_context()["run_id"])
        outlet_events[DAY_PUBLISHED].extra = {"day": request.day.isoformat(), "rows": rows}
        return rows

    computed = report()
    published = publish(computed)
    chain(postgres_health(), tables(), computed)
    chain(published, render(), check(published))


def _request() -> PhraseViewsRequest:
    return request_of_this_run(read_request)


phrase_views_report()
