"""The DAGs that read a topic, through Airflow's own runner: real Kafka, PostgreSQL, chDB."""

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session

from include.clickhouse.embedded import EmbeddedClient
from tests.clock import run_by_clock
from tests.dags.dag_runs import parsed, red_at, states
from tests.integration.kafka.place import event
from tests.servers.kafka import PASSWORD, KafkaBroker, needs_kafka
from tests.servers.postgres import PostgresServer

TASKS = [
    "postgres_health", "tables", "plan", "stage", "load", "publish", "check", "commit_group", "again",
]  # fmt: skip
GREEN = dict.fromkeys(TASKS, "success")
VISIT = {
    "session_id": "s1",
    "user_id": "u1",
    "session_start": "2026-08-20T05:00:00Z",
    "session_end": "2026-08-20T05:10:00Z",
    "path": "/",
    "click_count": 3,
}


class Place:
    """What a run works with."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer) -> None:
        self.engine, self.staging, self._monkeypatch = directory / "chdb", directory / "staging", monkeypatch
        clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(self.engine)}}
        for name, value in {
            "CONN_POSTGRES_DEFAULT": postgres.airflow_connection(),
            "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
            "VAR_STAGING_ROOT": str(self.staging),
        }.items():
            monkeypatch.setenv(f"AIRFLOW_{name}", value)

    def connect(self, extra: Any) -> None:
        """Set the connection of Kafka."""
        value = json.dumps({"conn_type": "kafka", "extra": extra})
        self._monkeypatch.setenv("AIRFLOW_CONN_KAFKA_DEFAULT", value)

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Connections and a variable of the test's own, without one to Kafka."""
    return Place(tmp_path, monkeypatch, postgres_server)


@pytest.fixture
def run(root: Path, metadb: None):
    """Run a DAG without further tries."""
    return lambda dag_id="user_events", **params: run_by_clock(parsed(root, dag_id), **params)


def runs_again(run) -> list[dict]:
    """Return the params of the runs that followed by themselves."""
    with create_session() as session:
        found = (
            session.query(DagRun).filter(DagRun.dag_id == run.dag_id, DagRun.run_id.like("again__%")).all()
        )
        confs = [each.conf for each in found]
        for each in found:
            session.delete(each)
    return confs


def test_tasks_follow_each_other_as_documented(dagbag):
    """In the contract's order."""
    for dag_id in ("user_events", "user_sessions"):
        order = [task.task_id for task in dagbag.dags[dag_id].topological_sort()]
        assert order == TASKS


@needs_kafka
def test_messages_come_in_once(kafka: KafkaBroker, topic: str, place: Place, run):
    """Then nothing is new, and the rest of the run is skipped."""
    kafka.create(topic, 2)
    for partition in range(2):
        kafka.produce(topic, map(event, range(20)), partition)
    place.connect(kafka.options(**{"group.id": f"group-{topic}"}))
    first = run(topic=topic)
    assert states(first) == GREEN
    assert place.read("SELECT count(), uniqExact(`partition`, `offset`) FROM user_events") == [(40, 40)]
    assert kafka.committed(f"group-{topic}", topic, 1) == 20
    assert runs_again(first) == []
    second = run(topic=topic)
    assert states(second) == dict.fromkeys(TASKS[:3], "success") | dict.fromkeys(TASKS[3:], "skipped")


@needs_kafka
def test_partitions_are_staged_and_loaded_side_by_side(
    kafka: KafkaBroker, topic: str, place: Place, run, monkeypatch
):
    """Where they have enough messages for tasks of their own; dead letters are those of all."""
    monkeypatch.setattr("include.kafka.plan.LEAST_OFFSETS", 10)
    kafka.create(topic, 3)
    for partition in range(3):
        kafka.produce(topic, [*map(event, range(10)), b"no event"], partition)
    place.connect(kafka.options())
    red = run(topic=topic, max_rejected=2)
    assert states(red) == dict.fromkeys(TASKS[:3], "success") | {"stage": "failed,success"} | dict.fromkeys(
        TASKS[4:], "upstream_failed"
    )
    done = run(topic=topic)
    assert states(done) == GREEN
    instances = done.get_task_instances()
    assert [sum(each.task_id == name for each in instances) for name in ("stage", "load", "publish")] == [
        3,
        3,
        1,
    ]
    assert sorted(each.rendered_map_index for each in instances if each.task_id == "stage") == ["0", "1", "2"]
    assert place.read("SELECT count(), uniqExact(`partition`, `offset`) FROM user_events") == [(30, 30)]
    assert place.read("SELECT count(), sum(rejected) FROM kafka_offsets") == [(3, 3)]


@needs_kafka
def test_no_secret_is_shown(kafka: KafkaBroker, topic: str, place: Place, run, capfd):
    """Of a run by SCRAM that is green, and of one that is refused, which is red at once."""
    kafka.create(topic)
    kafka.produce(topic, [event()])
    pem = (kafka.directory / "key.pem").read_text()
    place.connect(kafka.secure_options() | {"ssl.key.pem": pem, "ssl.certificate.pem": kafka.ca.read_text()})
    assert states(run(topic=topic)) == GREEN
    place.connect(kafka.secure_options("wrong-pa55word-0123"))
    assert states(run(topic=topic)) == red_at("plan", TASKS)
    said = "".join(capfd.readouterr())
    assert "SASL authentication error" in said
    secret = pem.splitlines()[1]
    for text in (PASSWORD, "wrong-pa55word-0123", secret, json.dumps(PASSWORD)[1:-1]):
        assert text not in said
    files = [path for path in place.staging.rglob("*") if path.is_file()]
    assert files
    assert not any(text in path.read_text() for path in files for text in (PASSWORD, secret))


@needs_kafka
def test_the_page(kafka: KafkaBroker, topic: str, place: Place, run, tmp_path: Path, monkeypatch):
    """Rendered by the last task: what is in sight, what is left, what was no row."""
    monkeypatch.setenv("AIRFLOW_VAR_REPORTS_ROOT", str(tmp_path / "reports"))
    kafka.create(topic, 2)
    kafka.produce(topic, [*map(event, range(30)), b"<b>no event</b>"])
    place.connect(kafka.options())
    done = run(topic=topic, max_messages=31)
    assert states(done) == GREEN
    (day,) = (path for path in (tmp_path / "reports" / "user_events").iterdir() if path.name != "runs")
    facts = json.loads((day / "index.json").read_text())
    assert (facts["run_id"], "dead_letters" in facts["reports"]) == (done.run_id, True)
    lines = (day / "lag_by_partition.csv").read_text().splitlines()
    assert lines[1].startswith(f"{topic},0,0,0,31,30,1,0,0,0,")
    assert "&lt;b&gt;no event&lt;/b&gt;" in (day / "index.html").read_text()
    kafka.produce(topic, map(event, range(20)))
    cut = run(topic=topic, max_messages=5)
    assert states(cut) == GREEN
    assert len(runs_again(cut)) == 1
    assert (day / "lag_by_partition.csv").read_text().splitlines()[1].startswith(f"{topic},0,15,0,36,")


@needs_kafka
def test_the_asset_event_has_the_days(kafka: KafkaBroker, topic: str, place: Place, run):
    """Of the events that came in, so that a daily rollup knows which days to make anew."""
    kafka.create(topic)
    kafka.produce(topic, [event(), event(86_400)])
    place.connect(kafka.options())
    done = run(topic=topic)
    with create_session() as session:
        found = session.query(AssetEvent).filter(AssetEvent.source_run_id == done.run_id).all()
        extras = [each.extra for each in found if each.source_dag_id == "user_events"]
    assert extras == [{"days": ["2026-08-20", "2026-08-21"], "rows": 2}]


@needs_kafka
def test_a_backlog_is_followed_by_another_run(kafka: KafkaBroker, topic: str, place: Place, run):
    """With the same params, but for what was accepted once."""
    kafka.create(topic)
    kafka.produce(topic, map(event, range(30)))
    place.connect(kafka.options())
    done = run(topic=topic, max_messages=10, accept_recreated=True)
    assert states(done) == GREEN
    (conf,) = runs_again(done)
    assert (conf["topic"], conf["max_messages"]) == (topic, 10)
    assert not [name for name in conf if name.startswith("accept_")]


@needs_kafka
def test_sessions_come_into_their_own_table(kafka: KafkaBroker, place: Place, run, topic: str):
    """By the same tasks."""
    kafka.create(topic)
    kafka.produce(topic, [json.dumps(VISIT).encode()])
    place.connect(kafka.options())
    assert states(run("user_sessions", topic=topic)) == GREEN
    assert place.read("SELECT session_id, click_count FROM user_sessions") == [("s1", 3)]


@needs_kafka
def test_a_loss_is_red_at_once(kafka: KafkaBroker, topic: str, place: Place, run, capfd):
    """And accepted by its name."""
    kafka.create(topic)
    kafka.produce(topic, map(event, range(10)))
    place.connect(kafka.options())
    run(topic=topic)
    kafka.produce(topic, map(event, range(10)))
    kafka.delete_records(topic, 0, 15)
    assert states(run(topic=topic)) == red_at("plan", TASKS)
    assert f"accept_loss={topic}/0:10-15" in "".join(capfd.readouterr())
    assert states(run(topic=topic, accept_loss=f"{topic}/0:10-15")) == GREEN
    assert place.read("SELECT count(), sum(lost) FROM kafka_offsets") == [(2, 5)]


@needs_kafka
def test_a_group_with_an_active_member_is_a_warning(
    kafka: KafkaBroker, topic: str, place: Place, run, caplog
):
    """The run is green."""
    from confluent_kafka import Consumer

    kafka.create(topic)
    kafka.produce(topic, [event()])
    member = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"group-{topic}"})
    member.subscribe([topic])
    while not member.assignment():
        member.poll(0.1)
    place.connect(kafka.options(**{"group.id": f"group-{topic}"}))
    assert states(run(topic=topic)) == GREEN
    member.close()
    assert "offsets are not committed" in caplog.text


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"bootstrap.servers": "127.0.0.1:1", "group.id": None}, "extra.group.id: is null"),
        ({"bootstrap.servers": ["127.0.0.1:1"]}, "extra.bootstrap.servers: is a list"),
        ({"bootstrap.servers": "127.0.0.1:1", "debug": "all"}, "extra.debug: would write"),
        ({"bootstrap.servers": "127.0.0.1:1", "nonsense.x": "1"}, "extra.nonsense.x: is not known"),
        (
            {"bootstrap.servers": "127.0.0.1:1", "enable.auto.commit": True},
            "extra.enable.auto.commit: is set",
        ),
        ({}, "extra.bootstrap.servers: is missing"),
    ],
)
def test_a_bad_connection_is_named_before_the_first_connection(place: Place, run, capfd, extra, said: str):
    """By the first task; no broker is asked."""
    place.connect(extra)
    assert states(run()) == red_at("postgres_health", TASKS)
    assert f"connection 'kafka_default', {said}" in "".join(capfd.readouterr())
