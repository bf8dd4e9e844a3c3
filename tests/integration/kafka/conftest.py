"""A topic on the real broker, and both engines with the project's tables."""

from pathlib import Path

import pytest

from tests.integration.clickhouse.conftest import connect
from tests.integration.kafka.place import Place
from tests.servers.kafka import KafkaBroker

__all__ = ["connect"]


@pytest.fixture
def place(kafka: KafkaBroker, topic: str, connect, tmp_path: Path) -> Place:
    """A topic's name, not made yet, and where its messages go."""
    return Place(kafka.options(), topic, connect, tmp_path / "staging")


@pytest.fixture
def embedded(kafka: KafkaBroker, topic: str, tmp_path: Path) -> Place:
    """The same with the embedded engine alone: for what does not depend on it."""
    from include.clickhouse.embedded import EmbeddedClient

    def connect() -> EmbeddedClient:
        return EmbeddedClient("connection 'embedded'", tmp_path / "chdb", "stagehouse", wait_s=20)

    return Place(kafka.options(), topic, connect, tmp_path / "staging")
