"""The environment that the components get."""

import json
import tempfile
from pathlib import Path

import pytest

from include.local_stack.airflow_environment import airflow_environment
from include.local_stack.settings import Settings, read_settings
from include.local_stack.state import StateDirectory


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Everything about GitHub given."""
    given = {"GITHUB_API": "http://127.0.0.1:7", "GITHUB_TOKEN": "t0ken", "RPS": "2.5", "CONCURRENCY": "3"}
    return read_settings(given | {"PATH": "/bin"}, tmp_path, state=tmp_path / "state", dags=tmp_path / "d")


@pytest.fixture
def environment(settings) -> dict[str, str]:
    """Build the variables over a fresh state directory."""
    state = StateDirectory(settings.state)
    state.create()
    return airflow_environment(
        settings,
        state,
        state.secrets(),
        port=8081,
        postgres_host="/sockets",
        github_url="http://127.0.0.1:7",
        api_url="http://127.0.0.1:6",
        kafka="127.0.0.1:7",
        scheduled=False,
    )


def test_holds_the_contract_of_all_ways_to_start(environment, tmp_path):
    """Folders, import path and variables are those that hooks and DAGs rely on."""
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(tmp_path / "d")
    assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == str(tmp_path / "plugins")
    assert environment["PYTHONPATH"] == f"{tmp_path}:{tmp_path / 'plugins'}"
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert environment["AIRFLOW_VAR_STAGING_ROOT"] == str(tmp_path / "state" / "staging")
    assert environment["AIRFLOW_VAR_REPORTS_ROOT"] == str(tmp_path / "state" / "reports")
    assert environment["AIRFLOW_VAR_INBOX_ROOT"] == str(tmp_path / "state" / "inbox")
    assert environment["AIRFLOW_VAR_RECIPES_ROOT"] == str(tmp_path / "state" / "recipes")
    assert (tmp_path / "state" / "inbox").is_dir()
    assert (tmp_path / "state" / "recipes").is_dir()


def test_connections_carry_address_token_and_pace(environment, tmp_path):
    """Each connection is whole: nothing is left for a hook to guess."""
    assert json.loads(environment["AIRFLOW_CONN_GITHUB_DEFAULT"]) == {
        "conn_type": "github",
        "host": "http://127.0.0.1:7",
        "password": "t0ken",
        "extra": {"requests_per_second": 2.5, "max_concurrent_requests": 3},
    }
    assert json.loads(environment["AIRFLOW_CONN_HTTP_API_DEFAULT"]) == {
        "conn_type": "http_api",
        "host": "http://127.0.0.1:6",
        "extra": {"requests_per_second": 7, "test_path": "/users/1/todos"},
    }
    assert json.loads(environment["AIRFLOW_CONN_CLICKHOUSE_DEFAULT"]) == {
        "conn_type": "clickhouse",
        "schema": "stagehouse",
        "extra": {"path": str(tmp_path / "state" / "clickhouse")},
    }
    assert json.loads(environment["AIRFLOW_CONN_SHOP_DEFAULT"]) == {
        "conn_type": "postgres",
        "host": "/sockets",
        "login": "shop_reader",
        "schema": "shop",
    }
    assert json.loads(environment["AIRFLOW_CONN_POSTGRES_DEFAULT"]) == {
        "conn_type": "postgres",
        "host": "/sockets",
        "login": "postgres",
        "schema": "stagehouse",
    }


def test_secrets_are_private_long_enough_and_kept(environment, tmp_path):
    """A second start signs with the same keys; only the owner reads them; HS512 gets its 64 characters."""
    state = StateDirectory(tmp_path / "state")
    assert state.secrets().jwt_secret == environment["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert len(environment["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    for path in (state.path / "secrets.json", state.passwords, state.metrics_token):
        assert path.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o777 == 0o700


def test_a_token_for_metrics_is_made_where_an_older_start_had_none(environment, settings):
    """And kept from then on; the other secrets stay."""
    state = StateDirectory(settings.state)
    file = state.path / "secrets.json"
    before = json.loads(file.read_text())
    del before["metrics_token"]
    file.write_text(json.dumps(before))
    kept = state.secrets()
    assert kept == state.secrets()
    assert kept.model_dump(exclude={"metrics_token"}) == before
    assert len(state.metrics_token.read_text()) >= 32
    assert environment["STAGEHOUSE_RESTARTS"] == str(state.restarts)


def test_a_long_path_moves_the_socket_to_a_private_short_one(tmp_path):
    """Where the socket's path would not fit sun_path, a directory of the temporary one takes it."""
    state = StateDirectory(tmp_path / ("deep" * 30) / "state")
    state.create()
    directory = state.socket_directory()
    try:
        assert directory.parent == Path(tempfile.gettempdir())
        assert directory.stat().st_mode & 0o777 == 0o700
        assert state.socket_directory() == directory
    finally:
        directory.rmdir()
