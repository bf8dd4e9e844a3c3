"""The retries of a whole run: one bad hour must not become a thousand patient ones."""

from __future__ import annotations

from collections import deque

from include.github.errors import RetryBudgetSpent

FEWEST_RETRIES = 20
RETRIES_PER_REPOSITORY = 0.1  # a healthy API needs far fewer: one in a thousand requests
CAUSES_KEPT = 3


class RetryBudget:
    """Counts retries. Attributes: limit; spent, with those of earlier tries of the run."""

    def __init__(self, limit: int = FEWEST_RETRIES, spent: int = 0) -> None:
        self.limit, self.spent = limit, spent
        self._causes: deque[str] = deque(maxlen=CAUSES_KEPT)

    @classmethod
    def of_run(cls, repositories: int, spent: int) -> RetryBudget:
        """Make the budget of a run over so many repositories, `spent` of it by earlier tries."""
        return cls(max(FEWEST_RETRIES, round(RETRIES_PER_REPOSITORY * repositories)), spent)

    def spend(self, cause: str) -> None:
        """Take one retry. Raises: RetryBudgetSpent."""
        self._causes.append(cause)
        if self.spent >= self.limit:
            raise RetryBudgetSpent(self.limit, tuple(self._causes))
        self.spent += 1
