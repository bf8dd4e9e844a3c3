"""The files that the DAGs rendered, one directory a day: which there are, and their content.

Nothing here trusts a name from a URL: a day and a campaign are parsed and written anew, a file is opened only
below the section's own folder, wherever a link in it points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import IO, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from hooks.storage_roots import REPORTS_ROOT, impatient, names_below, telling_of
from include.staging.files import StagingPath, open_buffered

INDEX = "index.json"  # written last: a day without it is not finished
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CHUNK_BYTES = 256 * 1024


class NotPublished(LookupError):
    """There is no such file. Attributes: what, in words for the reader of the page."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return self.what


class UnreadableIndex(ValueError):
    """A day's index.json is not what the renderer writes. Attributes: path, problem."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. Clear the task `render` of that day's run to write it anew"


class RenderedDay(BaseModel):
    """What every index.json says. Attributes: day; run_id, of the run that published it, and when."""

    model_config = ConfigDict(frozen=True)
    day: date
    run_id: str
    published_at: AwareDatetime


class RenderedCampaign(BaseModel):
    """One campaign of a day.

    Attributes: campaign_id; phrases, views: how many; flags: how many hours of phrases have each; time_zone,
    hour_rule: how its hours were cut.
    """

    model_config = ConfigDict(frozen=True)
    campaign_id: PositiveInt
    phrases: NonNegativeInt
    views: NonNegativeInt
    flags: dict[str, NonNegativeInt]
    time_zone: str
    hour_rule: str


class RenderedPhraseViews(RenderedDay):
    """index.json of phrase_views. Attributes: time_zone, hour_rule: asked for by the run; campaigns."""

    time_zone: str
    hour_rule: str
    campaigns: tuple[RenderedCampaign, ...]


class RenderedRanking(RenderedDay):
    """index.json of top_repositories. Attributes: repositories: how many."""

    repositories: NonNegativeInt


Index = TypeVar("Index", bound=RenderedDay)


class Archive:
    """The days of one section: `<reports_root>/<folder>`, a directory or a prefix of an object store."""

    def __init__(self, reports_root: StagingPath, folder: str) -> None:
        self._directory = impatient(reports_root) / folder

    def days(self) -> list[date]:
        """Return the days that have a directory, newest first: also one whose rendering is not finished."""
        found = map(_day_or_none, names_below(REPORTS_ROOT, self._directory))
        return sorted((day for day in found if day), reverse=True)

    def index(self, day: date, kind: type[Index]) -> Index:
        """Return the facts of a finished day.

        Raises: NotPublished; UnreadableIndex.
        """
        with self.open(day, INDEX) as file:
            text = file.read()
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the file"
            path = f"{self._directory.name}/{day}/{INDEX}"
            raise UnreadableIndex(path, f"{where}: {problem['msg']}") from None

    def newest(self, kind: type[Index]) -> Index | None:
        """Return the facts of the newest finished day, None if there is none."""
        return next(self.indexes(kind), None)

    def indexes(self, kind: type[Index]) -> Iterator[Index]:
        """Yield the facts of every finished day, newest first; one small file is read a day."""
        for day in self.days():
            try:
                yield self.index(day, kind)
            except NotPublished:
                continue

    def open(self, day: date, name: str) -> IO[bytes]:
        """Open a file of a day for reading.

        Raises: NotPublished: not there, not a file, or a link that leads out of the section's folder;
            BadVariable, StorageAway.
        """
        path = self._directory / day.isoformat() / name
        if isinstance(path, Path) and not path.resolve().is_relative_to(Path(str(self._directory)).resolve()):
            raise NotPublished(f"No file {name} for {day}")
        with (
            telling_of(REPORTS_ROOT, self._directory),
            suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            file = open_buffered(path)
            file.peek(1)  # a store that fails does so now, not in the middle of an answer
            return file
        if not isinstance(path, Path):
            names_below(
                REPORTS_ROOT, self._directory
            )  # of a file a store says the same if it has no such bucket
        raise NotPublished(f"No report for {day}, or it is not finished")


def read_day(text: str) -> date:
    """Read a day written as YYYY-MM-DD, in ASCII digits and nothing else.

    Raises: NotPublished: it is no day, so nothing can be there.
    """
    if day := _day_or_none(text):
        return day
    raise NotPublished("No such day: days are written YYYY-MM-DD")


def read_campaign(text: str) -> int:
    """Read a campaign's number, 1 to 2147483647, in ASCII digits and nothing else.

    Raises: NotPublished: it is no number, so nothing can be there.
    """
    if re.fullmatch(r"[1-9][0-9]{0,9}", text, re.ASCII):
        return int(text)
    raise NotPublished("No such campaign: a campaign is a number")


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of an open file in pieces of at most 256 KiB, and close it."""
    with file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def _day_or_none(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
