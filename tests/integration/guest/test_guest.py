"""Stagehouse in an Airflow of others: both sides' DAGs run, nothing of theirs is replaced or hidden."""

import csv
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from include.into_airflow import files_to_copy
from include.phrase_views.sample import EXAMPLE_CAMPAIGN, sample_counters
from tests.integration.guest.airflow_of_others import THEIRS, AirflowOfOthers
from tests.integration.guest.conftest import run_commands
from tests.integration.plugin.api_server import ApiServer
from tests.servers.postgres import PostgresServer

DAY = date(2025, 1, 1)
NO_INCLUDE = "Next: add the folder that holds it to PYTHONPATH"


@pytest.fixture(scope="module")
def ran(root: Path, theirs: AirflowOfOthers) -> dict:
    """What their Airflow says of the DAGs of both sides."""
    with (theirs.inbox / "counters.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("campaign_id", "phrase", "views", "dt"))
        writer.writerows(row for row in sample_counters(DAY) if row[0] == EXAMPLE_CAMPAIGN)
    return theirs.run_dags(
        {
            "postgres_health": {},
            "phrases_views_import": {"path": "counters.csv"},
            "phrase_views_report": {"day": DAY.isoformat()},
            "their_report": {},
        }
    )


def test_dags_of_both_sides_are_parsed(root: Path, ran: dict):
    """Without an import error."""
    ours = {path.stem for path in root.glob("dags/*.py")}
    assert ran["errors"] == {}
    assert set(ran["dags"]) == ours | {"their_report"}


def test_dags_of_both_sides_end_green(ran: dict):
    """By Airflow's own runner: what is imported in a task is found there too."""
    states = {state for run in ran["runs"].values() for state in run.values()}
    assert states == {"success"}, ran["runs"]
    assert len(ran["runs"]["phrases_views_import"]) == 6
    assert ran["theirs"] == "Hello, world"


def test_nothing_of_theirs_is_replaced(theirs: AirflowOfOthers):
    """Each file is as they wrote it; the lines of .airflowignore come after theirs."""
    for name, text in THEIRS.items():
        there = (theirs.home / name).read_text()
        assert there == text or (name == "plugins/.airflowignore" and there.startswith(text + "\n"))
    assert "stagehouse/" in (theirs.home / "plugins/.airflowignore").read_text().splitlines()


@pytest.fixture(scope="module")
def api_server(
    theirs: AirflowOfOthers, ran: dict, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """The API server of their Airflow."""
    server = ApiServer(tmp_path_factory.mktemp("their-server"), **theirs.environment)
    server.start()
    yield server
    server.stop()


def test_connection_types_and_pages_are_there(api_server: ApiServer):
    """The form has our types; the pages show what the run published; plugins of both sides are loaded."""
    with api_server.client("admin") as admin:
        types = {each["connection_type"] for each in admin.get("/ui/connections/hook_meta").json()}
        assert {"github", "clickhouse", "postgres"} <= types
        plugins = admin.get("/api/v2/plugins").json()["plugins"]
        assert {"stagehouse_pages", "theirs"} <= {each["name"] for each in plugins}
        assert admin.get("/api/v2/plugins/importErrors").json()["import_errors"] == []
        assert admin.get("/stagehouse/db/version").json()["version"]
        html = admin.get("/stagehouse/phrase-views/", headers={"accept": "text/html"}).text
        assert f'src="{DAY}/{EXAMPLE_CAMPAIGN}.html"' in html
    assert httpx.get(f"{api_server.url}/stagehouse/phrase-views/").status_code in (401, 403)


@pytest.mark.parametrize("heading", ["Copy", "Copy by hand"])
def test_both_ways_of_copying_give_the_same(
    root: Path, postgres_server: PostgresServer, tmp_path: Path, heading: str
):
    """The command and `cp`, into an Airflow without any of these folders and into one that has them."""
    filled, empty = AirflowOfOthers(tmp_path / "filled", postgres_server).home, tmp_path / "empty"
    empty.mkdir()
    for home in (filled, empty):
        run_commands(root, heading, home)
        assert {(home / file).read_bytes() == (root / file).read_bytes() for file in files_to_copy(root)} == {
            True
        }
        assert "stagehouse/" in (home / "plugins/.airflowignore").read_text().splitlines()
    there = {str(path.relative_to(filled)) for path in filled.rglob("*") if path.is_file()}
    assert set(THEIRS) <= there


def test_without_include_on_the_path_the_error_says_what_to_set(theirs: AirflowOfOthers):
    """Not `No module named 'include'`, which tells nobody whose it is."""
    said = theirs.parse(PYTHONPATH="")["errors"]["postgres_health.py"]
    assert NO_INCLUDE in said


def test_without_include_on_the_path_their_api_server_starts(theirs: AirflowOfOthers):
    """Without our pages, and with the reason in its log."""
    code = "from airflow.plugins_manager import get_fastapi_plugins as get; print('no pages:', get())"
    said = theirs.python(code, PYTHONPATH="")
    assert NO_INCLUDE in said
    assert "no pages: ([], [])" in said


def test_an_include_of_theirs_that_hides_ours_is_named(theirs: AirflowOfOthers, tmp_path: Path):
    """A package of that name, earlier on the path."""
    (tmp_path / "include").mkdir()
    shutil.copy(theirs.home / "include/__init__.py", tmp_path / "include")
    said = theirs.parse(PYTHONPATH=f"{tmp_path}:{theirs.home}")["errors"]["postgres_health.py"]
    assert f"{tmp_path}/include" in said
    assert "Next: copy Stagehouse's include/ into that folder" in said
