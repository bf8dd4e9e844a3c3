"""A store behind a proxy: AWS's own client reads the variables that GitHub's way is made of, too."""

import asyncio
import os

import pytest

from stagehouse.hooks.storage_roots import staging_root
from tests.servers.http_proxy import HttpProxy
from tests.servers.object_store import ObjectStore

NAME = "127.0.0.2"  # where nobody listens


async def test_a_store_is_reached_through_the_proxy(
    object_store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
):
    """What is written there comes back, and the proxy has seen it."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    proxy = HttpProxy({NAME: object_store.port})
    await proxy.start()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    connection = object_store.airflow_connection(endpoint_url=f"http://{NAME}")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection)
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", f"s3://{bucket}/x")

    def write_and_read() -> bytes:
        path = staging_root() / "a.txt"
        path.write_bytes(b"through")
        return path.read_bytes()

    try:
        assert await asyncio.to_thread(write_and_read) == b"through"
    finally:
        await proxy.stop()
    assert any(f"http://{NAME}/" in line for line in proxy.asked)
