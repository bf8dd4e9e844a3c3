"""The part of `make run` that calls an API for each row of a sample file."""

import csv
import json
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from include.api_calls.recipe import ENDING, read_recipe
from include.api_calls.request import CallsRequest
from include.api_calls.staging import StagedFile, stage_file
from include.api_stand_in.app import create_app
from include.local_stack.api_calls import FAILING, FILE, RECIPE, SAMPLES, deliver_samples
from include.local_stack.state import StateDirectory
from tests.clock import DAY, now

ROOT = Path(__file__).resolve().parents[3]
RECIPES = sorted(path.stem for path in (ROOT / SAMPLES).glob(f"*{ENDING}"))


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """A state directory as the stack makes it."""
    made = StateDirectory(tmp_path)
    made.create()
    return made


def staged(state: StateDirectory, recipe: str) -> StagedFile:
    """Stage the sample."""
    return stage_file(
        state.inbox,
        state.recipes,
        CallsRequest(path=FILE, recipe=recipe),
        state.staging / recipe,
        dag_id="api_calls",
        run_id="run",
        day=DAY,
        host="here",
        now=now,
        tell_rejected=lambda _: "rejected",
    )


def test_samples_lie_where_the_params_of_the_run_say(state: StateDirectory):
    """One GET, one POST, and a file of 60 rows."""
    params = deliver_samples(state, ROOT)
    assert (params["path"], params["recipe"]) == (FILE, RECIPE)
    assert {read_recipe(state.recipes, name)[0].method for name in RECIPES} == {"GET", "POST"}
    with (state.inbox / FILE).open() as file:
        assert len(list(csv.DictReader(file))) == 60


def test_a_recipe_that_somebody_edited_stays(state: StateDirectory):
    """The sample file is put there anew."""
    deliver_samples(state, ROOT)
    edited = state.recipes / f"{RECIPE}{ENDING}"
    edited.write_text("mine")
    (state.inbox / FILE).write_text("")
    deliver_samples(state, ROOT)
    assert edited.read_text() == "mine"
    assert (state.inbox / FILE).stat().st_size > 0


@pytest.mark.parametrize("name", RECIPES)
async def test_as_many_rows_fail_as_the_run_allows(state: StateDirectory, name: str):
    """By the rules of the stand-in; every row fits both recipes, and what they keep is in the answers."""
    deliver_samples(state, ROOT)
    file = staged(state, name)
    assert (file.rows, file.rejected) == (60, 0)
    maker, failed = file.maker(), 0
    async with TestClient(TestServer(create_app(1000, lambda: 0.0))) as api:
        for row in file:
            ((call, _),) = maker.calls([row.row], [row.cells])
            headers = {"Content-Type": "application/json"}
            answer = await api.request(call.method, call.target, data=call.body, headers=headers)
            if not file.recipe.is_ok(answer.status):
                failed += 1
                continue
            kept = {
                key: found.search(json.loads(await answer.read())) for key, found in file.recipe.kept.items()
            }
            assert None not in kept.values()
    assert failed == FAILING
