"""Sources and components as the page *Data* shows them: what is wrong is said, to those whom it concerns."""

from datetime import UTC, datetime, timedelta

import pytest

from include.monitoring.airflow_facts import LastRun
from include.monitoring.facts import GitHubRun, Ledger, Published
from include.monitoring.health import health_rows
from include.monitoring.metrics import Facts, samples
from include.monitoring.sources import Reading
from tests.unit.monitoring.nothing import AIRFLOW

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVENTS, SESSIONS = "user_events", "user_sessions"
HEALTH, GITHUB = "postgres_health", "github_top_repositories"
NOTHING = Published()


def rows(facts: Facts, *may_read: str, published: Published = NOTHING) -> dict[str, tuple[str, str]]:
    """Return state and words by name."""
    found = health_rows(facts, published, may_read)
    return {name: (state, says.replace("\xa0", " ")) for name, state, says in found}


def of_airflow(**known: object) -> Facts:
    """Return facts of an Airflow of which this is known."""
    return Facts(NOW, {}, (), AIRFLOW._replace(**known))


@pytest.mark.parametrize(("silent_s", "state"), [(120, "up"), (121, "down")])
def test_a_scheduler_that_is_killed(silent_s: int, state: str):
    """Is not well from two minutes without a heartbeat on. The metric is that heartbeat's time."""
    beat = NOW - timedelta(seconds=silent_s)
    facts = of_airflow(heartbeats={"scheduler": beat, "dag_processor": NOW, "triggerer": beat})
    found = rows(facts)
    assert found["Scheduler"][0] == state
    assert found["Scheduler"][1].startswith("last heartbeat 2 min")
    assert (found["DAG processor"][0], found["Triggerer"][0]) == ("up", "none")
    assert ("airflow_heartbeat_timestamp_seconds", ("scheduler",), beat.timestamp()) in set(samples(facts))


def test_components_that_never_ran():
    """Are not well, and have a metric: nothing is alerted on where there is no series."""
    facts = of_airflow(import_errors=2)
    found = rows(facts)
    assert found["Scheduler"] == ("down", "has never run")
    assert found["DAG processor"] == ("down", "has never run; DAG files that cannot be imported: 2")
    metric = "airflow_heartbeat_timestamp_seconds"
    assert {(metric, (name,), 0) for name in ("scheduler", "dag_processor")} <= set(samples(facts))


def test_a_task_that_is_stuck_in_the_queue():
    """Is told with how long, and not well from a quarter of an hour on."""
    assert rows(of_airflow())["Tasks"] == ("up", "none is waiting")
    known = {"tasks": {"running": 1200, "queued": 2}, "oldest_queued": NOW - timedelta(minutes=20)}
    says = "2 queued, 1,200 running; one has been queued for 20 min"
    assert rows(of_airflow(**known))["Tasks"] == ("down", says)
    known["oldest_queued"] = NOW - timedelta(minutes=15)
    assert rows(of_airflow(**known))["Tasks"][0] == "up"


@pytest.mark.parametrize(
    ("state", "minutes", "paused", "shown"),
    [
        ("success", 9, False, "up"),
        ("failed", 9, False, "down"),
        ("success", 40, False, "down"),
        ("success", 40, True, "none"),
    ],
)
def test_postgres_is_as_its_last_run_says(state: str, minutes: int, paused: bool, shown: str):
    """One that ended long ago does not tell that Postgres is well now. Its readers alone see it."""
    run = LastRun(HEALTH, "r", state, NOW - timedelta(minutes=minutes), 3)
    facts = of_airflow(last_runs={HEALTH: run}, paused={HEALTH: paused})
    says = f"{HEALTH} ended {minutes} min ago: {state}"
    assert rows(facts, HEALTH)["Postgres"] == (shown, says)
    assert "Postgres" not in rows(facts)


def test_a_quota_that_is_short():
    """Is told with numbers, to those who may read the DAG."""
    run = GitHubRun(GITHUB, "r", NOW, NOW, 900, 1, 0, 0, 0, 0, 0, 0, 0, 12, 0)
    facts = of_airflow()
    state, says = rows(facts, GITHUB, published=Published(github=run))["GitHub"]
    assert (state, says) == (
        "down",
        "12 left of the quota when planned, 0 s ago; 900 requests planned, 1 sent",
    )
    assert "GitHub" not in rows(facts, EVENTS, published=Published(github=run))


def test_a_topic_whose_lag_grows():
    """Is not well from 10,000 messages on. Who may read one of two DAGs sees that one's topic."""
    reading = Reading("kafka", {}, 0.1)
    facts = Facts(NOW, {}, (reading,), lags={("events", EVENTS): 10_001, ("sessions", SESSIONS): 3})
    assert rows(facts, EVENTS)["Kafka"] == ("down", "events: 10,001 messages behind")
    assert rows(facts, SESSIONS)["Kafka"] == ("up", "sessions: 3 messages behind")
    assert "Kafka" not in rows(facts)


def test_an_error_of_kafka_names_no_topic_to_others():
    """Those who may read all DAGs that read topics are told what it says."""
    facts = Facts(NOW, {}, (Reading("kafka", None, 0.1, "describe topic events: no answer"),))
    published = Published(ledgers=(Ledger(EVENTS, "events", {}), Ledger(SESSIONS, "sessions", {})))
    says = "describe topic events: no answer"
    assert rows(facts, EVENTS, SESSIONS, published=published)["Kafka"] == ("down", says)
    assert rows(facts, SESSIONS, published=published)["Kafka"] == (
        "down",
        "the log of the API server has more",
    )
    assert "Kafka" not in rows(facts, published=published)
