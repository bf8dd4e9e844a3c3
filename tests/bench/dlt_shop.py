"""Copy a table with dlt's sql_database source, by its incremental on updated_at, in dlt's environment.

`python -m tests.bench.dlt_shop DSN DIRECTORY TABLE RUNS` runs a pipeline into DuckDB so often, as its
documentation does, and prints its ids and names as JSON.
"""

import json
import sys
from pathlib import Path

import dlt
import duckdb
from dlt.sources.sql_database import sql_table


def main(dsn: str, directory: str, table: str, runs: str) -> None:
    """Run, then print what the destination has."""
    file = Path(directory) / "copied.duckdb"
    pipeline = dlt.pipeline(
        "shop",
        destination=dlt.destinations.duckdb(str(file)),
        dataset_name="shop",
        pipelines_dir=str(Path(directory) / "pipelines"),
    )
    for _ in range(int(runs)):
        rows = sql_table(credentials=dsn, table=table, incremental=dlt.sources.incremental("updated_at"))
        rows.apply_hints(primary_key="id", write_disposition="merge")
        pipeline.run(rows)
    with duckdb.connect(str(file), read_only=True) as stored:
        sys.stdout.write(json.dumps(stored.execute(f"SELECT id, name FROM shop.{table}").fetchall()))


if __name__ == "__main__":
    main(*sys.argv[1:])
