"""Checkpoints of finished repositories, by batches, so that no second request is spent."""

from __future__ import annotations

import logging
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from os import SEEK_END

from include.github.api.models import Repository
from include.github.commits.source import FetchedRepository, RankedDay
from include.staging.checkpoint import Checkpoint
from include.staging.files import StagingPath

FETCHED = "fetched"  # the folder, in the run's directory
# A committer's clock may be ahead: what is pushed late in the evening is then dated after midnight. What an
# hour costs in requests: docs/decisions.md.
CLOCK_AHEAD = timedelta(hours=1)

log = logging.getLogger(__name__)


class CommitCheckpoint:
    """The records of a run: those that earlier tries kept are read at once, others are saved as they come.

    In memory are a few bytes for each position; the records themselves are in a temporary file as well, for
    their own files, in an object store, are slow to read one after the other.

    Attributes: asked, repositories that are not unpushed; finished, of those; unseen, of those,
    by reason, see unseen_because(); with_commits, of those; requests that the finished ones took.
    """

    def __init__(self, directory: StagingPath, ranking: RankedDay) -> None:
        """Raises: StagingFileDamaged, of the ranking; OSError."""
        self._ranking, self._day = ranking, ranking.day
        otherwise = "its repositories are asked again"
        self._checkpoint = Checkpoint(directory / FETCHED, "[0-9]+-[0-9]+", otherwise)
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - gone with this object
        self._places = array("Q", bytes(8 * (len(ranking) + 1)))  # by position: place in the spool, from 1
        self._marks = array("Q", [0])  # by position: which repository it is; 0 where it is unpushed
        for repository in ranking:
            self._marks.append(0 if is_unpushed(repository, self._day) else _mark(repository))
        self.asked = sum(map(bool, self._marks))
        self.finished = self.with_commits = self.requests = 0
        self.unseen: Counter[str] = Counter()
        for _, batch in self._read():
            self.take(batch)

    def __iter__(self) -> Iterator[FetchedRepository]:
        """Yield a record for each ranked repository, by position: all have to be finished."""
        for position, repository in enumerate(self._ranking, start=1):
            if self._marks[position]:
                if not self._places[position]:
                    raise RuntimeError(f"{repository.full_name}, position {position}, was not finished")
                yield self._record(position)
            else:
                yield FetchedRepository(
                    position=position,
                    id=repository.id,
                    repo=repository.full_name,
                    day=self._day,
                    outcome="unpushed",
                )

    def left(self) -> Iterator[tuple[int, Repository]]:
        """Yield what is still to be asked for, with positions."""
        for position, repository in enumerate(self._ranking, start=1):
            if self._marks[position] and not self._places[position]:
                yield position, repository

    def save(self, batch: Sequence[FetchedRepository]) -> None:
        """Write finished repositories to the run's directory, all or none; safe in several threads."""
        first = batch[0]
        self._checkpoint.save(f"{first.position}-{first.id}", map(_line, batch))

    def take(self, batch: Iterable[FetchedRepository]) -> None:
        """Count saved repositories as finished."""
        self._spool.seek(0, SEEK_END)
        for record in batch:
            self.finished += not self._places[record.position]
            self.with_commits += bool(record.commits or record.odd)
            if reason := unseen_because(record):
                self.unseen[reason] += 1
            self.requests += record.requests
            self._places[record.position] = self._spool.tell() + 1
            self._spool.write(_line(record) + b"\n")

    def first_unseen(self) -> FetchedRepository:
        """Return the best of the repositories that were not seen."""
        records = (self._record(position) for position, place in enumerate(self._places) if place)
        return next(record for record in records if unseen_because(record))

    def forget_unseen(self) -> None:
        """Ask again, in the next try, for what was not seen."""
        for name, batch in list(self._read()):
            if any(map(unseen_because, batch)):
                if kept := [record for record in batch if not unseen_because(record)]:
                    self.save(kept)
                if not kept or kept[0] != batch[0]:
                    self._checkpoint.remove(name)

    def _read(self) -> Iterator[tuple[str, list[FetchedRepository]]]:
        for name, batch in self._checkpoint.read(self._checkpoint.names(), _read_batch):
            if stray := next((record for record in batch if not self._belongs(record)), None):
                text = "%s is of %s for %s, not of this run: its repositories are asked again"
                log.warning(text, self._checkpoint.path(name), stray.repo, stray.day)
            else:
                yield name, batch

    def _belongs(self, record: FetchedRepository) -> bool:
        known = record.position < len(self._marks) and record.day == self._day
        return known and self._marks[record.position] == _mark_of(record.id, record.repo)

    def _record(self, position: int) -> FetchedRepository:
        self._spool.seek(self._places[position] - 1)
        return FetchedRepository.model_validate_json(self._spool.readline())


def unseen_because(record: FetchedRepository) -> str:
    """Return why nothing is known of a repository, '' where it is: many such ones have a cause in common.

    "gone" and "forbidden" may be the doing of the token, "odd", most of its commits, that of a server that is
    no GitHub.
    """
    if record.outcome in ("gone", "forbidden"):
        return record.outcome
    return "odd" if record.odd > record.commits + record.outside else ""


def is_unpushed(repository: Repository, day: date) -> bool:
    """Tell whether nothing was pushed since an hour before the day: then nobody asks for its commits."""
    since = datetime.combine(day, time(), UTC) - CLOCK_AHEAD
    return repository.pushed_at is not None and repository.pushed_at < since


def _mark(repository: Repository) -> int:
    return _mark_of(repository.id, repository.full_name)


def _mark_of(repository_id: int, full_name: str) -> int:
    return int.from_bytes(blake2b(f"{repository_id} {full_name}".encode(), digest_size=8).digest()) or 1


def _line(record: FetchedRepository) -> bytes:
    return record.model_dump_json().encode()


def _read_batch(lines: list[bytes]) -> list[FetchedRepository]:
    return [FetchedRepository.model_validate_json(line) for line in lines]
