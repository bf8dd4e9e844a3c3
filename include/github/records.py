"""What is known of a finished repository: one small file each, so that no second request is spent on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError, model_validator

from include.github.models import Repository
from include.github.ranking import Ranking
from include.staging.files import StagingPath, write_atomically

FETCHED = "fetched"  # the folder, in the run's directory

Outcome = Literal["ok", "unpushed", "empty", "gone", "blocked", "moved"]

log = logging.getLogger(__name__)


class FetchedRepository(BaseModel):
    """One ranked repository and its day.

    Attributes: position, id, repo ("owner/name" as ranked), day; outcome; commits of the day; outside,
    commits GitHub sent that were not of the day; cleaned, commits whose author is not written as it was
    sent; requests and retries it took; authors, commits of each.
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
    requests: NonNegativeInt = 0
    retries: NonNegativeInt = 0
    authors: dict[str, PositiveInt] = {}

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.commits != sum(self.authors.values()):
            raise ValueError("the commits of the authors do not add up")
        return self


def save_record(directory: StagingPath, record: FetchedRepository) -> None:
    """Write a finished repository to the run's directory, whole or not at all."""
    write_atomically(_path(directory, record.position, record.id), record.model_dump_json().encode())


def remove_record(directory: StagingPath, record: FetchedRepository) -> None:
    """Forget a finished repository: the next try asks for it again."""
    _path(directory, record.position, record.id).unlink(missing_ok=True)


def read_records(directory: StagingPath, ranking: Ranking) -> dict[int, FetchedRepository]:
    """Return the finished repositories by position. What is torn or not of this ranking is left out, told."""
    ranked = dict(enumerate(ranking.repositories, start=1))
    names = {_path(directory, position, repository.id).name for position, repository in ranked.items()}
    records = (_read_record(path) for path in _files(directory / FETCHED) if _expected(path, names))
    return {r.position: r for r in records if r and _belongs(r, ranked.get(r.position), ranking.request.day)}


def _path(directory: StagingPath, position: int, repository_id: int) -> StagingPath:
    return directory / FETCHED / f"{position}-{repository_id}.json"


def _files(folder: StagingPath) -> Iterator[StagingPath]:
    # A name with a dot in front is what a killed write left behind.
    return (
        (path for path in folder.iterdir() if not path.name.startswith(".")) if folder.exists() else iter(())
    )


def _expected(path: StagingPath, names: set[str]) -> bool:
    if path.name in names:
        return True
    log.warning("%s is not of this run's ranking: left out", path)
    return False


def _read_record(path: StagingPath) -> FetchedRepository | None:
    try:
        return FetchedRepository.model_validate_json(path.read_bytes())
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        log.warning("%s is not readable, its repository is asked again: %s", path, reason)
        return None


def _belongs(record: FetchedRepository, ranked: Repository | None, day: date) -> bool:
    if ranked and (record.id, record.repo, record.day) == (ranked.id, ranked.full_name, day):
        return True
    log.warning(
        "the record of %s for %s is not of this run: its repository is asked again", record.repo, record.day
    )
    return False
