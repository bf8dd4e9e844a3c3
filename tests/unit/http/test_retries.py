"""The budget of retries."""

import pytest

from include.http.errors import RetryBudgetSpent
from include.http.retries import RetryBudget


def test_the_budget_grows_with_the_number_of_items():
    """Twenty, or a tenth of them."""
    assert [RetryBudget.for_items(count).limit for count in (100, 1000)] == [20, 100]


def test_a_spent_budget_tells_the_last_causes():
    """Three, the one that found it spent among them."""
    budget = RetryBudget(limit=4)
    for number in range(4):
        budget.spend(f"cause {number}")
    with pytest.raises(RetryBudgetSpent, match=r"all 4 retries.*cause 2; cause 3; last"):
        budget.spend("last")
