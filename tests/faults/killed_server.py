"""A server that is killed at a named point, and started again."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from tests.faults.proxy import Stop
from tests.servers.clickhouse import ClickHouseServer


def killed_at(stop: Stop, server: ClickHouseServer, work: Callable[[], object]) -> Future[object]:
    """Do the work in a thread, kill the server when it is at the point, start it again."""
    with ThreadPoolExecutor(1) as thread:
        doing = thread.submit(work)
        stop.wait()
        server.kill()
        server.start()
        stop.reset()
    return doing
