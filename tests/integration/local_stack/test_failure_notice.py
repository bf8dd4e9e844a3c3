"""Every way in which a run can fail is told once, by a real scheduler, worker and DAG processor."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.local_stack.settings import read_settings
from include.local_stack.stack import Stack
from tests.servers.mailbox import Mailbox

ROOT = Path(__file__).resolve().parents[3]
DAGS = Path(__file__).with_name("failing_dags")
REASONS = {
    "raises": "ValueError: <the reason> on two lines ",
    "is_killed": "ended without an error of its own: ",
    "loses_its_worker": "ended without an error of its own: ",
    "takes_long": "took longer than its execution_timeout of 0:00:02 ",
    "never_ends": "the run took longer than its dagrun_timeout",
}
BY_MAIL = {"to": "night@example.org", "subject": "{{ dag.dag_id }}", "html_content": "{{ notice }}"}
NOTIFIER = {"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": BY_MAIL}
QUIET_S = 5.0


@pytest.mark.e2e
def test_each_failure_is_told_once_with_its_reason(mailbox: Mailbox, tmp_path: Path):
    """An error, a killed process, a killed worker, a task and a run beyond their time: one mail each."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    settings = read_settings(
        environ | {"GITHUB_API": "http://127.0.0.1:9"}, ROOT, state=tmp_path / "state", dags=DAGS
    )
    added = {
        "AIRFLOW_VAR_FAILURE_NOTIFIER": json.dumps(NOTIFIER),
        "AIRFLOW_CONN_SMTP_DEFAULT": mailbox.airflow_connection(),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_DETECTION_INTERVAL": "2",
    }
    settings = settings.model_copy(update={"inherited": settings.inherited | added})
    clock = lambda: datetime.now(UTC)  # noqa: E731
    with (
        Stack(settings, sleep=time.sleep, now=clock, say=print, scheduled=True) as stack,
        stack.start(list(REASONS)) as airflow,
    ):
        runs = {}
        for dag_id in REASONS:
            airflow.unpause(dag_id)
            runs[dag_id] = airflow.trigger(dag_id, {})
        until = time.monotonic() + 180
        while {subject for subject, _ in mailbox.lines()} != set(REASONS):
            assert time.monotonic() < until, mailbox.lines()
            stack.watch(0.5)
        stack.watch(QUIET_S)  # a second mail about the same would come within moments
        mails = mailbox.lines()
        assert sorted(subject for subject, _ in mails) == sorted(REASONS)
        for dag_id, notice in mails:
            path = f"/api/v2/dags/{dag_id}/dagRuns/{runs[dag_id]}"
            day = datetime.fromisoformat(airflow._call("GET", path)["run_after"]).date()
            head, reason = notice.split(f", try 1, run {runs[dag_id]}: ")
            assert head.removesuffix("[1]").removesuffix("[0]") == f"{dag_id} failed: day {day}, task work"
            assert reason.startswith(REASONS[dag_id])
            assert "work[1]" in head or dag_id == "never_ends"  # there, whichever was not done
            assert f" {airflow.url}/dags/{dag_id}/runs/manual__" in notice
            assert airflow.run_state(dag_id, runs[dag_id]) == "failed"
