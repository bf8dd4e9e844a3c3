"""What a plan says: requests, points, seconds, what the quota has, and when it would end."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.github.plan import (
    RUN_TIME,
    Cost,
    PlanNeverFits,
    Window,
    Work,
    end_of,
    graphql_cost,
    make_plan,
    rest_cost,
)
from include.github.request import MAX_TOP

NOW = datetime(2026, 8, 21, 0, 30, tzinfo=UTC)
WORK = Work(ranked=100, finished=0, left=58, spent=1, extra_pages=2.3)


def after(**delta: float) -> datetime:
    """A time after NOW."""
    return NOW + timedelta(**delta)


def window(now: int, full: int = 4500, minutes: float = 20) -> Window:
    """What a token has until its reset in so many minutes."""
    return Window(now, full, after(minutes=minutes))


def plan(*windows: Window, work: Work = WORK, interval_s: float = 0.1):
    """A plan by REST."""
    return make_plan("rest", work, rest_cost(work), windows, interval_s, NOW)


def test_rest_asks_once_for_each_repository_and_each_further_page():
    """A part of a page is a page; nothing left is nothing."""
    assert rest_cost(WORK) == Cost(requests=61, points=0, by_rest=61)
    assert rest_cost(WORK._replace(left=0, extra_pages=0)) == Cost(0, 0, 0)


def test_graphql_asks_by_batches_and_by_rest_for_what_is_verified():
    """One point a query, lists go on together; no more is verified than is asked."""
    assert graphql_cost(WORK, batch=10, verified=0) == Cost(requests=6 + 3, points=6 + 3, by_rest=0)
    assert graphql_cost(WORK, batch=50, verified=5) == Cost(requests=2 + 2 + 5, points=2 + 2, by_rest=5)
    assert graphql_cost(WORK._replace(left=3, extra_pages=0), batch=25, verified=100) == Cost(1 + 3, 1, 3)


def test_a_plan_that_fits_is_one_line():
    """With the requests of the whole run apart from those of the rest, and seconds at the allowed rate."""
    planned = plan(window(4441))
    assert str(planned) == (
        "58 of 100 repositories are to be asked by rest: 61 requests, 7 s at 10.0/s; quota left 4,441: fits"
    )
    assert (planned.requests, planned.seconds, planned.quota_left) == (62, 7, 4441)
    assert planned.ends_at == after(seconds=6.1)
    planned.require_time()


def test_a_server_that_counts_nothing_has_enough():
    """As a GitHub Enterprise with limits switched off."""
    planned = plan()
    assert (planned.fits, planned.quota_left) == (True, None)
    assert "the server tells no quota: fits" in str(planned)


def test_points_are_what_the_quota_of_graphql_is_compared_with():
    """Not requests."""
    planned = make_plan("graphql", WORK, Cost(requests=500, points=10, by_rest=0), [window(10)], 0.1, NOW)
    assert planned.fits
    assert "500 requests, 10 points" in str(planned)
    assert not make_plan("graphql", WORK, Cost(requests=5, points=11, by_rest=0), [window(10)], 0.1, NOW).fits


def test_what_is_verified_is_compared_with_the_quota_of_rest():
    """A sample that REST cannot read now does not fit, whatever GraphQL has left."""
    cost = graphql_cost(WORK, batch=50, verified=58)
    short, enough = (
        make_plan("graphql", WORK, cost, [window(4500)], 0.1, NOW, rest_left=left) for left in (57, 58)
    )
    assert (short.fits, enough.fits) == (False, True)
    assert "quota left 4,500, and 57 requests for the 58 by rest: does not fit" in str(short)


def test_a_plan_that_has_to_wait_says_until_when():
    """It is no error: the fetch gives its slot back until the reset."""
    planned = plan(window(50))
    assert not planned.fits
    assert str(planned).endswith(
        "quota left 50: does not fit: with waits for resets it ends about 2026-08-21 00:50 UTC"
    )
    planned.require_time()


@pytest.mark.parametrize(
    ("left", "windows", "ends"),
    [
        (0, [window(0)], after()),
        (50, [window(50)], after(seconds=5)),
        (51, [window(50)], after(minutes=20, seconds=0.1)),
        (60, [window(50, full=5)], after(minutes=80, seconds=0.5)),
        (60, [window(50), window(10)], after(seconds=6)),
        (70, [window(50, minutes=20), window(10, minutes=5)], after(minutes=5, seconds=1)),
        (70, [window(50, full=0), window(10, full=5, minutes=5)], after(minutes=65, seconds=0.5)),
        (60, [window(50, full=0)], None),
        (50, [window(50, full=0)], after(seconds=5)),
        (50, [window(0, minutes=-3)], after(seconds=5)),
    ],
)
def test_when_it_ends(left, windows, ends):
    """Each token's window is renewed at its own reset, and each hour after that."""
    assert end_of(left, 10.0, windows, NOW) == ends


few_or_all = st.integers(1, 60) | st.integers(1, 15_000)  # the most that GitHub gives a token in an hour


@given(
    st.integers(0, MAX_TOP),
    st.lists(st.builds(window, st.just(0) | few_or_all, few_or_all, st.floats(0, 60)), max_size=3),
)
def test_more_to_do_ends_no_sooner(units, windows):
    """And never sooner than the rate allows, or more than all windows that were renewed until then have."""
    ends = end_of(units, 10.0, windows, NOW)
    assert ends >= NOW + timedelta(seconds=units / 10)
    assert end_of(units + 1, 10.0, windows, NOW) >= ends
    if windows:
        hours = (ends - NOW) / timedelta(hours=1) + 1.01
        assert units <= sum(w.now + w.full * hours for w in windows) + 1


@pytest.mark.parametrize(
    ("planned", "next_step"),
    [
        (
            plan(window(54, full=54), work=WORK._replace(left=2000)),
            "put a token, or one more, into the password",
        ),
        (plan(window(0, full=0)), "never ends. A run has 22 h for it"),
        (plan(interval_s=2000), "raise requests_per_second of the GitHub connection"),
        (plan(interval_s=2000), "set the param api to graphql (with a token), or lower the param top"),
    ],
)
def test_a_plan_that_no_run_has_time_for_is_an_error_that_says_what_to_change(planned, next_step):
    """It survives the way between processes."""
    with pytest.raises(PlanNeverFits) as refused:
        planned.require_time()
    text = str(refused.value)
    assert next_step in text
    assert "so nothing is asked" in text
    assert str(pickle.loads(pickle.dumps(refused.value))) == text  # noqa: S301 - our own bytes


def test_a_run_s_time_is_enough_to_its_last_second():
    """22 hours are allowed, more are not."""
    for too_long, seconds in ((False, 0), (True, 1)):
        planned = plan(window(0, minutes=RUN_TIME / timedelta(minutes=1) + (seconds - 6.1) / 60))
        if too_long:
            with pytest.raises(PlanNeverFits):
                planned.require_time()
        else:
            planned.require_time()
