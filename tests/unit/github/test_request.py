"""The parameters of a run: what is taken, and what is refused with which words."""

import pickle
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.github.request import MAX_TOP, RunOptions, TopRepositoriesRequest, read_options, read_request
from include.params import BadParam

RUN_DAY, TODAY = date(2026, 8, 20), date(2026, 8, 21)


def read(**params):
    """Read the params of a run for RUN_DAY, on TODAY."""
    return read_request(params, run_day=RUN_DAY, today=TODAY)


def test_the_contract_s_defaults():
    """Without params: 100 repositories, stars:>1, the run's own day."""
    assert read() == TopRepositoriesRequest(top=100, query="stars:>1", day=RUN_DAY)


def test_options_are_no_part_of_the_request():
    """A run that is cleared with other options keeps its saved ranking."""
    options = {"api": "rest", "verify": 100, "plan_only": True}
    assert read(**options) == read()
    assert read_options(options | {"top": 5}) == RunOptions(api="rest", verify=100, plan_only=True)
    assert read_options({}) == RunOptions(api="auto", verify=0, plan_only=False)


@pytest.mark.parametrize(
    ("api", "has_token", "chosen"),
    [
        ("auto", True, "graphql"),
        ("auto", False, "rest"),
        ("rest", True, "rest"),
        ("graphql", True, "graphql"),
    ],
)
def test_which_api_is_asked(api, has_token, chosen):
    """GraphQL where there is a token, unless told otherwise."""
    assert RunOptions(api=api).chosen_api(has_token=has_token) == chosen


def test_graphql_without_a_token_is_refused():
    """It answers nobody without one."""
    with pytest.raises(BadParam, match=r"'api'.*connection 'github_default' has no token in its password"):
        RunOptions(api="graphql").chosen_api(has_token=False)


def test_a_run_by_rest_verifies_nothing_and_says_so(caplog):
    """There is nothing to compare it with."""
    options = RunOptions(verify=5)
    assert (options.verified("graphql"), RunOptions().verified("rest"), caplog.text) == (5, 0, "")
    assert options.verified("rest") == 0
    assert "param verify is 5, and is not used" in caplog.text


@pytest.mark.parametrize(
    ("param", "value", "told"),
    [
        ("api", "REST", "one of auto, rest, graphql"),
        ("api", None, "None"),
        ("api", "x" * 5000, "(cut)"),
        ("verify", 101, "0 to 100"),
        ("verify", -1, "-1"),
        ("verify", True, "True"),
        ("verify", 1.0, "1.0"),
        ("plan_only", "true", "'true'"),
        ("plan_only", 1, "true or false"),
        ("plan_only", None, "None"),
        ("planonly", True, "plan_only"),
    ],
)
def test_refused_options_are_named(param, value, told):
    """In the same words as the others."""
    with pytest.raises(BadParam) as refusal:
        read_options({param: value})
    assert param in refusal.value.param
    assert told in str(refusal.value)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_day_is_the_run_s_day(empty):
    """The form of the UI sends an empty text, a trigger without the param sends null."""
    assert read(day=empty).day == RUN_DAY


@pytest.mark.parametrize("top", [1, 100_000])
@pytest.mark.parametrize("day", ["1970-01-01", "2026-08-21", "2024-02-29"])
def test_bounds_are_included(top, day):
    """1 and 100,000, the first day and today are taken."""
    assert (read(top=top, day=day).top, read(day=day).day) == (top, date.fromisoformat(day))


@pytest.mark.parametrize(
    ("param", "value", "told"),
    [
        ("top", 0, "0"),
        ("top", 100_001, "1 to 100000"),
        ("top", True, "True"),
        ("top", "100", "'100'"),
        ("top", 10.0, "10.0"),
        ("top", None, "None"),
        ("query", "", "''"),
        ("query", "   ", "'   '"),
        ("query", "x" * 257, "(cut)"),
        ("query", "stars:>1\n", "\\n"),
        ("query", "a\x00b", "\\x00"),
        ("query", "a\ud83db", "\\ud83d"),
        ("query", 5, "5"),
        ("day", "2026-08-22", "today is 2026-08-21"),
        ("day", "2026-02-30", "2026-02-30"),
        ("day", "2026-08-20\n", "\\n"),
        ("day", "20260820", "20260820"),
        ("day", "2026-W34-4", "W34"),
        ("day", "\uff12026-08-20", "\\uff12"),
        ("day", "1969-12-31", "1970-01-01"),
        ("day", "../../etc", "../../etc"),
        ("day", date(2026, 8, 20), "datetime.date"),
        ("day", 0, "0"),
        ("days", 3, "top, query, day"),
        ("x" * 5000, 3, "not known"),
    ],
)
def test_refusals_name_param_value_and_what_is_allowed(param, value, told):
    """BadParam shows the param, its value on one line and cut, and what is allowed."""
    with pytest.raises(BadParam) as refusal:
        read(**{param: value})
    text = str(refusal.value)
    assert param[:70] in text
    assert told in text
    assert text.isprintable()
    assert len(text) < 400
    assert str(pickle.loads(pickle.dumps(refusal.value))) == text  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("stars:>1 stars:<9", "with one qualifier stars: at most, and without AND, OR, NOT and brackets"),
        ("stars:*..9 x OR y", "with one qualifier stars: at most, and without AND, OR, NOT and brackets"),
        ("-stars:>1", "whose stars: is a number or a range of numbers, not negated"),
        ("x" * 177 + " stars:>1", "of at most 176 characters beside stars:"),
    ],
)
def test_a_query_that_no_slices_can_be_made_of(query, told):
    """Is refused for more than search shows, before anything is asked; below, GitHub judges."""
    assert read(top=1000, query=query).query == query
    assert read(top=1001, query="x" * 176 + " stars:>1").top == 1001
    with pytest.raises(BadParam) as refusal:
        read(top=1001, query=query)
    assert f": allowed is a query {told}, where top is above 1000. Next: start a new run" in str(
        refusal.value
    )


@pytest.mark.parametrize(
    "query", ["stars:>1 sort:forks", "SORT:stars-asc", '"a" -sort:updated', "(sort:forks x)"]
)
def test_a_query_that_sorts_is_refused(query):
    """Whatever the top: the list is by stars. In quotes it is a word like any other."""
    assert read(query=f'"{query.replace(chr(34), "")}" resort:x').top == 100
    with pytest.raises(BadParam, match=r"'query'.*: allowed is a query without sort:, for the list is by"):
        read(query=query)


def test_a_run_day_in_the_future_is_refused_too():
    """A timetable that runs early must not ask for a day that has not begun."""
    with pytest.raises(BadParam, match="2026-08-22"):
        read_request({}, run_day=date(2026, 8, 22), today=TODAY)


@pytest.mark.parametrize(
    ("day", "current"), [("2026-08-21", True), ("2026-08-20", True), ("2026-08-19", False)]
)
def test_only_today_and_yesterday_are_current(day, current):
    """Stars of now may be stored for these two days only."""
    assert read(day=day).is_current(TODAY) is current


def test_a_request_is_frozen():
    """Nobody changes a request on its way."""
    with pytest.raises(ValidationError):
        read().top = 5


values = st.from_type(object) | st.text() | st.integers(-1, MAX_TOP + 1)


@given(st.dictionaries(st.sampled_from(["top", "query", "day", "x"]), values))
@example({"top": 1001})
@example({"top": 100_000})
@example({"top": 100_001})
def test_any_params_give_a_request_or_a_named_error(params):
    """No params whatever raise anything but BadParam."""
    try:
        request = read_request(params, run_day=RUN_DAY, today=TODAY)
    except BadParam as refusal:
        assert refusal.param in {ascii(name) for name in params} | set(params)  # noqa: PT017
    else:
        assert 1 <= request.top <= MAX_TOP
        assert request.day <= TODAY
