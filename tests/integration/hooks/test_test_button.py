"""The Test button of the connection form: Airflow's own API, our hooks, real servers behind them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from include.github_stand_in.app import create_app
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample
from tests.servers.clickhouse import ClickHouseServer

Press = Callable[..., tuple[bool, str]]


@pytest.fixture(scope="module")
def press(metadb: None) -> Iterator[Press]:
    """Press the button: fields of the form in, (well, message) out."""
    from airflow.api_fastapi.app import create_app as create_airflow
    from fastapi.testclient import TestClient

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
        environment.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        with TestClient(create_airflow(apps="core")) as browser:

            def press(conn_type: str, **fields: object) -> tuple[bool, str]:
                form = {"connection_id": "tried", "conn_type": conn_type} | fields
                answer = browser.post("/api/v2/connections/test", json=form)
                assert answer.status_code == 200, answer.text
                return answer.json()["status"], answer.json()["message"]

            yield press


@pytest.fixture
async def github() -> AsyncIterator[str]:
    """The root of a served stand-in of the GitHub API."""
    quota = Quota(core_per_hour=1000, search_per_minute=1000)
    app = create_app(
        Sample(), now=lambda: datetime(2026, 8, 21, tzinfo=UTC), anonymous=quota, with_token=quota
    )
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_github_is_there(press: Press, github: str):
    """Turns green on the root of a GitHub API."""
    well, message = await asyncio.to_thread(press, "github", host=github)
    assert (well, "is a GitHub API" in message) == (True, True), message


async def test_github_is_not_there(press: Press, github: str):
    """Turns red, with the address, on a place that is no root of a GitHub API."""
    well, message = await asyncio.to_thread(press, "github", host=f"{github}nowhere")
    assert (well, "nowhere" in message) == (False, True), message


def test_github_needs_a_host(press: Press):
    """Turns red with the field's name when it is empty."""
    well, message = press("github", host="")
    assert (well, "host: is empty" in message) == (False, True), message


def test_clickhouse_is_there(press: Press, clickhouse_server: ClickHouseServer):
    """Turns green on a server that lets us in."""
    assert press("clickhouse", **form(clickhouse_server))[0] is True


@pytest.mark.parametrize("change", [{"password": "wr0ng-s3cret"}, {"http": True}])
def test_clickhouse_is_not_there(press: Press, clickhouse_server: ClickHouseServer, change: dict):
    """Turns red, without the password, on a wrong password and on the port of the other protocol."""
    if "http" in change:  # where the server waits in silence for the rest of a request
        change = {"port": clickhouse_server.http_port, "extra": json.dumps({"send_receive_timeout": 2})}
    well, message = press("clickhouse", **(form(clickhouse_server) | change))
    assert well is False
    assert message
    assert "s3cret" not in message


def test_clickhouse_embedded(press: Press, chdb_path: Path):
    """Turns green on the directory of the embedded engine."""
    well, message = press("clickhouse", schema="default", extra=json.dumps({"path": str(chdb_path)}))
    assert well is True, message


def form(server: ClickHouseServer) -> dict:
    """Fill in the form for a server."""
    fields = {"host": server.host, "port": server.port, "login": server.user, "password": server.password}
    return fields | {"schema": "default"}
