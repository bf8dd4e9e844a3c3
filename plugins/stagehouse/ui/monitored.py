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
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from airflow.utils.session import create_session

from include.errors import facts_of
from include.monitoring.airflow_facts import AirflowFacts
from include.monitoring.facts import Ledger, Published
from include.monitoring.metrics import Facts
from include.monitoring.published import read_published
from include.monitoring.sources import BUDGET_S, Source
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
T = TypeVar("T")

SOURCES = AIRFLOW, CLICKHOUSE, STAGING, KAFKA, INBOX = "airflow", "clickhouse", "staging", "kafka", "inbox"
HOURS = "hours"  # of problems: the variable published_by_hour
NOT_DEFINED = "id"  # the field of a connection that there is none of
RESTARTS = "STAGEHOUSE_RESTARTS"  # names a file of the local stack: restarts by component
PATIENCE_S = 2.5  # with a server: within the budget


class Places(NamedTuple):
    """What connections and variables say.

    Attributes: clickhouse, None where it is the embedded engine; staging, None where it is an object store;
    kafka, None without the connection; inbox, None where it is not named; problems, in words, by source.
    """

    hours: Mapping[str, int]
    clickhouse: ClickHouse | BadConnection | None
    staging: Path | None
    kafka: Callable[..., KafkaSession] | None
    inbox: StagingPath | None
    problems: Mapping[str, str]

    @property
    def is_new(self) -> bool:
        """Whether nobody has named a ClickHouse yet."""
        return isinstance(self.clickhouse, BadConnection) and self.clickhouse.field == NOT_DEFINED


class FromAirflow(NamedTuple):
    """What one reading of Airflow's database gives. Attributes: events, where the engine is embedded."""

    facts: AirflowFacts
    events: Published | None


class Monitor:
    """All sources; one for the whole process. Attributes: places, None before they were read once."""

    def __init__(self) -> None:
        self.places: Places | None = None
        self._placed = threading.Event()
        self._sources = {name: Source[Any](name, _explained) for name in SOURCES}

    def read(self, *, inbox: bool = False) -> Facts:
        """Ask all sources at once; return what they give within the budget. Never raises for one of them.

        Args: inbox: asked too. A store lists it whole, which is too much for each scrape.
        """
        deadline = time.monotonic() + BUDGET_S
        waits = {AIRFLOW: self._sources[AIRFLOW].ask(self._read_airflow)}
        self._placed.wait(BUDGET_S)
        for name, read in self._readers().items():
            if inbox or name != INBOX:
                waits[name] = self._sources[name].ask(read)
        readings = {name: wait(deadline) for name, wait in waits.items()}
        found = {name: reading.facts for name, reading in readings.items()}
        of_airflow: FromAirflow | None = found[AIRFLOW]
        events = of_airflow.events if of_airflow else None
        return Facts(
            now(),
            self.places.hours if self.places else DEFAULT_HOURS,
            tuple(readings.values()),
            of_airflow.facts if of_airflow else None,
            found.get(CLICKHOUSE, events),
            found.get(STAGING),
            found.get(KAFKA),
            _restarts(),
            found.get(INBOX),
        )

    def last_published(self) -> Published | None:
        """Return what was known last of published tables, for when their source is away."""
        if self.places and self.places.clickhouse is None:
            of_airflow: FromAirflow | None = self._sources[AIRFLOW].last
            return of_airflow.events if of_airflow else None
        known: Published | None = self._sources[CLICKHOUSE].last
        return known

    def _read_airflow(self) -> FromAirflow:
        try:
            with create_session(scoped=False) as session:
                facts = read_airflow(session, now())
            self.places = places = read_places()
        except Exception:
            # Airflow says of what a database that is away holds that it is not defined.
            self.places = self.places or read_places()
            raise
        finally:
            self._placed.set()
        if places.clickhouse is not None:
            return FromAirflow(facts, None)
        with create_session(scoped=False) as session:
            return FromAirflow(facts, read_events(session, now()))

    def _readers(self) -> dict[str, Callable[[], object]]:
        """Return what reads each source whose place is known."""
        places, published = self.places, self.last_published()
        found = dict[str, Callable[[], object]]()
        if places is None:
            return found
        if places.clickhouse:
            found[CLICKHOUSE] = partial(_read_clickhouse, places.clickhouse)
        if places.staging:
            found[STAGING] = partial(read_staging, places.staging)
        # Known from the last reading of the ledger: this one may still be on its way.
        if places.kafka and published and published.ledgers:
            found[KAFKA] = partial(read_lags, places.kafka, published.ledgers)
        if places.inbox:
            found[INBOX] = partial(_count_names, places.inbox)
        return found


def _read_clickhouse(client: ClickHouse | BadConnection) -> Published:
    if isinstance(client, BadConnection):
        raise client
    with client:
        return read_published(client, now())


def read_lags(connect: Callable[..., KafkaSession], ledgers: Iterable[Ledger]) -> dict[tuple[str, str], int]:
    """Return by topic and DAG how many messages no run has published. Raises: BadConnection; TopicError."""
    from include.kafka.errors import NoSuchTopic

    lags = dict[tuple[str, str], int]()
    with connect(answer_wait_s=PATIENCE_S) as session:
        for dag_id, topic, offsets in ledgers:
            with suppress(NoSuchTopic):  # it was removed: the DAG that reads it is red
                marks = session.marks(session.topic(topic)).items()
                behind = (mark.stable - offsets.get(partition, mark.low) for partition, mark in marks)
                lags[topic, dag_id] = sum(max(0, each) for each in behind)
    return lags


def _count_names(inbox: StagingPath) -> int:
    return len(names_below(INBOX_ROOT, impatient(inbox)))


def read_places() -> Places:
    """Return what connections and variables say now; a mistake in one is told, and the others count."""
    problems = dict[str, str]()
    clickhouse: ClickHouse | BadConnection | None
    try:
        clickhouse = ClickHouseHook().get_impatient_client(PATIENCE_S)
    except BadConnection as error:
        clickhouse = error

    def told(source: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (BadVariable, BadConnection) as error:
            problems[source] = str(error)
            return None

    hours, root = told(HOURS, publication_hours), told(STAGING, staging_root)
    kafka, inbox = told(KAFKA, _kafka), told(INBOX, inbox_root)
    staging = root if isinstance(root, Path) else None
    return Places(DEFAULT_HOURS if hours is None else hours, clickhouse, staging, kafka, inbox, problems)


def _kafka() -> Callable[..., KafkaSession] | None:
    from stagehouse.hooks.kafka_hook import StagehouseKafkaHook

    try:
        return StagehouseKafkaHook().prepared()  # type: ignore[no-untyped-call]  # the provider's constructor
    except BadConnection as error:
        if error.field != NOT_DEFINED:
            raise
        return None  # nothing is read from Kafka


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
