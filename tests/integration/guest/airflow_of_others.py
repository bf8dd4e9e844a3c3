"""An Airflow that others set up: its own DAG, plugins/hooks/ and include/, which have names that many use."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers.postgres import PostgresServer

# Airflow's default: one bundle, the folder of DAGs.
BUNDLES = json.dumps(
    [
        {
            "name": "dags-folder",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {},
        }
    ]
)
THEIRS = {
    "dags/their_report.py": """
from datetime import datetime

from airflow.sdk import dag, task
from hooks import greeting
from include.settings import NAME


@dag(schedule=None, start_date=datetime(2026, 1, 1))
def their_report():
    @task
    def say():
        from include.settings import NAME as still_theirs
        return f"{greeting()}, {still_theirs}"

    say()


their_report()
""",
    "plugins/hooks/__init__.py": 'def greeting():\n    return "Hello"\n',
    "plugins/.airflowignore": "drafts/",  # and no newline at its end
    "plugins/drafts/half_done.py": "raise RuntimeError('a draft was run')\n",
    "plugins/their_plugin.py": """
from airflow.plugins_manager import AirflowPlugin


class TheirPlugin(AirflowPlugin):
    name = "theirs"
""",
    "include/__init__.py": "",
    "include/settings.py": 'NAME = "world"\n',
    "include/pages/notes.txt": "a folder that has a name of ours\n",
}
RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
errors = {path.rpartition("/")[2]: text for path, text in bag.import_errors.items()}
said = {"errors": errors, "dags": sorted(bag.dags), "runs": {}}
for dag_id, conf in json.loads(sys.argv[1]).items():
    dag = bag.dags[dag_id]
    dag.has_on_failure_callback = False  # dag.test() alone calls it on the stored DAG
    run = dag.test(run_conf=conf)
    said["runs"][dag_id] = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
said["theirs"] = run.get_task_instance("say").xcom_pull(task_ids="say") if "say" in dag.task_dict else None
print(json.dumps(said))
"""


class AirflowOfOthers:
    """An AIRFLOW_HOME with nothing of ours. Attributes: home; inbox; environment of its processes."""

    def __init__(self, directory: Path, postgres: PostgresServer) -> None:
        self.home, self.inbox = directory / "airflow", directory / "inbox"
        self.inbox.mkdir(parents=True)
        for name, text in THEIRS.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text)
        clickhouse = {"conn_type": "clickhouse", "extra": {"path": str(directory / "chdb")}}
        self.environment = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": BUNDLES,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "PYTHONPATH": str(self.home),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": postgres.airflow_connection(),
            "AIRFLOW_CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
            "AIRFLOW_VAR_STAGING_ROOT": str(directory / "staging"),
            "AIRFLOW_VAR_REPORTS_ROOT": str(directory / "reports"),
            "AIRFLOW_VAR_INBOX_ROOT": str(self.inbox),
        }

    def python(self, code: str, *arguments: str, **environment: str) -> str:
        """Run `code` as one of its processes; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=os.environ | self.environment | environment,
            cwd=self.inbox,  # Python puts it on its path, where no component of Airflow has it
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    def run_dags(self, conf: dict[str, dict[str, object]]) -> dict:
        """Parse its DAGs and run those named, one after the other, by Airflow's own runner."""
        return _last_line(self.python(RUN, json.dumps(conf)))

    def parse(self, **environment: str) -> dict:
        """Only parse its DAGs."""
        code = RUN.partition("for dag_id")[0] + "print(json.dumps(said))"
        return _last_line(self.python(code, **environment))


def _last_line(output: str) -> dict:
    (line,) = [line for line in output.splitlines() if line.startswith('{"errors"')]
    return json.loads(line)
