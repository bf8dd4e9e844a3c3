"""The forms that start a run by hand, in headless Chromium: days have Airflow's date picker."""

from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from include.params import read_day
from tests.clock import DAY
from tests.integration.plugin.api_server import ApiServer
from tests.servers.chromium import WAITS_S, chromium, see, severe, sign_in

DAGS = ("github_top_repositories", "phrase_views_report")
OTHER_DAY = DAY.replace(day=1)
TYPED = DAY.strftime("%m%d%Y")  # as people do in the browser's own language
# What a person does with the field, and the day of the run that starts then.
ENTERED = {
    "nothing": ([], OTHER_DAY),
    "a day": ([TYPED], DAY),
    "none again": ([TYPED, Keys.DELETE], OTHER_DAY),
}


@pytest.fixture(scope="module")
def signed_in(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser in which somebody has signed in who may start runs of the DAGs."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        sign_in(browser, server.url, "op", "op")
        browser.get_log("browser")
        yield browser


@pytest.mark.parametrize("entered", ENTERED)
@pytest.mark.parametrize("dag_id", DAGS)
def test_a_day_is_picked(signed_in: Chrome, server: ApiServer, dag_id: str, entered: str):
    """The picker is there, empty; a day that is left or made empty again is the run's own.

    The DAG is paused: the form unpauses it and starts the run at once.
    """
    with server.client("op") as client:
        client.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": True}).raise_for_status()
    signed_in.get(f"{server.url}/dags/{dag_id}")
    see(signed_in, "[data-testid=trigger-dag-button]").click()
    field = see(signed_in, "#element_day")
    assert (field.get_attribute("type"), field.get_attribute("value")) == ("date", "")
    keys, day = ENTERED[entered]
    for each in keys:
        field.send_keys(each)
    with server.client("op") as client:
        before = days_of_runs(client, dag_id)
        see(signed_in, "[data-testid=trigger-dag-submit]").click()
        WebDriverWait(client, WAITS_S).until(lambda client: days_of_runs(client, dag_id) != before, "no run")
        (given,) = days_of_runs(client, dag_id).items() - before.items()
        WebDriverWait(client, WAITS_S).until(lambda client: not is_paused(client, dag_id), "still paused")
    assert read_day(given[1], OTHER_DAY, OTHER_DAY, DAY) == day
    assert severe(signed_in) == [], server.log.read_text()[-5000:]


def is_paused(client: httpx.Client, dag_id: str) -> bool:
    """Return what the scheduler would be told."""
    return client.get(f"/api/v2/dags/{dag_id}").json()["is_paused"]


def days_of_runs(client: httpx.Client, dag_id: str) -> dict[str, str | None]:
    """Return the param of each run that the form has sent."""
    runs = client.get(f"/api/v2/dags/{dag_id}/dagRuns").json()["dag_runs"]
    return {run["dag_run_id"]: run["conf"]["day"] for run in runs if "day" in run["conf"]}
