"""
### The first copy of a large shop

By hand, once: copies all rows of the shop's tables in ranges of keys, two at a time, while the shop goes on.
Then it catches up with what was written meanwhile, and compares all values at one instant. The next run of
`shop_sync` goes on from there. Pause `shop_sync` until this has ended. Small shops need no migration.

| task | reads | writes | safe to rerun |
| ---- | ----- | ------ | ------------- |
| `postgres_health` | params, `shop_default`, its catalog | XCom: the facts found | yes |
| `tables` | `shop_default`'s catalog, `clickhouse_default` | missing tables, columns, views | yes |
| `plan` | the keys of all tables | `plan.json` | yes, what is planned stays |
| `copy` | one range | its parts, a file that says so, staging tables | yes, none is read twice |
| `publish` | the staging tables | `shop_<table>_versions`, then `source_snapshots` | yes |
| `catch_up` | the shop, as `shop_sync` does | the same | yes, reads the shop anew |
| `validate` | both by bucket and column, at the instant of `catch_up` | XCom: what was found | yes |

**A killed or red task** goes on where it was. The log of each `copy` says how far the migration is, and how
many minutes are left. **Too much for the shop?** The param `rows_per_second` holds each task back.

**When it is red**: the error of the first red task names what is wrong and the next step. Rows are in sight
when `publish` ends, and those of one instant when `catch_up` does.
"""

from __future__ import annotations

import stagehouse.preconditions  # noqa: F401 - says what is missing

from datetime import timedelta
from typing import Any

from airflow.sdk import TriggerRule, chain, dag, task

from stagehouse.hooks.storage_roots import require_storage
from stagehouse.jobs import shop_migration as job
from stagehouse.jobs.shop_sync import make_shop_tables
from stagehouse.pipeline.defaults import DAG_DEFAULTS, TASK_DEFAULTS

# Those of shop_sync.
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


@dag(
    **DAG_DEFAULTS,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    params=job.PARAMS,
    default_args=TASK_DEFAULTS | {"execution_timeout": timedelta(hours=6)},
    tags=["shop", "clickhouse"],
    doc_md=__doc__,
)
def shop_migration() -> None:
    """Wire the seven tasks."""

    @task
    async def postgres_health() -> dict[str, object]:
        require_storage("staging_root")
        return await job.check_source(TABLES)

    @task
    def tables() -> list[int]:
        return make_shop_tables(TABLES)

    @task
    def plan() -> list[dict[str, Any]]:
        return job.plan_run(TABLES)

    @task(
        map_index_template="{{ task.op_kwargs['wanted']['table'] }} {{ task.op_kwargs['wanted']['number'] }}",
        multiple_outputs=False,
        max_active_tis_per_dagrun=2,
    )
    def copy(wanted: dict[str, Any]) -> list[dict[str, Any]]:
        return job.copy_run(TABLES, wanted)

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def publish(copied: Any) -> dict[str, object]:
        return job.publish_run(TABLES, copied)

    @task
    def catch_up() -> dict[str, object]:
        return job.catch_up_run(TABLES)

    @task
    def validate() -> list[dict[str, object]]:
        return job.validate_run()

    ranges = plan()
    chain(postgres_health(), tables(), ranges)
    chain(publish(copy.expand(wanted=ranges)), catch_up(), validate())


shop_migration()
