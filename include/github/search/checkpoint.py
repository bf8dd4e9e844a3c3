"""A search whose answers are kept in the run's directory: what was read is never asked for again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from include.github.api.models import Repository
from include.github.search.source import PageRequest, PageResult, Search
from include.http.request_cost import RequestCost
from include.staging.files import StagingPath, read_files, written_atomically
from include.text import first_problem

FOLDER, ENDING = "searched", ".ndjson"  # in the run's directory
AT_ONCE = 16  # files removed together

log = logging.getLogger(__name__)


class _FoundPage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    total_count: NonNegativeInt
    next: str
    incomplete: bool
    repositories: NonNegativeInt


class _Answer(BaseModel):
    """The first line of a file; repositories follow, those of the first page first."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    api: str
    asked: tuple[PageRequest, ...]
    found: tuple[_FoundPage, ...]
    cost: dict[str, NonNegativeInt]

    @property
    def lines(self) -> int:
        """How many have to follow."""
        return sum(page.repositories for page in self.found)


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
        self._search, self._folder, self._api = search, directory / FOLDER, api
        self._check_lease, self._spend = check_lease, spend
        self._number = self._others = 0
        self._kept: Iterator[tuple[StagingPath, bytes]] | None = None
        self._ahead: tuple[StagingPath, bytes] | None = None

    async def read(self, pages: Sequence[PageRequest], cost: RequestCost) -> list[PageResult]:
        """Read pages. Raises: as the search itself; OSError; what `check_lease` raises."""
        self._number += 1
        path = self._folder / f"{self._number:06d}{ENDING}"
        if kept := await asyncio.to_thread(self._find, path, pages):
            answer, found = kept
            for name, added in answer.cost.items():
                setattr(cost, name, getattr(cost, name, 0) + added)
            return found
        await asyncio.to_thread(self._check_lease)
        before = asdict(cost)
        found = await self._search.read(pages, cost)
        spent = {name: value - before[name] for name, value in asdict(cost).items()}
        await asyncio.to_thread(self._keep, path, pages, found, spent)
        for asked, page in zip(pages, found, strict=True):
            if page.incomplete:
                self._spend(f"incomplete_results of {asked.query!r}")
        return found

    def forget(self) -> None:
        """Remove the files: what they say is in the ranking."""
        paths = list(self._folder.iterdir()) if self._folder.exists() else []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda path: path.unlink(missing_ok=True), paths))

    def _read_files(self) -> Iterator[tuple[StagingPath, bytes]]:
        paths = self._folder.iterdir() if self._folder.exists() else ()
        named = {path.name: path for path in paths if path.name.endswith(ENDING) and path.name[0] != "."}
        return read_files(named[name] for name in sorted(named))

    def _find(
        self, path: StagingPath, pages: Sequence[PageRequest]
    ) -> tuple[_Answer, list[PageResult]] | None:
        if self._kept is None:
            self._kept = self._read_files()
            self._ahead = next(self._kept, None)
        while self._ahead and self._ahead[0].name < path.name:
            self._ahead = next(self._kept, None)
        if self._ahead is None or self._ahead[0].name != path.name:
            return None
        try:
            first, *lines = self._ahead[1].splitlines()
            answer = _Answer.model_validate_json(first)
            repositories = iter([Repository.model_validate_json(line) for line in lines])
        except ValueError as error:  # also where there is no line
            reason = first_problem(error) if isinstance(error, ValidationError) else "it is empty"
            log.warning("%s is not readable, asking GitHub again: %s", path, reason)
            return None
        if (answer.api, answer.asked, answer.lines) != (self._api, tuple(pages), len(lines)):
            if not self._others:
                log.warning("%s is the answer to something else, asking GitHub: %s", path, pages[0].query)
            self._others += 1
            return None
        return answer, [_found(page, repositories) for page in answer.found]

    def _keep(
        self,
        path: StagingPath,
        pages: Sequence[PageRequest],
        found: Sequence[PageResult],
        spent: dict[str, int],
    ) -> None:
        told = tuple(
            _FoundPage(**page._asdict() | {"repositories": len(page.repositories)}) for page in found
        )
        answer = _Answer(api=self._api, asked=tuple(pages), found=told, cost=spent)
        with written_atomically(path) as write:
            write(answer.model_dump_json().encode() + b"\n")
            for page in found:
                for repository in page.repositories:
                    write(repository.model_dump_json(by_alias=True).encode() + b"\n")


def _found(page: _FoundPage, repositories: Iterator[Repository]) -> PageResult:
    return PageResult(
        page.total_count, tuple(islice(repositories, page.repositories)), page.next, page.incomplete
    )
