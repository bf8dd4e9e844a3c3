"""Commits of repositories, a day of each: the interface of all ways to ask, and what they yield."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from typing import Literal, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from include.github.api.models import Repository

Outcome = Literal["ok", "unpushed", "empty", "gone", "blocked", "forbidden", "moved"]
NOT_KNOWN: tuple[Outcome, ...] = ("gone", "blocked", "forbidden")  # how many commits there were


class FetchedRepository(BaseModel):
    """One ranked repository and its day.

    Attributes: position, id, repo ("owner/name" as ranked), day; outcome; commits of the day; outside,
    commits GitHub sent that were not of the day; cleaned, commits whose author is not written as it was
    sent; odd, commits that were left out; requests and retries it took, points of GraphQL, and answers that
    were unchanged; authors, commits of each.
    """

    model_config = ConfigDict(frozen=True)
    position: PositiveInt
    id: int
    repo: str
    day: date
    outcome: Outcome
    commits: NonNegativeInt = 0
    outside: NonNegativeInt = 0
    cleaned: NonNegativeInt = 0
    odd: NonNegativeInt = Field(default=0, exclude_if=lambda odd: not odd)
    requests: NonNegativeInt = 0
    retries: NonNegativeInt = 0
    points: NonNegativeInt = 0
    unchanged: NonNegativeInt = 0
    authors: dict[str, PositiveInt] = {}

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.commits != sum(self.authors.values()):
            raise ValueError("the commits of the authors do not add up")
        return self


class RankedDay(Protocol):
    """The repositories of a day in their order, the first of position 1. Each `for` begins anew."""

    @property
    def day(self) -> date:
        """The day of the commits, UTC."""

    def __len__(self) -> int:
        """How many."""

    def __iter__(self) -> Iterator[Repository]:
        """Yield the repositories."""


class CommitSource(Protocol):
    """A way to ask for commits. Attributes: batch, how many repositories to ask for together."""

    batch: int

    def fetch(
        self, ranked: Sequence[tuple[int, Repository]], day: date
    ) -> AsyncIterator[list[FetchedRepository]]:
        """Yield a record for each of these repositories, given with their positions: several as they come.

        Raises: as GitHubClient.get, after what was finished until then.
        """
