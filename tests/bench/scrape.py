"""What does a scrape of the metrics cost, and the page *Data*, with much in Airflow and much published?

Airflow's database has 300,000 task instances of 30,000 runs; published table-days are 1, 100 and 10,000.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.findings import Finding, at_most
from tests.servers.clickhouse import running_clickhouse
from tests.servers.postgres import running_postgres

ROOT = Path(__file__).resolve().parents[2]
TABLE_DAYS = (1, 100, 10_000)
WANTED_S = 0.2


def run() -> list[Finding]:
    """Time both, in a process whose Airflow is that database's."""
    with (
        running_postgres() as postgres,
        running_clickhouse() as clickhouse,
        tempfile.TemporaryDirectory() as home,
    ):
        postgres.execute("CREATE DATABASE airflow")
        clickhouse.execute("CREATE DATABASE stagehouse")
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "plugins"))),
            "AIRFLOW_HOME": home,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.sqlalchemy_url("airflow"),
            "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": clickhouse.airflow_connection(),
            "AIRFLOW_VAR_STAGING_ROOT": f"{home}/staging",
            "AIRFLOW_VAR_INBOX_ROOT": f"{home}/inbox",
        }
        command = [sys.executable, "-m", "tests.bench.scrape_times", *map(str, TABLE_DAYS)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    times = json.loads(done.stdout.splitlines()[-1])
    return [
        at_most(f"{what} with {days:,} published table-days, s", times[f"{what} {days}"], WANTED_S, digits=3)
        for what in ("scrape", "page")
        for days in TABLE_DAYS
    ]
