"""What a report may be asked for, and what is refused with which words."""

import pickle
from datetime import date
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.params import BadParam
from include.phrase_views.request import MAX_CAMPAIGNS, PhraseViewsRequest, read_request

RUN_DAY, TODAY = date(2026, 8, 20), date(2026, 8, 21)
PARAMS = ("campaign_ids", "time_zone", "hour_rule", "falls", "day")


def read(**params: object) -> PhraseViewsRequest:
    """Read the params of a run for RUN_DAY, on TODAY."""
    return read_request(params, run_day=RUN_DAY, today=TODAY)


@pytest.mark.parametrize("params", [{}, {"campaign_ids": [], "day": ""}, {"campaign_ids": None, "day": None}])
def test_the_contract_s_defaults(params):
    """Left out or empty: all campaigns, the run's own day, UTC, hours of the sample, dips are corrections."""
    expected = PhraseViewsRequest(
        campaign_ids=(), day=RUN_DAY, time_zone="UTC", hour_rule="sample", falls="correct"
    )
    assert read(**params) == expected


def test_bounds_are_included():
    """The smallest and the largest number, as many as are allowed, in ascending order."""
    assert read(campaign_ids=[2**31 - 1, 1]).campaign_ids == (1, 2**31 - 1)
    assert len(read(campaign_ids=list(range(1, MAX_CAMPAIGNS + 1))).campaign_ids) == MAX_CAMPAIGNS
    assert read(day="1972-01-01").day == date(1972, 1, 1)
    assert read(day="2026-08-21").day == TODAY


@pytest.mark.parametrize(
    ("param", "value", "told"),
    [
        *(
            ("campaign_ids", value, "from 1 to 2147483647, each once")
            for value in (
                [True],
                [1, 1],
                [0],
                [-1],
                [2**31],
                [2**64],
                ["1"],
                [1.0],
                [None],
                [[1]],
                list(range(1, MAX_CAMPAIGNS + 2)),
                "1",
                "",
                5,
                True,
                {1},
                {"1": 1},
            )
        ),
        *(
            ("time_zone", value, "such as UTC or Europe/Berlin")
            for value in (
                "",
                " ",
                "UTC ",
                "utc",
                "Europe/Nowhere",
                "europe/berlin",
                "Europe",
                "../../etc/passwd",
                "/etc/passwd",
                "/etc/localtime",
                "Europe/../UTC",
                "posix/Europe/Berlin",
                "right/Europe/Berlin",
                "posixrules",
                "localtime",
                "Factory",
                "zone.tab",
                "UTC\n",
                "UTC\0",
                "a\ud83db",
                "+02:00",
                "UTC' OR 1",
                "x" * 5000,
                None,
                5,
                b"UTC",
                ["UTC"],
            )
        ),
        *(
            ("hour_rule", value, "closing (a sample stamped HH:00:00")
            for value in ("", "Sample", "sample ", "open", None, True, 0, ["sample"])
        ),
        *(
            ("falls", value, "reset (each counter that falls was reset)")
            for value in ("", "Reset", "corrected", "ignore", None, True, 2, ["reset"])
        ),
        ("day", "2026-08-22", "today is 2026-08-21"),
        ("day", "1971-12-31", "from 1972-01-01"),
        ("day", "2026-02-30", "YYYY-MM-DD"),
        ("day", "../..", "YYYY-MM-DD"),
        ("days", "2026-08-20", "campaign_ids, time_zone, hour_rule, falls, day"),
        ("campaign_id", [1], "not known"),
        ("x" * 5000, 3, "not known"),
    ],
    ids=lambda value: repr(value)[:30],
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
    ("time_zone", "day"), [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21")]
)
def test_a_day_that_a_zone_skipped_is_refused(time_zone, day):
    """There is nothing to report of it; elsewhere, and the days around it, it is a day."""
    with pytest.raises(BadParam, match=f"a day that {time_zone} has: clocks there skipped it"):
        read(day=day, time_zone=time_zone)
    assert read(day=day).day == date.fromisoformat(day)
    before = f"{day[:-2]}{int(day[-2:]) - 1}"
    assert read(day=before, time_zone=time_zone).time_zone == time_zone


def test_zones_of_the_database_are_taken():
    """On the first day too; `localtime` and `Factory` are no zones but a machine's setting."""
    zones = sorted(available_timezones() - {"localtime", "Factory"})
    assert len(zones) > 400
    for zone in zones[::40]:
        assert read(time_zone=zone, day="1972-01-01").time_zone == read(time_zone=zone).time_zone == zone


def test_a_request_is_frozen_and_tells_itself_in_a_line():
    """Nobody changes a request on its way, and a log names what was asked for."""
    request = read(campaign_ids=[7], time_zone="Asia/Kolkata", hour_rule="closing")
    with pytest.raises(ValidationError):
        request.day = TODAY
    assert all(word in str(request) for word in ("7", "2026-08-20", "Asia/Kolkata", "closing"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers()),
)
plausible = (
    st.lists(st.integers(-1, 5) | st.sampled_from([2**31 - 1, 2**31, True]))
    | st.sampled_from(["UTC", "Asia/Kolkata", "localtime", "../UTC", "sample", "closing", "reset"])
    | st.dates().map(str)
)


@given(st.dictionaries(st.sampled_from([*PARAMS, "x"]), anything | plausible | st.from_type(object)))
@example({"campaign_ids": [10**5000]})
@example({"time_zone": 10**5000})
def test_any_params_give_a_request_or_a_named_error(params):
    """No params whatever raise anything but BadParam."""
    try:
        request = read_request(params, run_day=RUN_DAY, today=TODAY)
    except BadParam as refusal:
        assert refusal.param in {ascii(name) for name in params} | set(params)  # noqa: PT017
    else:
        assert all(type(number) is int and 0 < number < 2**31 for number in request.campaign_ids)
        assert sorted(set(request.campaign_ids)) == list(request.campaign_ids)
        assert date(1972, 1, 1) <= request.day <= TODAY
        assert request.time_zone in available_timezones() - {"localtime", "Factory"}
        assert request.hour_rule in ("sample", "closing")
        assert request.falls in ("correct", "reset")
