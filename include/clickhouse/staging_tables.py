"""Staging tables: each try of each task fills one of its own, so that two tries alive at once cannot mix.

Their names are `<table>__stg_<run>_<try>`, with `_whole` at the end where a try has said that all is in it;
what a killed try leaves is dropped with its run's, or by age. Those of a table that is upserted are renamed
when they are published: `check` compares what readers see with them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable

import stamina

from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.cluster import ClusterClient, Node, each_server, local_engine, rows_of
from include.clickhouse.errors import ClickHouseError, Refused
from include.text import text_of

log = logging.getLogger(__name__)

ABANDONED_AFTER_DAYS = 3  # longer than any retry of a run waits
MARK, _WHOLE = "__stg_", "_whole"
_UNKNOWN_TABLE = 60


def staging_table_name(table: str, run: str, attempt: str) -> str:
    """Return a name that only this try of this run uses; `run` and `attempt` are any text."""
    return f"{table}{MARK}{_short_hash(run)}_{_short_hash(attempt)}"


def create_staging_table(clickhouse: ClickHouse, table: str, name: str) -> None:
    """Create the empty table `name` with the structure of `table`; a table of that name is dropped."""
    clickhouse.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
    like, engine = rows_of(clickhouse, table), local_engine(clickhouse, table)
    clickhouse.execute(f"CREATE TABLE {quoted(name)} AS {like}{engine}")


def mark_complete(clickhouse: ClickHouse, name: str) -> str:
    """Say that the staging table `name` holds all that it is to hold; return its new name."""
    whole = f"{name}{_WHOLE}"
    clickhouse.execute(f"DROP TABLE IF EXISTS {quoted(whole)}")
    clickhouse.execute(f"RENAME TABLE {quoted(name)} TO {quoted(whole)}")
    return whole


def published_name(table: str, run: str, file: str) -> str:
    """Return the name of the staging table of a part that this run has published."""
    return f"{staging_table_name(table, run, f'{file} published')}{_WHOLE}"


def keep_published(clickhouse: ClickHouse, name: str, published: str) -> None:
    """Rename a staging table whose rows are published; where that fails it is dropped, and missed by none."""
    try:
        clickhouse.execute(f"DROP TABLE IF EXISTS {quoted(published)}")
        clickhouse.execute(f"RENAME TABLE {quoted(name)} TO {quoted(published)}")
    except ClickHouseError as error:
        log.warning("staging table %s is not kept for check: %s", name, error)


def drop_staging_tables(
    clickhouse: ClickHouse, tables: Iterable[str], run: str, *, kept: Collection[str] = ()
) -> None:
    """Drop what this run staged for `tables`, by all its tries; what a query still uses stays, by a warning.

    Runs of two DAGs may have one run_id, but no two DAGs write one table.

    Args: kept: names of those that stay.
    """
    for each in each_server(clickhouse):  # a try before this may have been on another replica
        for table in tables:
            names = _names(each, "1", table, _short_hash(run))
            _drop(each, [name for name in names if name not in kept])


def drop_abandoned_staging_tables(clickhouse: ClickHouse) -> None:
    """Drop staging tables that were made more than ABANDONED_AFTER_DAYS ago; no run takes that long."""
    old = f"metadata_modification_time < now() - INTERVAL {ABANDONED_AFTER_DAYS} DAY"
    for each in each_server(clickhouse):
        _drop(each, _names(each, old))


def staging_tables(clickhouse: ClickHouse) -> set[str]:
    """Return the names of all staging tables that are there."""
    return set(_names(clickhouse, "1"))


def whole_staging_tables(clickhouse: ClickHouse, table: str, run: str) -> list[str]:
    """Return the names of those for `table` that tries of this run have called whole."""
    return [name for name in _names(clickhouse, "1", table, _short_hash(run)) if name.endswith(_WHOLE)]


def connect_to_staged(clickhouse: ClickHouse, names: Iterable[str]) -> str:
    """On a cluster, move the client to the replica of the day's shard that has most of these tables.

    A staging table is on one server only: that which answered when it was loaded. Returns how many are where,
    for an error; without a cluster nothing.
    """
    wanted, found, words = set(names), dict[Node, int](), list[str]()
    if not isinstance(clickhouse, ClusterClient):
        return ""
    for node in clickhouse.replicas():
        with clickhouse.client_of(node) as server:
            try:
                found[node] = len(wanted & staging_tables(server))
                words.append(f"{node} has {found[node]} of {len(wanted)}")
            except ClickHouseError as error:
                log.warning("%s", error)
                words.append(f"{node} does not answer")
    most = max(found.values(), default=0)
    if most:
        clickhouse.move_to(next(node for node, count in found.items() if count == most))
    return f" ({'; '.join(words)})"


def _dropped_meanwhile(error: Exception) -> bool:
    return isinstance(error, Refused) and error.code == _UNKNOWN_TABLE


# 18.16 cannot list the tables while another run drops one of them.
@stamina.retry(on=_dropped_meanwhile, attempts=10, wait_initial=0.05)
def _names(
    clickhouse: ClickHouse, condition: str, table: str = ".+", run_hash: str = "[0-9a-f]{12}"
) -> list[str]:
    rows = clickhouse.execute(
        f"SELECT name FROM system.tables WHERE database = %(database)s AND match(name, %(ours)s) "
        f"AND {condition} ORDER BY name",
        {"database": clickhouse.database, "ours": f"^{table}{MARK}{run_hash}_[0-9a-f]{{12}}({_WHOLE})?$"},
    )
    return [name for (name,) in rows]


def _drop(clickhouse: ClickHouse, names: list[str]) -> None:
    if not names:  # what most calls find: a question less
        return
    # DROP would wait for an INSERT whose client vanished until the server gives it up, after 300 s.
    running = clickhouse.execute(
        "SELECT query FROM system.processes WHERE position(query, %(mark)s) > 0", {"mark": MARK}
    )
    for name in names:
        if any(name in text_of(query) for (query,) in running):
            log.warning("staging table %s stays for now: a query is still using it", name)
            continue
        try:
            clickhouse.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        except ClickHouseError as error:  # a later run drops it
            log.warning("staging table %s stays for now: %s", name, error)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
