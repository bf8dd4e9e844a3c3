"""A Celery worker of docker-compose.yaml is killed with all its processes while it loads."""

import os
import re
import signal
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest

from include.local_stack.sessions import members
from tests.compose.recorded_day import require_recorded_day
from tests.compose.running import Running, running
from tests.e2e.recorded_truth import read_truth
from tests.faults.proxy import INSIDE, Proxy, Stop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MAIN, HEALTH = "github_top_repositories", "postgres_health"
WORKERS = {"worker-1", "worker-2"}
WITHIN = timedelta(minutes=3)
CONTROL = ("celery", "--app", "airflow.providers.celery.executors.celery_executor.app", "control")
# Seconds; as shipped, 300 and 10, 600 and 120, a day.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "30",
}


@pytest.fixture(scope="module")
def proxies() -> Iterator[list[Proxy]]:
    """The one between the stack and ClickHouse, as soon as it is there."""
    made: list[Proxy] = []
    yield made
    for proxy in made:
        proxy.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, proxies: list[Proxy]) -> Iterator[Running]:
    """Two workers, one task at a time in each; silent tasks are found within seconds."""

    def through_a_proxy(port: int) -> int:
        proxies.append(Proxy(port))
        return proxies[-1].port

    with running("distributed", tmp_path_factory.mktemp("compose"), IMPATIENT, through_a_proxy) as started:
        yield started


def kill_worker(stack: Running, stop: Stop) -> str:
    """SIGKILL to all processes of the worker whose connection is held; return its name."""
    assert stop.link
    address = stop.link.client.getpeername()
    (client,) = {c.pid for c in psutil.net_connections("tcp") if c.laddr == address and c.pid}
    leader = os.getsid(client)
    worker = next(each for each in stack.stack.sessions._running if each.process.pid == leader)
    killed = list(members({leader}, stack.place))
    assert client in {process.pid for process in killed}
    for process in killed:
        process.send_signal(signal.SIGKILL)
    worker.process.wait()
    stack.stack.sessions._running.remove(worker)
    return worker.command.name


def log_of(stack: Running, name: str) -> str:
    """What a container has said."""
    return next(each for each in stack.stack.containers if each.name == name).output.read_text()


def test_a_worker_is_killed_while_it_loads(stack: Running, proxies: list[Proxy]):
    """Among the rows of a part: the other worker loads it anew, and the day is exact.

    Redis hands the killed one's task to the other worker as well, where it is refused: its try is over.
    """
    day = stack.last_day
    truth = read_truth(stack.recording, top=100, day=day, last_day=day)
    stop = proxies[0].stop_at(truth.positions[-1][1].encode(), INSIDE)
    run_id = stack.trigger(MAIN, day=day.isoformat(), api="rest")
    stack.stack.wait_until(lambda: stop.is_reached, WITHIN, lambda: stack.tasks(MAIN, run_id))
    killed = kill_worker(stack, stop)
    (other,) = WORKERS - {killed}
    stop.reset()
    assert stack.is_green(MAIN, run_id)
    tries = [task for task in stack.tasks(MAIN, run_id) if task["try_number"] > 1]
    assert [(task["task_id"], task["try_number"], task["hostname"]) for task in tries] == [("load", 2, other)]
    delivered = re.findall(r"execute_workload\[(\S+)\] received", log_of(stack, killed))[-1]
    refused = re.compile(rf"{delivered}\] (raised unexpected: ServerResponseError|Task already running)")
    refused_it = lambda: refused.search(log_of(stack, other))  # noqa: E731
    stack.stack.wait_until(refused_it, WITHIN, lambda: log_of(stack, other)[-2000:])
    require_recorded_day(stack)


def test_a_task_that_a_worker_took_and_never_began(stack: Running):
    """It is neither in Redis nor anywhere at work, as after a kill in between: it is queued once more."""
    alive = WORKERS & {each.command.name for each in stack.stack.sessions._running}
    worker = next(each for each in stack.stack.containers if each.name in alive)
    (redis,) = (each for each in stack.stack.containers if each.name == "redis")
    assert worker.run(*CONTROL, "cancel_consumer", "default") == 0
    run_id = stack.trigger(HEALTH)
    taken = lambda: redis.run("sh", "-c", 'test "$(redis-cli del default)" = 1') == 0  # noqa: E731
    stack.stack.wait_until(taken, WITHIN, lambda: stack.tasks(HEALTH, run_id))
    assert worker.run(*CONTROL, "add_consumer", "default") == 0
    assert stack.is_green(HEALTH, run_id)
    assert {task["try_number"] for task in stack.tasks(HEALTH, run_id)} == {1}
