"""What params of all DAGs have in common: days, unknown names, and how a bad value is shown."""

import pickle
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.params import BadParam, read_day, refuse_unknown_params
from include.text import SHOWN, safe_repr

RUN_DAY, FIRST, TODAY = date(2026, 8, 20), date(1972, 1, 1), date(2026, 8, 21)


def read(value: object) -> date:
    """Read param `day` of a run for RUN_DAY, on TODAY."""
    return read_day(value, RUN_DAY, FIRST, TODAY)


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_day_is_the_run_s_day(empty):
    """The form of the UI sends an empty text, a trigger without the param sends null."""
    assert read(empty) == RUN_DAY


@pytest.mark.parametrize("day", ["1972-01-01", "2024-02-29", "2026-08-21"])
def test_the_first_day_and_today_are_taken(day):
    """Bounds are included."""
    assert read(day) == date.fromisoformat(day)


@pytest.mark.parametrize(
    "value",
    [
        "1971-12-31",
        "2026-08-22",
        "2026-02-30",
        "2026-08-20\n",
        " 2026-08-20",
        "20260820",
        "2026-W34-4",
        "２026-08-20",  # noqa: RUF001 - a digit that is none of ours
        "today",
        "../../etc",
        " ",
        date(2026, 8, 20),
        20260820,
        0,
        False,
        [],
        b"2026-08-20",
    ],
)
def test_whatever_is_no_such_day_is_refused(value):
    """With the param, and what is allowed: also what Python's own parser would take."""
    with pytest.raises(BadParam, match="'day'") as refusal:
        read(value)
    assert "from 1972-01-01 to today (UTC)" in str(refusal.value)


def test_a_run_s_own_day_is_held_to_the_same_bounds():
    """A timetable that runs early must not ask for a day that has not begun; the error tells today."""
    with pytest.raises(BadParam, match=r"2026-08-22.*today is 2026-08-21"):
        read_day("", date(2026, 8, 22), FIRST, TODAY)


def test_an_unknown_param_is_refused_with_the_known_ones():
    """A typing error would go unseen."""
    refuse_unknown_params({"day": 1}, ("day", "top"))
    with pytest.raises(BadParam) as refusal:
        refuse_unknown_params({"Day": 1}, ("day", "top"))
    assert (
        str(refusal.value)
        == "param 'Day' is not known: allowed is one of day, top. Next: start a new run with what is allowed"
    )


def test_an_error_survives_the_way_between_processes():
    """Facts are kept."""
    refusal = BadParam("day", "5", "a date")
    copy = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - our own bytes
    assert (copy.param, copy.value, copy.allowed, str(copy)) == ("day", "5", "a date", str(refusal))


@given(st.text() | st.integers() | st.lists(st.text()) | st.from_type(object))
def test_a_value_is_shown_on_one_short_line(value):
    """Whatever it is, a log stays readable."""
    text = safe_repr(value)
    assert "\n" not in text
    assert len(text) <= SHOWN + len("... (cut)")


def test_a_number_that_python_does_not_write_out_is_shown_too():
    """More than 4,300 digits."""
    assert safe_repr([10**5000]) == "a list too long to show"
