"""Params of the three DAGs: a request that can be kept, or BadParam."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.github.request import MAX_QUERY, MAX_TOP, MAX_VERIFY, read_options
from include.github.request import read_request as read_ranking
from include.inbox.params import MAX_PATH, MAX_REJECTED
from include.params import BadParam
from include.phrase_views.counters.request import read_request as read_import
from include.phrase_views.hours import hours
from include.phrase_views.request import MAX_CAMPAIGNS
from include.phrase_views.request import read_request as read_report
from tests.unit.hostile.values import OFTEN, any_text, anything, assert_names, assert_short, damaged, nested

RUN_DAY, TODAY = date(2026, 8, 20), date(2026, 8, 21)
RANKING = {"top": 100, "query": "stars:>1", "day": "2026-08-20"}
REPORT = {
    "campaign_ids": [1, 2],
    "day": "2026-08-20",
    "time_zone": "Europe/Berlin",
    "hour_rule": "closing",
    "falls": "reset",
}
OPTIONS = {"api": "rest", "verify": 5, "plan_only": True}
IMPORT = {"path": "august/20.csv", "format": "csv", "max_rejected": 5, "require_last_line_end": True}


@OFTEN
@given(damaged(RANKING))
@example(RANKING | {"top": 1001})
@example(RANKING | {"top": 100_000})
@example(RANKING | {"top": 100_001})
@example(RANKING | {"query": "q" * 256})
@example(RANKING | {"query": "q" * 257})
def test_params_of_a_ranking(params):
    """A day of the column, a number GitHub takes, a query that is printable; else the param is named."""
    try:
        request = read_ranking(params, run_day=RUN_DAY, today=TODAY)
    except BadParam as refusal:
        assert_names(refusal, *(ascii(name)[:80] for name in params), *RANKING)
        return
    assert date(1970, 1, 1) <= request.day <= TODAY
    assert type(request.top) is int
    assert 1 <= request.top <= MAX_TOP
    assert 1 <= len(request.query) <= MAX_QUERY
    assert request.query.encode()
    assert "\0" not in request.query


@OFTEN
@given(damaged(OPTIONS))
@example(OPTIONS | {"verify": 100})
@example(OPTIONS | {"verify": 101})
def test_options_of_a_ranking(params):
    """An API that is known, a bounded number, a yes or a no; else the param is named."""
    try:
        options = read_options(params)
    except BadParam as refusal:
        assert_names(refusal, *(ascii(name)[:80] for name in params), *OPTIONS)
        return
    assert options.api in ("auto", "rest", "graphql")
    assert type(options.verify) is int
    assert 0 <= options.verify <= MAX_VERIFY
    assert type(options.plan_only) is bool


@OFTEN
@given(damaged(REPORT, anything | st.lists(anything, max_size=3)))
@example(REPORT | {"campaign_ids": list(range(1, 1001))})
@example(REPORT | {"campaign_ids": list(range(1, 1002))})
@example(REPORT | {"campaign_ids": [2**31 - 1]})
def test_params_of_a_report(params):
    """Campaigns of the column, a day that its zone has, a rule that is known; else the param is named."""
    try:
        request = read_report(params, run_day=RUN_DAY, today=TODAY)
    except BadParam as refusal:
        assert_names(refusal, *(ascii(name)[:80] for name in params), *REPORT)
        return
    assert len(request.campaign_ids) <= MAX_CAMPAIGNS
    assert all(type(number) is int and 1 <= number < 2**31 for number in request.campaign_ids)
    assert hours(request.day, request.time_zone)
    assert request.hour_rule in ("sample", "closing")
    assert request.falls in ("correct", "reset")


@OFTEN
@given(damaged(IMPORT, anything | any_text))
@example(IMPORT | {"path": "a" * 1024})
@example(IMPORT | {"path": "a" * 1025})
@example(IMPORT | {"max_rejected": 100_000})
@example(IMPORT | {"max_rejected": 100_001})
def test_params_of_an_import(params):
    """A path on one line, a format that is known, a bounded number; else the param is named."""
    try:
        request = read_import(params)
    except BadParam as refusal:
        assert_names(refusal, *(ascii(name)[:80] for name in params), *IMPORT)
        return
    assert 0 < len(request.path) <= MAX_PATH
    assert request.path.encode()
    assert not {"\0", "\n"} & set(request.path)
    assert type(request.max_rejected) is int
    assert 0 <= request.max_rejected <= MAX_REJECTED
    assert type(request.require_last_line_end) is bool


def test_a_list_of_a_million_campaigns_is_refused_in_a_line():
    """The error shows its beginning."""
    try:
        read_report({"campaign_ids": list(range(10**6))}, run_day=RUN_DAY, today=TODAY)
    except BadParam as refusal:
        assert refusal.param == "campaign_ids"  # noqa: PT017
        assert_short(refusal)


@pytest.mark.parametrize("param", [*RANKING, *REPORT])
def test_a_list_too_deep_for_python_is_refused_in_a_line(param):
    """Its beginning is shown, nothing follows it to its end."""
    read = read_ranking if param in RANKING else read_report
    with pytest.raises(BadParam) as caught:
        read({param: nested(100_000)}, run_day=RUN_DAY, today=TODAY)
    assert_names(caught.value, repr(param))
