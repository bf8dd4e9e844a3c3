"""The run and the try that a task belongs to, as Airflow knows them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import UTC, date
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from airflow.sdk import get_current_context

from include.params import BadParam, read_day, refuse_unknown_params
from include.run_day import run_day
from include.staging.files import run_directory
from stagehouse.clock import now
from stagehouse.hooks.storage_roots import staging_root

if TYPE_CHECKING:
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest


class HasDay(Protocol):
    """A request for one day."""

    @property
    def day(self) -> date:
        """The day."""


Request = TypeVar("Request", bound=HasDay)
FIRST_DAY = date(1970, 1, 1)  # of a column of kind Date


class DayRequest(NamedTuple):
    """The request of a DAG that has no param but `day`."""

    day: date

    @classmethod
    def read(cls, params: Mapping[str, object], *, run_day: date, today: date) -> DayRequest:
        """Turn the params of a run into a request. Raises: BadParam."""
        refuse_unknown_params(params, ("day",))
        return cls(read_day(params.get("day"), run_day, FIRST_DAY, today))


def run_context() -> dict[str, str]:
    """Return the names of the DAG and its run."""
    context = get_current_context()
    return {"dag_id": context["dag_run"].dag_id, "run_id": context["dag_run"].run_id}


def run_date() -> date:
    """Return the day (UTC) the run was due; by hand, when it was made. It may be for the day before."""
    return get_current_context()["dag_run"].run_after.astimezone(UTC).date()


def this_attempt() -> str:
    """Return a text that no other try of this task has, also when the task is cleared and counts anew."""
    return str(get_current_context()["ti"].id)


def request_of_this_run(read_request: Callable[..., Request]) -> Request:
    """Return what the run is asked for, read from its params, its own day and today (UTC).

    Raises: BadParam, also for a day that is not the run's partition.
    """
    context = get_current_context()
    partition, due = context["dag_run"].partition_key, context["dag_run"].run_after
    today = now().date()
    request = read_request(context["params"], run_day=run_day(partition, due), today=today)
    if partition and request.day.isoformat() != partition:
        raise BadParam("day", str(request.day), f"empty or {partition}, the partition of this run")
    return request


def requested_day() -> date:
    """Return the day of a run whose one param is `day`. Raises: BadParam."""
    return request_of_this_run(DayRequest.read).day


def staging_of(day: date) -> StagingPath:
    """Return the run's own directory."""
    return run_directory(staging_root(), day=day, **run_context())


def manifest_of(task: str, day: date) -> Manifest:
    """Return what a task of the run has staged, perhaps on other workers; its XCom `host` says where."""
    from include.staging.manifest import StagedBy, read_manifest

    staged_by = StagedBy(**run_context(), day=day, task=task)
    here = socket.gethostname()
    found = get_current_context()["ti"].xcom_pull(task_ids=task, key="host") or ""
    hosts = [str(each) for each in ([found] if isinstance(found, str) else found)]  # a list of a mapped task
    staged_on = next((each for each in hosts if each != here), here)
    return read_manifest(staging_of(day), staged_by, staged_on=staged_on, host=here)
