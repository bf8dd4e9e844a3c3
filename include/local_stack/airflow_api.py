"""The calls of Airflow's public REST API that the stack makes.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel

from include.local_stack.errors import StackError

TIMEOUT_S = 15.0  # of one request; nobody can interrupt it
ANSWERS_WITHIN_S = 300.0  # longer than it takes to find a silent api-server, end it, and start it again
UNFINISHED = ("queued", "running")


class TaskInstance(BaseModel, frozen=True):
    """One task of a run. map_index is -1 for a task that is not mapped; state None: not yet considered."""

    task_id: str
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    duration: float | None = None

    @property
    def label(self) -> str:
        """The task's name, with its index if it is mapped."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowApi:
    """A client for one api-server. Enter it to close its connections in the end.

    while_silent: called before a request that got no answer is sent again, until it raises or five minutes
    are over; None: no request is sent again.
    """

    def __init__(
        self, url: str, user: str, password: str, while_silent: Callable[[], None] | None = None
    ) -> None:
        self.url = url
        self._while_silent = while_silent
        self._login = {"username": user, "password": password}
        # trust_env: a proxy of the developer's has no business on loopback.
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def unhealthy(self) -> list[str]:
        """Return which needed components do not report themselves healthy; all, while nothing answers."""
        needed = ("metadatabase", "scheduler", "dag_processor")
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5.0)
            answer.raise_for_status()
            health = answer.json()
        except (httpx.HTTPError, ValueError):
            return ["api_server", *needed]
        # The status is 200 even with a dead scheduler: only the body tells.
        return [name for name in needed if (health.get(name) or {}).get("status") != "healthy"]

    def log_in(self) -> None:
        """Get a token for all later calls."""
        token = self._call("POST", "/auth/token", json=self._login)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def parsed_at(self, dag_id: str) -> datetime | None:
        """Return when the DAG's file was last read; None for an unknown DAG."""
        answer = self._send("GET", f"/api/v2/dags/{dag_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        parsed = _read(answer)["last_parsed_time"]
        return datetime.fromisoformat(parsed) if parsed else None

    def import_errors(self) -> list[str]:
        """Return a text for each DAG file that cannot be imported: its name and the end of the traceback."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in errors]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler work on the DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def fail_unfinished_runs(self, dag_id: str) -> int:
        """Fail the runs that an earlier stack left unfinished: they would hold up ours. Return how many."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        runs = self._call("GET", path, params={"state": UNFINISHED, "limit": 100})["dag_runs"]
        for run in runs:
            self._call("PATCH", f"{path}/{quote(run['dag_run_id'], safe='')}", json={"state": "failed"})
        return len(runs)

    def trigger(self, dag_id: str, conf: Mapping[str, object]) -> str:
        """Start a run and return its id. Raises: StackError: Airflow refuses the params."""
        # The id is ours, so that a request whose answer was lost makes no second run.
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{uuid4().hex[:8]}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", repeatable=True, json=body)
        if answer.status_code != httpx.codes.CONFLICT:  # else an earlier request has made it
            _read(answer)
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return queued, running, success or failed."""
        return str(self._call("GET", _run_path(dag_id, run_id))["state"])

    def task_instances(self, dag_id: str, run_id: str) -> Sequence[TaskInstance]:
        """Return the tasks of a run, mapped ones by index."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances"
        found = self._call("GET", path, params={"limit": 500})["task_instances"]
        return sorted((TaskInstance.model_validate(each) for each in found), key=lambda ti: ti.map_index)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        return _read(self._send(method, path, **request))

    def _send(
        self, method: str, path: str, *, repeatable: bool | None = None, **request: Any
    ) -> httpx.Response:
        """Return the answer. repeatable: None: every method but POST may be sent twice."""
        repeatable = method != "POST" if repeatable is None else repeatable
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                return self._http.request(method, path, **request)
            except httpx.TransportError as error:
                never_left = isinstance(error, httpx.ConnectError)
                if not self._while_silent or not (repeatable or never_left) or time.monotonic() > deadline:
                    silence = f"Airflow's api-server at {self.url} does not answer {path}: {error}"
                    raise StackError(f"{silence}. Next: look in its log, then start again") from error
            self._while_silent()


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _read(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    request = answer.request
    raise StackError(
        f"Airflow refused {request.method} {request.url.path}: {answer.status_code} {answer.text[:500]}. "
        "Next: look in the log of the api-server"
    )
