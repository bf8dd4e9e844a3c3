"""Roots on an object store."""

from collections.abc import Callable

import pytest
from airflow.sdk.io import store

from tests.servers.object_store import ObjectStore, bucket, object_store

__all__ = ["bucket", "object_store"]


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow keeps a client a connection as long as the process lives: each test is a process of its own."""
    monkeypatch.setattr(store, "_STORE_CACHE", {})


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Set a variable of Airflow."""
    return lambda name, value: monkeypatch.setenv(f"AIRFLOW_VAR_{name.upper()}", value)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, object_store: ObjectStore) -> Callable[..., None]:
    """Set a connection to the store, `aws_default` unless told; arguments as of airflow_connection()."""

    def set_connection(conn_id: str = "aws_default", *keys: tuple[str, str], **extra: object) -> None:
        value = object_store.airflow_connection(*keys, **extra)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)

    return set_connection
