"""Tells people of failures, through the notifier that the Airflow variable `failure_notifier` names.

A task that fails tells it itself, with its error. Of a task whose process was killed nobody hears in Airflow
3.3, so the end of the run tells it, and of runs that took too long; unless the task has told it already.

Source: https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier, Variable, conf
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # as the providers do
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.run_day import run_day
from stagehouse.hooks.storage_roots import BadVariable

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

VARIABLE = "failure_notifier"
EXAMPLE = '{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": {"to": "..."}}'
NOTIFIED = "failure_told"  # XCom of a failed task
LONGEST_REASON = 1000  # characters
_WITHOUT_A_WORD = (
    "ended without an error of its own: the process was killed, or could not tell; the log says more"
)
_REASONS = {
    "task_failure": _WITHOUT_A_WORD,
    "timed_out": "the run took longer than its dagrun_timeout; this task was not done",
    "all_tasks_deadlocked": "no task of the run can start any more",
}


class FailureNotifier(BaseModel):
    """The variable's value. Attributes: path, of a subclass of BaseNotifier; kwargs, of its constructor.

    The kwargs that the class renders as templates may hold `{{ notice }}`, the line that tells all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str = Field(alias="class", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", max_length=200)
    kwargs: dict[str, Any] = {}

    def make(self) -> BaseNotifier:
        """Return the notifier. Raises: BadVariable."""
        module, _, name = self.path.rpartition(".")
        try:
            made = getattr(import_module(module), name)
        except Exception as error:  # noqa: BLE001 - a module may raise anything
            reason = f"class {self.path} cannot be imported: {_one_line(str(error))[:300]}"
            raise BadVariable(VARIABLE, reason) from None
        if not (isinstance(made, type) and issubclass(made, BaseNotifier)):
            raise BadVariable(VARIABLE, f"class {self.path} is no notifier of Airflow")
        try:
            return made(**self.kwargs)
        except Exception as error:  # noqa: BLE001 - as above
            raise BadVariable(VARIABLE, f"kwargs do not fit: {_one_line(str(error))[:300]}") from None


def notify_task_failure(context: Context) -> None:
    """Tell of a task that failed by an error; the on_failure_callback of every task."""
    error = context.get("exception")
    # Without an error this runs in the DAG processor, for a process that is gone; the run's end tells it.
    if error is not None and _tell(context, _reason(context, error)):
        _remember(context)


def notify_run_failure(context: Context) -> None:
    """Tell of a run that failed and whose task has not told it; the on_failure_callback of every DAG."""
    reason = str(context.get("reason"))
    if reason != "task_failure" or not _task_has_notified(context):
        _tell(context, _REASONS.get(reason, reason))


def failure_notifier() -> BaseNotifier | None:
    """Return the notifier that is set up, None where none is. Raises: BadVariable."""
    text = str(Variable.get(VARIABLE, default="") or "").strip()
    if not text:
        return None
    try:
        return FailureNotifier.model_validate_json(text).make()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ascii(".".join(map(str, problem["loc"])))[1:-1][:80] or "JSON"
        raise BadVariable(VARIABLE, f"{where}: {problem['msg']}; expected is {EXAMPLE}") from None


def failure_notice(context: Context, reason: str) -> str:
    """Return one line: DAG, day, task, try, run, reason, and where to look."""
    ti = context.get("ti")
    facts = [f"day {_one_line(day)[:10]}"] if (day := _day(context)) else []
    if ti:
        index = f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
        facts += [f"task {ti.task_id}{index}", f"try {ti.try_number}"]
    facts.append(f"run {context['run_id']}")
    told = f"{_one_line(', '.join(facts))}: {_one_line(reason)[:LONGEST_REASON]}"
    return f"{context['dag'].dag_id} failed: {told} {ti.log_url if ti else _run_url(context)}"


def _tell(context: Context, reason: str) -> bool:
    """Return whether somebody was told. Whatever goes wrong here must not hide what it is about."""
    try:
        notice = failure_notice(context, reason)
        notifier = failure_notifier()
        if notifier is None:
            return False
        # Not `message`: a notifier with a field of that name would take the template for the text.
        notifier({**context, "notice": notice})
    except Exception as error:  # noqa: BLE001 - a notifier may raise anything
        line = _one_line(f"{type(error).__name__}: {error}")[:LONGEST_REASON]
        log.error("No notice of this failure was sent: %s", line)  # noqa: TRY400 - the one line says it
        return False
    log.info("Told by %s: %s", type(notifier).__name__, notice)
    return True


def _remember(context: Context) -> None:
    try:
        context["ti"].xcom_push(NOTIFIED, value=True)
    except Exception as error:  # noqa: BLE001 - being told twice is no harm
        log.warning("The end of the run will tell this failure again: %s", _one_line(str(error)))


def _task_has_notified(context: Context) -> bool:
    ti = context.get("ti")
    if ti is None:
        return False
    try:
        return bool(ti.xcom_pull(ti.task_id, key=NOTIFIED, map_indexes=ti.map_index))
    except Exception as error:  # noqa: BLE001 - being told twice is better than not at all
        log.warning("Cannot see whether this failure was told already: %s", _one_line(str(error)))
        return False


def _reason(context: Context, error: object) -> str:
    if isinstance(error, AirflowTaskTimeout):
        return f"took longer than its execution_timeout of {context['ti'].task.execution_timeout}"
    if not isinstance(error, BaseException):
        return str(error)
    notes = (f" ({note})" for note in getattr(error, "__notes__", ()))  # such as the repository
    return f"{type(error).__name__}{''.join(notes)}: {error}"


def _day(context: Context) -> str | None:
    params: Mapping[str, object] = context.get("params") or {}
    run = context.get("dag_run")
    if run is None:
        return None
    if "day" not in params:  # such a DAG is about the day it runs
        return str(run.run_after.astimezone(UTC).date())
    return str(params["day"] or run_day(run.partition_key, run.run_after))


def _run_url(context: Context) -> str:
    base = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
    return f"{base}/dags/{context['dag'].dag_id}/runs/{quote(context['run_id'], safe='')}"


def _one_line(text: str) -> str:
    text = str(redact(text))  # first: a secret that is cut or changed would not be found any more
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
