"""The page about capacity says what its model says."""

from pathlib import Path

import pytest

from include.http.pacing import GUARD
from tests.bench.capacity_model import PER_HOUR, RUN_HOURS, SIZES, Day, table


def test_the_page_has_the_tables_of_the_model(root: Path):
    """`python -m tests.bench.capacity_model` prints what belongs into docs/capacity.md."""
    assert table() in (root / "docs" / "capacity.md").read_text()


@pytest.mark.parametrize(("requests", "hours"), [(4_500, 0), (4_501, 1), (100_000, 22)])
def test_each_full_hour_of_a_token_is_waited_for(monkeypatch, requests, hours):
    """What is left after it goes at the pace; the last requests of the day wait for no hour."""
    monkeypatch.setattr(Day, "requests", requests)
    monkeypatch.setattr(Day, "searches", 0)
    left = (requests - hours * PER_HOUR) * GUARD / 10
    assert Day(100).seconds().fetch == pytest.approx(hours * 3_600 + left)


def test_a_second_token_is_needed_where_the_hours_of_a_run_are_not_enough(monkeypatch):
    """And not before."""
    for requests, tokens in ((RUN_HOURS * PER_HOUR, 1), (RUN_HOURS * PER_HOUR + 1, 2)):
        monkeypatch.setattr(Day, "requests", requests)
        assert Day(100).tokens == tokens


def test_what_breaks_is_above_its_limit():
    """The worker that renders the day of 100,000; all smaller ones are within each limit."""
    assert [max(Day(size).used().values()) > 1 for size in SIZES] == [False, False, False, True]


def test_graphql_asks_for_many_together():
    """A twentieth of the requests at most, from the list on that is read in slices."""
    assert 20 * Day(10_000, "graphql").requests <= Day(10_000).requests
