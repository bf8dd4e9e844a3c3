"""Components of Airflow die while a run is at work: they are started again, the run ends green and exact."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from include.local_stack.postgres import METADATA, SUPERUSER
from tests.e2e.test_scheduler_faults import assert_published, begun

pytestmark = pytest.mark.e2e
WAITS_FOR_A_LOCK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = %s AND wait_event_type = 'Lock' AND query LIKE %s
"""


def kill(stack, component: str) -> None:
    """Kill the process of a component, and nothing that it has started."""
    stack.component(component).process.kill()
    stack.component(component).process.wait()


def said_of(stack, component: str, since: int) -> str:
    """What the stack has said of a component's deaths."""
    return "\n".join(line for line in stack.said[since:] if line.startswith(f"{component} "))


def test_a_run_goes_on_without_a_moment_of_its_api_server_and_dag_processor(running_stack, recorded_github):
    """Killed one after the other, both are back by themselves, and the log names them."""
    since, run_id = len(running_stack.said), begun(running_stack, recorded_github)
    for component in ("dag-processor", "api-server"):
        kill(running_stack, component)
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)
    for component in ("dag-processor", "api-server"):
        line = said_of(running_stack, component, since)
        assert line.startswith(f"{component} was ended by SIGKILL; the end of ")
        assert f"{component} is started again" in line
    running_stack.wait_until(lambda: not running_stack.airflow.unhealthy())


def test_a_killed_scheduler_is_back_and_its_tasks_with_it(running_stack, recorded_github):
    """What it had at work ends with it, and is tried again within a minute, not after five."""
    since, run_id = len(running_stack.said), begun(running_stack, recorded_github)
    kill(running_stack, "scheduler")
    tried_again = lambda: max(task.try_number for task in running_stack.tasks(run_id)) == 2  # noqa: E731
    running_stack.wait_until(tried_again, timeout_s=120)
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)
    assert "scheduler was ended by SIGKILL" in said_of(running_stack, "scheduler", since)


def test_a_scheduler_that_two_clears_have_ended_is_started_again(running_stack, recorded_github):
    """A fault of Airflow 3.3: a task is cleared twice, in the very moment it takes note of the first clear.

    Its session commits on the way, because the task has a callback; so the second clear gives the task
    another id before the scheduler has written what it read. The row that it changes is gone, or one that it
    adds is there: either error ends it.
    """
    since, run_id = len(running_stack.said), begun(running_stack, recorded_github)
    with metadata(running_stack) as observer, metadata(running_stack) as blocker:

        def await_lock(statement: str) -> None:
            waits = lambda: observer.execute(WAITS_FOR_A_LOCK, (METADATA, statement)).fetchone()[0]  # noqa: E731
            running_stack.wait_until(waits, timeout_s=120)

        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE callback IN SHARE MODE")  # first: the scheduler may be quick
        running_stack.clear_at_once(run_id, "fetch")
        await_lock("INSERT INTO callback%")
        again = threading.Thread(target=running_stack.clear_at_once, args=(run_id, "fetch"))
        again.start()
        await_lock("UPDATE task_instance%")
        blocker.execute("ROLLBACK")
        again.join()
    running_stack.wait_until(lambda: said_of(running_stack, "scheduler", since))
    assert running_stack.wait(run_id) == "success", running_stack.states(run_id)
    assert_published(running_stack, recorded_github)
    line = said_of(running_stack, "scheduler", since)
    assert "scheduler ended with exit code 1; the end of " in line
    assert re.search(r"^sqlalchemy\S+(StaleDataError|IntegrityError): ", line, re.MULTILINE), line
    assert "scheduler is started again" in line


@contextmanager
def metadata(stack) -> Iterator[psycopg.Connection]:
    """A connection to Airflow's own database."""
    host = str(stack.stack.state.socket_directory())
    with psycopg.connect(host=host, user=SUPERUSER, dbname=METADATA, autocommit=True) as connection:
        yield connection
