"""The retries of a whole try of a run: one bad hour must not become a thousand patient ones."""

from __future__ import annotations

from collections import deque

from include.github.errors import RetryBudgetSpent

FEWEST_RETRIES = 20
RETRIES_PER_REPOSITORY = 0.1  # a healthy API needs far fewer: one in a thousand requests
CAUSES_KEPT = 3


class RetryBudget:
    """Counts retries of one try of a task; how many tries a run gets is Airflow's to bound.

    Attributes: limit; spent.
    """

    def __init__(self, limit: int = FEWEST_RETRIES) -> None:
        self.limit, self.spent = limit, 0
        self._causes: deque[str] = deque(maxlen=CAUSES_KEPT)

    @classmethod
    def for_repositories(cls, count: int) -> RetryBudget:
        """Make the budget of a try that asks for so many repositories."""
        return cls(max(FEWEST_RETRIES, round(RETRIES_PER_REPOSITORY * count)))

    def spend(self, cause: str) -> None:
        """Take one retry. Raises: RetryBudgetSpent."""
        self._causes.append(cause)
        if self.spent >= self.limit:
            raise RetryBudgetSpent(self.limit, tuple(self._causes))
        self.spent += 1
