"""Which DAG publishes which table."""

from __future__ import annotations

from collections.abc import Mapping

from include.api_calls.table import API_CALLS
from include.github.tables import AUTHORS_COMMITS
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.phrase_views.gains import BY_HOUR
from include.published_days import TABLES

DAG_IDS = (
    "api_calls",
    "day_published_watch",
    "github_top_repositories",
    "phrase_views_report",
    "phrases_views_import",
    "postgres_health",
    "shop_migration",
    "shop_sync",
    "user_events",
    "user_sessions",
)
TAG = "stagehouse"  # of the DAGs of others that are to be shown too
SHOP = "shop"  # a source in `source_snapshots`
DAG_OF_SHOP = "shop_sync"
DAG_OF_TABLE: Mapping[str, str] = {
    **{table.name: dag_id for dag_id, tables in TABLES.items() for table in tables},
    API_CALLS.name: "api_calls",
    PHRASES_VIEWS.name: "phrases_views_import",
    "daily_sales_aggregation": "shop_sync",
    "user_activity_aggregation": "shop_sync",
    "user_events": "user_events",
    "user_sessions": "user_sessions",
}
# Of each DAG that publishes days, the table that every run writes: one for an older day writes no positions.
KEY_TABLES = frozenset({AUTHORS_COMMITS.name, BY_HOUR.name})
