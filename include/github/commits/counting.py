"""The commits of a repository and a day, counted by author."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from include.github.api.models import Commit, Repository
from include.github.commits.source import FetchedRepository, Outcome
from include.http.request_cost import RequestCost

log = logging.getLogger(__name__)


@dataclass
class CommitCount:
    """The commits of one day. Memory grows with authors and commit ids, not with what they say.

    Attributes: authors, commits of each; outside, commits GitHub sent that are not of the day; cleaned,
    commits of the day whose author is not written as it was sent; odd, commits that are left out, and why;
    moved, the repository answered under another address.
    """

    day: date
    authors: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    cleaned: int = 0
    odd: set[str] = field(default_factory=set)
    moved: bool = False
    _seen: set[str] = field(default_factory=set)

    @property
    def seen(self) -> int:
        """Return how many different commits came, of the day or not."""
        return len(self._seen)

    def add(self, commits: Iterable[Commit]) -> None:
        """Count each commit once: a push between two pages shows some of them twice."""
        begin = datetime.combine(self.day, time(), UTC)
        end = begin + timedelta(days=1)
        for commit in commits:
            if commit.sha in self._seen:
                continue
            self._seen.add(commit.sha)
            if begin <= commit.committed_at < end:
                author = commit.author
                self.authors[author.name] += 1
                self.cleaned += author.cleaned
            else:
                self.outside += 1


def bounds_of(day: date) -> dict[str, str]:
    """Return since and until of a day: GitHub's include both ends, so the closed range of its seconds."""
    return {"since": f"{day}T00:00:00Z", "until": f"{day}T23:59:59Z"}


def record_of(
    position: int, repository: Repository, outcome: Outcome, cost: RequestCost, count: CommitCount
) -> FetchedRepository:
    """Make the record of a repository whose commits are counted, and tell what was left out or changed."""
    if count.outside:
        log.warning("%s: %d commits are not of %s: left out", repository.full_name, count.outside, count.day)
    if count.cleaned:
        log.warning(
            "%s: %d commits have an author that no table takes: NUL, a lone surrogate, or too long",
            repository.full_name,
            count.cleaned,
        )
    if count.odd:
        text = "%s: %d commits are odd, which of day %s nobody knows: left out, such as %s"
        log.warning(text, repository.full_name, len(count.odd), count.day, min(count.odd))
    return FetchedRepository(
        position=position,
        id=repository.id,
        repo=repository.full_name,
        day=count.day,
        outcome=outcome,
        commits=count.authors.total(),
        outside=count.outside,
        cleaned=count.cleaned,
        odd=len(count.odd),
        requests=cost.requests,
        retries=cost.retries,
        points=cost.points,
        unchanged=cost.unchanged,
        authors=dict(count.authors),
    )
