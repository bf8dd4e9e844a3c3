"""Notices of failures through Airflow's own runner and its own e-mail notifier, to a real mail server."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from airflow.sdk import BaseNotifier

from stagehouse.hooks.storage_roots import BadVariable
from stagehouse.pipeline.notifications import (
    EXAMPLE,
    failure_notice,
    failure_notifier,
    notify_run_failure,
    notify_task_failure,
)
from tests.servers.mailbox import Mailbox
from tests.servers.postgres import PostgresServer

DAG_ID = "postgres_health"
VARIABLE = "AIRFLOW_VAR_FAILURE_NOTIFIER"
SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
BY_MAIL = {"to": "night@example.org", "subject": "{{ dag.dag_id }} failed", "html_content": "{{ notice }}"}
PASSWORD = "wr0ng-s3cret-pa55"
TIMES = (datetime(2026, 8, 20, 3, minute, tzinfo=UTC) for minute in count())  # each names a run


class Refusing(BaseNotifier):
    """Has a field with the likely name `message`, and raises it, over two lines."""

    template_fields = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: object) -> None:  # noqa: ARG002
        """Refuse."""
        raise OSError(f"refused:\n{self.message}")


@pytest.fixture
def failing_run(dagbag, metadb, postgres_server: PostgresServer, mailbox: Mailbox, monkeypatch):
    """Run the DAG with a wrong password; the function returns the run."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection(password=PASSWORD))
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.airflow_connection())
    dag = dagbag.dags[DAG_ID]
    monkeypatch.setattr(dag.task_dict[DAG_ID], "retry_delay", timedelta(seconds=0.1))
    return lambda: dag.test(run_after=next(TIMES))


@pytest.fixture
def said(caplog):
    """What was logged about notices by now, by the function that is returned."""
    logger = "stagehouse.pipeline.notifications"
    return lambda: [record.message for record in caplog.records if record.name == logger]


def test_a_failure_is_a_mail_that_says_all(failing_run, mailbox: Mailbox, monkeypatch, said):
    """Names DAG, day, task, try, run, reason and link on one line, and no secret; retries are not told."""
    monkeypatch.setenv(VARIABLE, json.dumps({"class": SMTP, "kwargs": BY_MAIL}))
    run = failing_run()
    assert run.state == "failed"
    ((subject, text),) = mailbox.lines()
    assert subject == f"{DAG_ID} failed"
    head = f"{DAG_ID} failed: day 2026-08-20, task {DAG_ID}, try 2, run {run.run_id}: "
    assert text.startswith(f"{head}PostgresRefused: connection 'postgres_default': ")
    assert text.endswith(f"/dags/{DAG_ID}/runs/{run.run_id.replace(':', '%3A').replace('+', '%2B')}"
                         f"/tasks/{DAG_ID}?try_number=2")  # fmt: skip
    assert len(text.splitlines()) == 1
    assert PASSWORD not in str(mailbox.mails[0])
    assert said()[0] == f"Told by SmtpNotifier: {text}"


def test_nothing_is_told_unless_a_notifier_is_set_up(failing_run, mailbox: Mailbox, said):
    """The default: the failure is in Airflow and its logs only."""
    assert failing_run().state == "failed"
    assert mailbox.mails == []
    assert not any("notice" in line for line in said())


def test_a_mail_that_is_refused_hides_no_error(failing_run, mailbox: Mailbox, monkeypatch, said, capfd):
    """The task's own error stays the error; the log says that nobody was told."""
    mailbox.refuses = True
    monkeypatch.setenv(VARIABLE, json.dumps({"class": SMTP, "kwargs": BY_MAIL}))
    assert failing_run().state == "failed"
    assert mailbox.mails == []
    assert said()[0].startswith("No notice of this failure was sent: SMTPSenderRefused: (550, ")
    assert "PostgresRefused: connection 'postgres_default': " in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "JSON: Invalid JSON"),
        ('{"class": "x"}', "class: String should match"),
        ('{"kwargs": {}}', "class: Field required"),
        ('{"class": "a.B", "url": "https://s3cret"}', "url: Extra inputs are not permitted"),
        ('{"class": "no_such.Thing"}', "class no_such.Thing cannot be imported"),
        ('{"class": "os.NoSuchThing"}', "class os.NoSuchThing cannot be imported"),
        ('{"class": "os.system"}', "class os.system is no notifier of Airflow"),
        (json.dumps({"class": SMTP, "kwargs": {"too": "x"}}), "kwargs do not fit: "),
    ],
)
def test_a_bad_variable_is_told_in_one_line_that_names_it(value: str, said: str, monkeypatch):
    """And shows no value, which may be a secret."""
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(BadVariable) as caught:
        failure_notifier()
    assert str(caught.value).startswith(f"variable 'failure_notifier': {said}")
    assert "s3cret" not in str(caught.value)


def test_a_bad_variable_hides_no_error(failing_run, monkeypatch, said, capfd):
    """The run is red for its own reason, and the log names the variable."""
    monkeypatch.setenv(VARIABLE, "nonsense")
    assert failing_run().state == "failed"
    assert said()[0].startswith(
        "No notice of this failure was sent: BadVariable: variable 'failure_notifier'"
    )
    assert "PostgresRefused: connection 'postgres_default': " in "".join(capfd.readouterr())


def test_the_example_in_the_error_is_a_valid_one(monkeypatch):
    """Whoever copies it gets a notifier."""
    monkeypatch.setenv(VARIABLE, EXAMPLE)
    assert type(failure_notifier()).__name__ == "SmtpNotifier"


def test_a_notifier_may_have_a_field_named_message(dagbag, monkeypatch, said):
    """The notice reaches it, and what it raises is one line."""
    kwargs = {"message": "{{ notice }}"}
    monkeypatch.setenv(VARIABLE, json.dumps({"class": f"{__name__}.Refusing", "kwargs": kwargs}))
    notify_run_failure({"dag": dagbag.dags[DAG_ID], "run_id": "by hand", "reason": "timed_out"})
    (line,) = said()
    assert line.startswith(
        "No notice of this failure was sent: OSError: refused: postgres_health failed: run by hand: "
        "the run took longer than its dagrun_timeout"
    )
    assert line.endswith("/dags/postgres_health/runs/by%20hand")


def test_what_an_error_is_about_is_told(dagbag, monkeypatch, said):
    """Its notes come first, however long it is: GitHub's second page names a repository by number only."""
    kwargs = {"message": "{{ notice }}"}
    monkeypatch.setenv(VARIABLE, json.dumps({"class": f"{__name__}.Refusing", "kwargs": kwargs}))
    error = ValueError("y" * 10_000)
    error.add_note("repository octo-org/octo-repo, position 4")
    notify_task_failure({"dag": dagbag.dags[DAG_ID], "run_id": "by hand", "exception": error})
    assert "ValueError (repository octo-org/octo-repo, position 4): yyy" in said()[0]


def test_a_hostile_reason_is_one_line_of_bounded_length(dagbag):
    """Line breaks would be headers of a mail; what is not printable is a space."""
    context = {"dag": dagbag.dags[DAG_ID], "run_id": "x"}
    notice = failure_notice(context, "a\r\nBcc: all@example.org\x00\ud800\u2028" + "y" * 10_000)
    assert "run x: a Bcc: all@example.org yyy" in notice
    assert notice.isprintable()
    assert len(notice) < 1200
