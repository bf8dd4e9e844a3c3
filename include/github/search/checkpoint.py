"""A search whose answers are kept in the run's directory: what was read is never asked for again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from include.github.api.models import Repository
from include.github.search.source import PageRequest, PageResult, Search
from include.http.request_cost import RequestCost
from include.staging.checkpoint import Checkpoint
from include.staging.files import StagingPath

FOLDER = "searched"  # in the run's directory

log = logging.getLogger(__name__)


class _FoundPage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    total_count: NonNegativeInt
    next: str
    incomplete: bool
    repositories: NonNegativeInt
    odd: tuple[str, ...] = Field(default=(), exclude_if=lambda odd: not odd)  # no older version knows it


class _Answer(BaseModel):
    """The first line of a file; repositories follow, those of the first page first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api: str
    asked: tuple[PageRequest, ...]
    found: tuple[_FoundPage, ...]
    cost: dict[str, NonNegativeInt]

    @property
    def lines(self) -> int:
        """The number of repositories that have to follow."""
        return sum(page.repositories for page in self.found)


_Kept = tuple[_Answer, list[Repository]]


class CheckpointedSearch:
    """Answers what an earlier try of the run asked from its files, in the same order; all else it asks.

    Whoever searches through it has to ask the same after the same answers. Each answer is a file.

    Args: api: whose answers they are. check_lease: called before each request. spend: called with the cause
        where an answer is incomplete, so that a server whose answers never are whole is not asked for ever.
    """

    def __init__(
        self,
        search: Search,
        directory: StagingPath,
        api: str,
        *,
        check_lease: Callable[[], None],
        spend: Callable[[str], None],
    ) -> None:
        self.capacity, self.wanted, self.width = search.capacity, search.wanted, search.width
        self._search, self._api = search, api
        self._checkpoint = Checkpoint(directory / FOLDER, "[0-9]{6,}", "asking GitHub again")
        self._check_lease, self._spend = check_lease, spend
        self._number = self._others = 0
        self._kept: Iterator[tuple[str, _Kept]] | None = None
        self._ahead: tuple[str, _Kept] | None = None

    async def read(self, pages: Sequence[PageRequest], cost: RequestCost) -> list[PageResult]:
        """Read pages. Raises: as the search itself; OSError; what `check_lease` raises."""
        self._number += 1
        name = f"{self._number:06d}"
        if kept := await asyncio.to_thread(self._find, name, pages):
            answer, found = kept
            for name, added in answer.cost.items():
                setattr(cost, name, getattr(cost, name, 0) + added)
            return found
        await asyncio.to_thread(self._check_lease)
        before = asdict(cost)
        found = await self._search.read(pages, cost)
        spent = {name: value - before[name] for name, value in asdict(cost).items()}
        await asyncio.to_thread(self._keep, name, pages, found, spent)
        for asked, page in zip(pages, found, strict=True):
            if page.incomplete:
                self._spend(f"incomplete_results of {asked.query!r}")
        return found

    def forget(self) -> None:
        """Remove the files: what they say is in the ranking."""
        self._checkpoint.forget()

    def _find(self, name: str, pages: Sequence[PageRequest]) -> tuple[_Answer, list[PageResult]] | None:
        if self._kept is None:
            self._kept = self._checkpoint.read(sorted(self._checkpoint.names()), _read_answer)
            self._ahead = next(self._kept, None)
        while self._ahead and self._ahead[0] < name:
            self._ahead = next(self._kept, None)
        if self._ahead is None or self._ahead[0] != name:
            return None
        answer, repositories = self._ahead[1]
        if (answer.api, answer.asked) != (self._api, tuple(pages)):
            if not self._others:
                path = self._checkpoint.path(name)
                log.warning("%s is the answer to something else, asking GitHub: %s", path, pages[0].query)
            self._others += 1
            return None
        left = iter(repositories)
        return answer, [_found(page, left) for page in answer.found]

    def _keep(
        self,
        name: str,
        pages: Sequence[PageRequest],
        found: Sequence[PageResult],
        spent: dict[str, int],
    ) -> None:
        told = tuple(
            _FoundPage(**page._asdict() | {"repositories": len(page.repositories)}) for page in found
        )
        answer = _Answer(api=self._api, asked=tuple(pages), found=told, cost=spent)
        lines = [answer.model_dump_json().encode()]
        for page in found:
            lines += [each.model_dump_json(by_alias=True).encode() for each in page.repositories]
        self._checkpoint.save(name, lines)


def _read_answer(lines: list[bytes]) -> _Kept:
    if not lines:
        raise ValueError("it is empty")
    answer = _Answer.model_validate_json(lines[0])
    repositories = [Repository.model_validate_json(line) for line in lines[1:]]
    if len(repositories) != answer.lines:
        raise ValueError(f"{len(repositories)} repositories, expected {answer.lines}")
    return answer, repositories


def _found(page: _FoundPage, repositories: Iterator[Repository]) -> PageResult:
    return PageResult(
        page.total_count,
        tuple(islice(repositories, page.repositories)),
        page.next,
        page.incomplete,
        page.odd,
    )
