"""
### The shop in ClickHouse

Every hour: copies what has changed in the shop's Postgres since the run before, all tables at one instant,
into the tables `shop_<table>_versions`. The views `shop_<table>` show the rows as they were at that instant.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `shop_default`, its catalog | XCom: the facts found | yes |
| `tables` | `shop_default`'s catalog, `clickhouse_default` | missing tables, columns, views | yes |
| `stage` | the shop, ClickHouse | parts, counts by bucket, then the manifest | yes, reads the shop anew |
| `load` | one part | a staging table of this try | yes |
| `publish` | the staging tables | `shop_<table>_versions`, then `source_snapshots` | yes |
| `aggregate` | the views | days of `daily_sales_aggregation`, `user_activity_aggregation` | yes |
| `quality` | ClickHouse, counts of `stage` | `quality_checks`, the asset `shop` | yes |
| `render` | what readers see | files below `reports_root` | yes |

**The leases** are in `postgres_default`. The shop's role needs SELECT on the tables, and nothing else.

**The source tells only "now"**: to clear a run from `stage` on copies the shop as it is now.

**When it is red**: the error of the first red task names what is wrong and the next step. Rows that differ
are mended by a run with the param `reread`; a table that lost most rows waits for `accept_shrink`, a column
that is gone for `accept_dropped`.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, TriggerRule, chain, dag, task

from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import shop_reports
from stagehouse.jobs import shop_sync as job
from stagehouse.jobs.shop_sync_params import PARAMS
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS
from stagehouse.pipeline.run_context import run_date
from stagehouse.pipeline.staged import StagedSource, load_staged_part

# In the schema `public`, each with a primary key. Another shop has other ones, and any columns.
TABLES = (
    "categories",
    "sellers",
    "products",
    "users",
    "sales",
    "product_ratings",
    "seller_ratings",
    "cart_items",
)
SHOP = Asset("shop")
STAGED = StagedSource(task="stage", day=run_date, guarded=job.PREFIX, asset=SHOP)


@dag(
    **DAG_DEFAULTS,
    schedule="5 * * * *",
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=23),
    params=PARAMS,
    default_args=TASK_DEFAULTS | {"execution_timeout": timedelta(hours=3)},
    tags=["shop", "clickhouse"],
    doc_md=__doc__,
)
def shop_sync() -> None:
    """Wire the eight tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        require_storage("staging_root", "reports_root")
        return await job.check_source(TABLES)

    @task
    def tables() -> list[int]:
        return job.make_shop_tables(TABLES)

    @task
    def stage() -> list[dict[str, str]]:
        return job.stage_run(TABLES)

    @task(map_index_template="{{ task.op_kwargs['part']['file'].rsplit('-', 1)[0] }}", multiple_outputs=False)
    def load(part: dict[str, str]) -> dict[str, object]:
        return load_staged_part(STAGED, part)

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def publish(staged: Any) -> dict[str, object]:
        return job.publish_run(staged)

    @task
    def aggregate() -> dict[str, object]:
        return shop_reports.aggregate_run()

    @task(outlets=[SHOP])
    def quality() -> list[dict[str, object]]:
        return shop_reports.quality_run()

    @task
    def render() -> str:
        return shop_reports.render_run()

    parts = stage()
    chain(postgres_health(), tables(), parts)
    chain(publish(load.expand(part=parts)), aggregate(), quality(), render())


shop_sync()
