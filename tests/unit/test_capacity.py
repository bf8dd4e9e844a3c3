"""The page about capacity says what its model says."""

from pathlib import Path

import pytest

from include.github.pacing import GUARD
from tests.bench.capacity_model import CORE_PER_HOUR, RUN_HOURS, Day, table


def test_the_page_has_the_tables_of_the_model(root: Path):
    """`python -m tests.bench.capacity_model` prints what belongs into docs/capacity.md."""
    assert table() in (root / "docs" / "capacity.md").read_text()


@pytest.mark.parametrize(("requests", "hours"), [(5_000, 0), (5_001, 1), (100_000, 19)])
def test_each_full_hour_of_a_token_is_waited_for(monkeypatch, requests, hours):
    """What is left after it goes at the pace; the last requests of the day wait for no hour."""
    monkeypatch.setattr(Day, "requests", requests)
    left = (requests - hours * CORE_PER_HOUR) * GUARD / 10
    assert Day(100).seconds().fetch == pytest.approx(hours * 3_600 + left)


def test_a_second_token_is_needed_where_the_hours_of_a_run_are_not_enough(monkeypatch):
    """And not before."""
    for requests, tokens in ((RUN_HOURS * CORE_PER_HOUR, 1), (RUN_HOURS * CORE_PER_HOUR + 1, 2)):
        monkeypatch.setattr(Day, "requests", requests)
        assert Day(100).tokens == tokens


def test_what_breaks_is_above_its_limit():
    """Search shows no more than 1,000; that many are within each limit."""
    assert max(Day(1_000).used().values()) == 1
    assert Day(10_000).used()["the list: search shows 1,000"] == 10
