"""The files that the DAGs rendered, one directory a day: which there are, and their content.

Nothing here trusts a name from a URL: a day and a campaign are parsed and written anew, a file is opened only
below the section's own folder, wherever a link in it points.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, TypeVar

from attrs import define
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from include.pages.day_index import INDEX
from include.pages.run_note import FOLDER, run_note
from include.staging.files import StagingPath, open_buffered
from stagehouse.hooks.storage_roots import REPORTS_ROOT, StorageAway, impatient, names_below, storage_errors

logger = logging.getLogger(__name__)

CampaignId = Annotated[int, Field(ge=-(2**31), lt=2**31)]  # Int32: other systems number the campaigns
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CHUNK_BYTES = 256 * 1024


@define(slots=False)
class NotPublished(LookupError):
    """There is no such file. Attributes: what, in words for the reader of the page."""

    what: str

    def __str__(self) -> str:
        return self.what


@define(slots=False)
class UnreadableIndex(ValueError):
    """A day's index.json is not what the renderer writes. Attributes: path, problem."""

    path: str
    problem: str

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.problem}. Next: clear the task `render` of that day's run to write it anew"
        )


class RenderedDay(BaseModel):
    """The fields of every index.json. Attributes: day; run_id, of the run that published it, and when."""

    model_config = ConfigDict(frozen=True)
    day: date
    run_id: str
    published_at: AwareDatetime


class RenderedCampaign(BaseModel):
    """One campaign of a day.

    Attributes: campaign_id; phrases, views: how many; flags: how many hours of phrases have each; time_zone,
    hour_rule: how its hours were cut; falls: how counters that fell were read.
    """

    model_config = ConfigDict(frozen=True)
    campaign_id: CampaignId
    phrases: NonNegativeInt
    views: NonNegativeInt
    flags: dict[str, NonNegativeInt]
    time_zone: str
    hour_rule: str
    falls: str = "reset"  # where the index is older than the rule


class RenderedPhraseViews(RenderedDay):
    """index.json of phrase_views.

    Attributes: asked_for (campaigns; empty: all), time_zone, hour_rule: of the run that rendered it;
    campaigns: those reported.
    """

    asked_for: tuple[CampaignId, ...]
    time_zone: str
    hour_rule: str
    campaigns: tuple[RenderedCampaign, ...]


class RenderedRanking(RenderedDay):
    """index.json of top_repositories. Attributes: repositories: how many."""

    repositories: NonNegativeInt


class RenderedReports(RenderedDay):
    """index.json of a page of reports. Attributes: reports: names of files, in the order of the page."""

    reports: tuple[Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")], ...]


class RunNote(BaseModel):
    """The note of a rendered run (include/pages/run_note.py). Attributes: run_id; day."""

    run_id: str
    day: date


Index = TypeVar("Index", bound=RenderedDay)


class Archive:
    """The days of one section: `<reports_root>/<folder>`, a directory or a prefix of an object store."""

    def __init__(self, reports_root: StagingPath, folder: str) -> None:
        self._directory = impatient(reports_root) / folder

    def days(self) -> list[date]:
        """Return the finished days, newest first.

        Of a store: all days that have a file, for it would take a request a day to know which are finished.
        """
        found = map(day_or_none, names_below(REPORTS_ROOT, self._directory))
        return sorted((day for day in found if day and self._may_be_finished(day)), reverse=True)

    def index(self, day: date, kind: type[Index]) -> Index:
        """Return the facts of a finished day.

        Raises: NotPublished; UnreadableIndex; OSError.
        """
        with self.open_in(day, INDEX) as file:
            text = file.read()
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the file"
            path = f"{self._directory.name}/{day}/{INDEX}"
            raise UnreadableIndex(path, f"{where}: {problem['msg']}") from None

    def newest(self, kind: type[Index]) -> Index | None:
        """Return the facts of the newest finished day, None if there is none.

        A day whose index cannot be read is passed over, with a line in the log, as long as there is another.
        Raises: UnreadableIndex, OSError: there is no other.
        """
        problem: UnreadableIndex | OSError | None = None
        for day in self.days():
            try:
                return self.index(day, kind)
            except NotPublished:
                continue
            except StorageAway:
                raise
            except (UnreadableIndex, OSError) as error:
                logger.warning("passed over: %s", error)
                problem = problem or error
        if problem:
            raise problem
        return None

    def day_of_run(self, run_id: str) -> date | None:
        """Return the day that a run has rendered, None if it has rendered none."""
        with suppress(NotPublished, ValidationError), self.open_in(FOLDER, run_note(run_id)) as file:
            note = RunNote.model_validate_json(file.read())
            return note.day if note.run_id == run_id else None
        return None

    def open(self, day: date, name: str) -> IO[bytes]:
        """Open a file of a finished day for reading.

        Raises: NotPublished: not there, not a file, the day is not finished, or a link that leads out of the
            section's folder; BadVariable, StorageAway, OSError.
        """
        self.open_in(day, INDEX).close()
        return self.open_in(day, name)

    def _may_be_finished(self, day: date) -> bool:
        index = self._directory / day.isoformat() / INDEX
        try:
            return not isinstance(index, Path) or bool(index.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # the error is shown to readers of that day only

    def names(self, folder: str = "") -> list[str]:
        """Return what lies in a folder of the section, one of our names.

        Raises: BadVariable, StorageAway, OSError.
        """
        place = self._directory
        for part in PurePosixPath(folder).parts:
            place = place / part
        return names_below(REPORTS_ROOT, place)

    def open_in(self, folder: date | str, name: str) -> IO[bytes]:
        """Open a file of a folder, both of our names, for reading. Raises: as open()."""
        path = self._directory / str(folder) / name
        if isinstance(path, Path) and not self._holds(path):
            raise NotPublished(f"No file {name} for {folder}")
        with (
            storage_errors(REPORTS_ROOT, self._directory),
            suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            file = open_buffered(path)
            file.peek(1)  # a store that fails does so now, not in the middle of an answer
            return file
        if not isinstance(path, Path):  # a store without such a bucket says the same of a file
            names_below(REPORTS_ROOT, self._directory)
        raise NotPublished(f"No report for {folder}, or it is not finished")

    def _holds(self, path: Path) -> bool:
        """Tell whether the path leads to a place within the section's folder, wherever links in it point."""
        try:
            return path.resolve().is_relative_to(Path(str(self._directory)).resolve())
        except RuntimeError as error:  # before Python 3.13
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def read_day(text: str) -> date:
    """Read a day written as YYYY-MM-DD, in ASCII digits and nothing else.

    Raises: NotPublished: it is no day, so nothing can be there.
    """
    if day := day_or_none(text):
        return day
    raise NotPublished("No such day: days are written YYYY-MM-DD")


def read_campaign(text: str) -> int:
    """Read a campaign's number, an Int32, in ASCII digits as it is written, and nothing else.

    Raises: NotPublished: it is no number, so nothing can be there.
    """
    if re.fullmatch(r"0|-?[1-9][0-9]{0,9}", text, re.ASCII) and -(2**31) <= int(text) < 2**31:
        return int(text)
    raise NotPublished("No such campaign: a campaign is a number")


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of an open file in pieces of at most 256 KiB, and close it."""
    with file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def day_or_none(text: str) -> date | None:
    """Return a day written as read_day() reads it, None for any other text."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
