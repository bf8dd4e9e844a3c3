"""The sources of the page *Data* and of the metrics: what each is asked, and who waits for it how long.

Connections and variables may be kept in Airflow's database. So they are read with it, and what reads another
source uses those known last: a database that hangs takes no other source down.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.utils.session import create_session

from include.errors import facts_of
from include.monitoring.airflow_facts import AirflowFacts
from include.monitoring.facts import Published, Staging
from include.monitoring.metrics import Facts
from include.monitoring.published import read_published
from include.monitoring.sources import BUDGET_S, Reading, Source
from include.monitoring.staging_space import read_staging
from include.published_days import DEFAULT_HOURS
from include.text import safe_repr
from stagehouse.clock import now
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.publication_hours import publication_hours
from stagehouse.hooks.storage_roots import (
    INBOX_ROOT,
    BadVariable,
    impatient,
    inbox_root,
    names_below,
    staging_root,
)
from stagehouse.ui.airflow_database import read_airflow, read_events

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.kafka.session import KafkaSession
    from include.staging.files import StagingPath

log = logging.getLogger(__name__)

RESTARTS = "STAGEHOUSE_RESTARTS"  # names a file of the local stack: restarts by component
PATIENCE_S = 2.5  # with a server: within the budget


class Places(NamedTuple):
    """What connections and variables say.

    Attributes: clickhouse, None where it is the embedded engine; staging, None where it is an object store;
    kafka, None without the connection; inbox, None where it is not named; problems, in words.
    """

    hours: Mapping[str, int]
    clickhouse: ClickHouse | BadConnection | None
    staging: Path | None
    kafka: Callable[..., KafkaSession] | None
    inbox: StagingPath | None
    problems: tuple[str, ...] = ()


class FromAirflow(NamedTuple):
    """What one reading of Airflow's database gives. Attributes: events, where the engine is embedded."""

    facts: AirflowFacts
    events: Published | None


class Monitor:
    """All sources; one for the whole process. Attributes: places, None before they were read once."""

    def __init__(self) -> None:
        self.places: Places | None = None
        self._placed = threading.Event()
        self.airflow = Source("airflow", self._read_airflow, _explained)
        self.clickhouse = Source("clickhouse", self._read_clickhouse, _explained)
        self.staging = Source("staging", self._read_staging, _explained)
        self.kafka = Source("kafka", self._read_kafka, _explained)
        self.inbox = Source("inbox", self._read_inbox, _explained)

    def read(self) -> Facts:
        """Ask all sources at once; return what they give within the budget. Never raises for one of them."""
        deadline = time.monotonic() + BUDGET_S
        airflow = self.airflow.ask()
        self._placed.wait(BUDGET_S)
        places = self.places
        clickhouse = self.clickhouse.ask() if not places or places.clickhouse else None
        staging = self.staging.ask() if places and places.staging else None
        # Known from the last reading of the ledger: this one may still be on its way.
        kafka = self.kafka.ask() if places and places.kafka and self._ledgers() else None
        inbox = self.inbox.ask() if places and places.inbox else None
        of_airflow = airflow(deadline)
        of_clickhouse = clickhouse(deadline) if clickhouse else None
        of_staging = staging(deadline) if staging else None
        of_kafka = kafka(deadline) if kafka else None
        of_inbox = inbox(deadline) if inbox else None
        found = of_airflow.facts
        published = of_clickhouse.facts if of_clickhouse else found.events if found else None
        asked: tuple[Reading[Any] | None, ...] = (of_airflow, of_clickhouse, of_staging, of_kafka, of_inbox)
        return Facts(
            now(),
            places.hours if places else DEFAULT_HOURS,
            tuple(each for each in asked if each),
            found.facts if found else None,
            published,
            of_staging.facts if of_staging else None,
            of_kafka.facts if of_kafka else None,
            _restarts(),
            of_inbox.facts if of_inbox else None,
        )

    def last_published(self) -> Published | None:
        """Return what was known last of published tables, for when their source is away."""
        if self.places and self.places.clickhouse is None:
            return self.airflow.last.events if self.airflow.last else None
        return self.clickhouse.last

    def _ledgers(self) -> tuple[Any, ...]:
        return self.clickhouse.last.ledgers if self.clickhouse.last else ()

    def _read_airflow(self) -> FromAirflow:
        self.places = places = read_places()
        self._placed.set()
        with create_session(scoped=False) as session:
            events = read_events(session, now()) if places.clickhouse is None else None
            return FromAirflow(read_airflow(session, now()), events)

    def _read_clickhouse(self) -> Published:
        client = self.places.clickhouse if self.places else None
        if isinstance(client, BadConnection):
            raise client
        if client is None:
            raise TimeoutError
        with client:
            return read_published(client, now())

    def _read_staging(self) -> Staging:
        root = self.places.staging if self.places else None
        if root is None:
            raise TimeoutError
        return read_staging(root)

    def _read_inbox(self) -> int:
        root = self.places.inbox if self.places else None
        if root is None:
            raise TimeoutError
        return len(names_below(INBOX_ROOT, impatient(root)))

    def _read_kafka(self) -> dict[tuple[str, str], int]:
        connect = self.places.kafka if self.places else None
        if connect is None:
            raise TimeoutError
        lags = dict[tuple[str, str], int]()
        with connect(answer_wait_s=PATIENCE_S) as session:
            for dag_id, topic, offsets in self._ledgers():
                marks = session.marks(session.topic(topic)).items()
                behind = (mark.stable - offsets.get(partition, mark.low) for partition, mark in marks)
                lags[topic, dag_id] = sum(max(0, each) for each in behind)
        return lags


def read_places() -> Places:
    """Return what connections and variables say now; a mistake in one is told, and the others count."""
    problems = list[str]()
    hours: Mapping[str, int] = DEFAULT_HOURS
    clickhouse: ClickHouse | BadConnection | None
    root = kafka = inbox = None
    try:
        hours = publication_hours()
    except BadVariable as error:
        problems.append(str(error))
    try:
        clickhouse = ClickHouseHook().get_impatient_client(PATIENCE_S)
    except BadConnection as error:
        clickhouse = error
    try:
        root = staging_root()
    except (BadVariable, BadConnection) as error:
        problems.append(str(error))
    try:
        kafka = _kafka()
    except BadConnection as error:
        if error.field != "id":  # there is none: nothing is read from Kafka
            problems.append(str(error))
    try:
        inbox = inbox_root()
    except (BadVariable, BadConnection) as error:
        problems.append(str(error))
    staging = root if isinstance(root, Path) else None
    return Places(hours, clickhouse, staging, kafka, inbox, tuple(problems))


def _kafka() -> Callable[..., KafkaSession]:
    from stagehouse.hooks.kafka_hook import StagehouseKafkaHook

    return StagehouseKafkaHook().prepared()  # type: ignore[no-untyped-call]  # the provider's constructor


def _restarts() -> dict[str, int]:
    """Return restarts by component of the local stack; nothing where there is none."""
    path = os.environ.get(RESTARTS, "")
    if not path:
        return {}
    try:
        found = json.loads(Path(path).read_text())
        return {str(name): int(count) for name, count in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning("%s: %s", path, safe_repr(error))
        return {}


def _explained(error: Exception) -> str:
    """Return what our errors say; of others, whose texts may hold anything, the kind and where to look."""
    if type(error).__module__.startswith(("include.", "stagehouse.")):
        return facts_of(error)
    log.error("a source cannot be read", exc_info=error)
    return f"{type(error).__name__}: the log of the API server has more"
