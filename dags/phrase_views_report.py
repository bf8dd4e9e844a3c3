"""
### Views of search phrases by hour

Every night, for the UTC day before: reads the running counters in `phrases_views`, and publishes the views
that each phrase gained in each hour: the table `phrases_views_by_hour`, files, and the page *Phrase views*.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `postgres_default` | XCom: the facts found | yes |
| `tables` | `clickhouse_default` | missing tables and columns | yes, does nothing |
| `report` | `phrases_views` | a staging table of this try | yes |
| `publish` | the staging table | the day in `phrases_views_by_hour`, `loads` | yes, replaces the day whole |
| `render` | the day, `loads` | TSV, CSV and pages below `reports_root` | yes, the same files |
| `check` | the day, `loads`, `phrases_views`; `publish`'s lease | asset `phrases_views_by_hour_day` | yes |

**A gain** is the difference of two neighbouring samples of a counter. Flags mark what is less than sure:
`partial` (no sample before the day), `gap` (an hour or more without one), `corrected` (the counter fell, to
half its value or more: no gain), `reset` (it fell below, or `falls` is `reset`: its new value is the gain).

**A day** is one of the param `time_zone`. With `campaign_ids` only those campaigns are reported anew; what
is published of the others stays; where the day is not as `loads` says, report it once for all campaigns.

**When it is red**: the error of the first red task names what is wrong and the next step. Did counters
come in late? Clear `report` with all after it. Counters as they were give the same files, to the byte.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Asset, Param, chain, dag, task

from include.phrase_views.request import DEFAULT_FALLS, DEFAULT_HOUR_RULE, DEFAULT_TIME_ZONE, MAX_CAMPAIGNS
from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import phrase_views_report as job
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS, day_before
from stagehouse.pipeline.params import day_param
from stagehouse.pipeline.preflight import postgres_facts, tables

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import OutletEventAccessors

DAY_PUBLISHED = Asset("phrases_views_by_hour_day")


@dag(
    **DAG_DEFAULTS,
    schedule=day_before("15 0 * * *"),
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=23),
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
        "day": day_param("Day", "In the time zone below. Empty: the run's own day; by hand, yesterday."),
        "time_zone": Param(
            DEFAULT_TIME_ZONE, type="string", title="Time zone", description="Such as UTC or Europe/Berlin."
        ),
        "hour_rule": Param(
            DEFAULT_HOUR_RULE,
            type="string",
            enum=["sample", "closing"],
            title="A sample stamped on the hour",
            description="sample: belongs to the hour it begins. closing: to the one it ends.",
        ),
        "falls": Param(
            DEFAULT_FALLS,
            type="string",
            enum=["correct", "reset"],
            title="A counter that falls",
            description="correct: to half its value or more it gains nothing. reset: it gains the new value.",
        ),
    },
    default_args=TASK_DEFAULTS | {"execution_timeout": timedelta(hours=1)},
    tags=["phrase views", "clickhouse"],
    doc_md=__doc__,
)
def phrase_views_report() -> None:
    """Wire the six tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        job.run_request()
        require_storage("reports_root")  # a mistake there fails the run before any work
        return await postgres_facts()

    @task
    def report() -> dict[str, object]:
        return job.report_run()

    @task
    def publish(computed: dict[str, object]) -> dict[str, object]:
        return job.publish_run(computed)

    @task
    def render() -> str:
        return job.render_run()

    @task(outlets=[DAY_PUBLISHED])
    def check(published: dict[str, object], *, outlet_events: OutletEventAccessors) -> int:
        rows = job.check_run(published)
        outlet_events[DAY_PUBLISHED].extra = {"day": job.run_request().day.isoformat(), "rows": rows}
        return rows

    computed = report()
    published = publish(computed)
    chain(postgres_health(), tables(), computed)
    chain(published, render(), check(published))


phrase_views_report()
