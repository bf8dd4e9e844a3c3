"""The forms that start a run by hand, in headless Chromium: days have Airflow's date picker."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
    """The picker is there, empty; a day that is left or made empty again is the run's own."""
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
    assert read_day(given[1], OTHER_DAY, OTHER_DAY, DAY) == day
    assert severe(signed_in) == [], server.log.read_text()[-5000:]


@pytest.mark.parametrize("later_ms", range(0, 30, 3))
def test_a_dag_is_unpaused_while_its_run_starts(server: ApiServer, later_ms: int):
    """Both are done, however close together: the form of a paused DAG sends the two at once."""
    url, run = "/api/v2/dags/api_calls", {"dag_run_id": f"manual__{later_ms}", "logical_date": None}
    conf = {"recipe": "posts", "path": "august/users.csv"}
    with server.client("op") as first, server.client("op") as second, ThreadPoolExecutor() as pool:
        first.patch(url, json={"is_paused": True}).raise_for_status()
        started = pool.submit(first.post, f"{url}/dagRuns", json=run | {"conf": conf})
        time.sleep(later_ms / 1000)
        unpaused = second.patch(url, json={"is_paused": False})
        assert (started.result().status_code, unpaused.status_code) == (200, 200)
        first.delete(f"{url}/dagRuns/{run['dag_run_id']}").raise_for_status()


def days_of_runs(client: httpx.Client, dag_id: str) -> dict[str, str | None]:
    """Return the param of each run that the form has sent."""
    runs = client.get(f"/api/v2/dags/{dag_id}/dagRuns").json()["dag_runs"]
    return {run["dag_run_id"]: run["conf"]["day"] for run in runs if "day" in run["conf"]}
