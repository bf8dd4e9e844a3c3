"""Which rows a try sends: decided for blocks of rows as it is for each by itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api_calls import texts
from include.api_calls.earlier import Done, Earlier, left_out
from include.api_calls.marks import Taken
from include.api_calls.outcomes import Outcome, Outcomes
from include.api_calls.request import CallsRequest
from include.api_calls.settling import Run, keep_keys, rows_left, settle
from include.api_calls.staging import StagedFile, stage_file
from tests.clock import DAY, now
from tests.examples import examples

ROWS = 24
BAD = {3, 10, 11}  # rows that are no integers
RECIPE = 'method = "POST"\npath = "/x"\n[columns]\nn = { type = "integer" }\n[body]\nn = "{n}"\n'
KEY = '[idempotency]\nheader = "Key"\nhours = 1.0\n'
ROW = st.integers(1, ROWS)
NOBODY: Any = None  # of no earlier run anything is asked


class State(NamedTuple):
    """What is known before a try.

    Attributes: earlier, what another run knows of rows; salt, of its keys; marked_ago, hours.
    """

    known: dict[int, str]
    earlier: dict[int, Done]
    salt: str
    high: int
    unsent: set[int]
    marked_ago: float
    has_marks: bool
    request: dict[str, Any]


STATES = st.builds(
    State,
    known=st.dictionaries(ROW, st.sampled_from(["ok", "failed", "unknown"])),
    earlier=st.dictionaries(
        ROW,
        st.builds(
            Done,
            st.just(""),
            st.just("before"),
            st.sampled_from(["ok", "failed", "unknown"]),
            st.just(500),
            st.just("said"),
            st.booleans(),
        ),
    ),
    salt=st.sampled_from(["", "before"]),
    high=st.integers(0, ROWS + 9),
    unsent=st.sets(ROW),
    marked_ago=st.sampled_from([0.5, 2.0]),
    has_marks=st.booleans(),
    request=st.fixed_dictionaries(
        {
            "resend": st.sampled_from(["none", "failed"]),
            "retry_unknown": st.booleans(),
            "limit": st.integers(0, ROWS + 3),
        }
    ),
)


def staged(directory: Path, recipe: str, blank: str) -> StagedFile:
    """Stage a file of which some rows are rejected, with lines that are blank or none."""
    directory.mkdir()
    cells = ["x" if row in BAD else str(row) for row in range(1, ROWS + 1)]
    (directory / "file.csv").write_text("n\n" + "".join(f"{cell}\n{blank}" for cell in cells))
    (directory / "r.toml").write_text(recipe)
    return stage_file(
        directory,
        directory,
        CallsRequest(path="file.csv", recipe="r", max_rejected=len(BAD)),
        directory / "staging",
        dag_id="d",
        run_id="r",
        day=DAY,
        host="h",
        now=now,
        tell_rejected=lambda _: "",
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[StagedFile]:
    """Staged files, with an idempotency key and without, with a row on each line and not."""
    root = tmp_path_factory.mktemp("files")
    recipes = [(RECIPE, ""), (RECIPE + KEY, ""), (RECIPE, "\n")]
    return [staged(root / str(at), recipe, blank) for at, (recipe, blank) in enumerate(recipes)]


def expected_of(row: int, state: State, run: Run) -> str:
    """Return what becomes of a row: an outcome, "lost", "sent", or "" for one that is beyond the limit."""
    again = run.staged.recipe.idempotency and state.marked_ago < run.staged.recipe.idempotency.hours
    if row in state.known:
        return state.known[row]
    if row in BAD:
        return "rejected"
    if state.has_marks and row <= state.high and row not in state.unsent:
        if not again:
            return "lost"
    elif found := left_out(row, state.earlier.get(row), run.request):
        return found.outcome
    return "sent" if row <= run.limit else ""


def key_of(row: int, staged: StagedFile, salt: str = "") -> str:
    """Return the key of a row."""
    return staged.maker(salt).keys([row], [[str(row)]])[0]


def expected_key(row: int, state: State, run: Run) -> str:
    """Return the key by which a row is sent: where a run left it unknown, the one that the API may know."""
    done = state.earlier.get(row)
    again = run.staged.recipe.idempotency and run.request.retry_unknown and done and done.outcome == "unknown"
    return key_of(row, run.staged, state.salt if again else "")


def filled(earlier: Earlier, staged: StagedFile, state: State) -> Earlier:
    """Give it what another run knows of rows."""
    for row, done in state.earlier.items():
        if row not in BAD:
            page = (row, key_of(row, staged, state.salt), done.outcome, done.status, done.reason, 1)
            earlier.take([page], done.run_id, same_file=done.same_file)
    return earlier


@given(STATES, st.integers(0, 2), st.integers(1, 20))
@examples(300, shared_fixtures=True)
def test_rows_are_settled_in_blocks_as_one_by_one(
    files: list[StagedFile], tmp_path: Path, state: State, which: int, piece: int
):
    """Rejected, lost, left out, or to be sent: and those are given out, in order, with their calls."""
    file = files[which]
    outcomes = Outcomes(tmp_path, ROWS)
    outcomes.take([Outcome(row, outcome) for row, outcome in sorted(state.known.items())])
    marks: Any = object() if state.has_marks else None  # who has none is asked about nothing
    request = CallsRequest(path="file.csv", recipe="r", **state.request)
    run = Run(file, request, "", outcomes, marks, now)
    taken = Taken(state.high, sorted(state.unsent), 1, now() - timedelta(hours=state.marked_ago))
    expected = {row: expected_of(row, state, run) for row in range(1, ROWS + 1)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_PIECE_BYTES", piece)
        with Earlier(NOBODY, file, "r", nothing=True) as earlier:
            to_do, lost = settle(run, filled(earlier, file, state), taken)
            keep_keys(run, earlier)
        assert [outcome.row for outcome in lost] == [row for row, told in expected.items() if told == "lost"]
        outcomes.take(lost)
        left = list(rows_left(run))
    assert to_do == len(left)
    assert [todo.row for todo in left] == [row for row, told in expected.items() if told == "sent"]
    assert [todo.call.body for todo in left] == [f'{{"n":{todo.row}}}'.encode() for todo in left]
    assert [todo.key for todo in left] == [expected_key(todo.row, state, run) for todo in left]
    told = {row: "unknown" if said == "lost" else said for row, said in expected.items()}
    assert {row: outcomes.of(row) for row in told} == {
        row: "" if said == "sent" else said for row, said in told.items()
    }
