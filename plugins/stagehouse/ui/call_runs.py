"""The runs of api_calls: those that Airflow knows, and those that have left files, which may be older."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, NamedTuple

from airflow.models.dagrun import DagRun
from fastapi import Path as InPath
from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, ValidationError
from sqlalchemy import select

from include.api_calls.progress import PROGRESS
from include.staging.files import run_folder
from stagehouse.hooks.storage_roots import reports_root
from stagehouse.ui.archive import Archive, NotPublished, day_or_none
from stagehouse.ui.sections import API_CALLS

SHOWN = 50  # runs of a page, and the rest of their last day
_KNOWN_AT_ONCE = 500
_READ_AT_ONCE = 16
_FOLDER = "[0-9a-f]{16}"
Folder = Annotated[str, InPath(pattern=f"^{_FOLDER}$")]


class CallProgress(BaseModel):
    """progress.json of a run, as include/api_calls/progress.py writes it.

    Attributes: done, of the rows; ok to not_sent, rows by outcome; requests_per_second, of the last minute;
    seconds_left, None where nobody can tell.
    """

    model_config = ConfigDict(frozen=True)
    run_id: str
    recipe: str
    path: str
    state: str
    rows: NonNegativeInt
    done: NonNegativeInt
    ok: NonNegativeInt
    rejected: NonNegativeInt
    failed: NonNegativeInt
    unknown: NonNegativeInt
    skipped: NonNegativeInt
    not_sent: NonNegativeInt
    requests_per_second: NonNegativeFloat | None = None
    seconds_left: NonNegativeInt | None = None
    updated_at: AwareDatetime


class KnownRun(NamedTuple):
    """A run, as Airflow knows it. Attributes: state; due; recipe, path and is_dry, of its params."""

    run_id: str
    state: str
    due: datetime
    recipe: str
    path: str
    is_dry: bool

    @property
    def is_over(self) -> bool:
        """Whether no task of it will run, unless one is cleared."""
        return self.state in ("success", "failed")


class CallRun(NamedTuple):
    """A run. Attributes: day; folder, its name below that; known, None where Airflow has forgotten it."""

    day: date
    folder: str
    known: KnownRun | None
    progress: CallProgress | None


class CallRuns:
    """The runs, from Airflow's database and from `reports_root`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._archive = Archive(reports_root(), API_CALLS.folder)

    def newest(self, until: date | None) -> tuple[list[CallRun], date | None]:
        """Return whole days of runs, newest first, until there are enough; and the next older day.

        Args: until: the newest day, today unless told.
        """
        known = defaultdict[date, dict[str, KnownRun]](dict)
        for run in self._known(_midnight(until + timedelta(days=1)) if until else None):
            known[run.due.date()][run_folder(run.run_id)] = run
        written = {day for name in self._archive.names() if (day := day_or_none(name))}
        found, days = list[tuple[date, str, KnownRun | None]](), sorted(written | set(known), reverse=True)
        for day in days:
            if until and day > until:
                continue
            if len(found) >= SHOWN:
                return self._with_progress(found), day
            folders = self._folders(day) | set(known[day])
            found += sorted(((day, each, known[day].get(each)) for each in folders), key=_due, reverse=True)
        return self._with_progress(found), None

    def run(self, day: date, folder: str) -> CallRun:
        """Return one run. Raises: NotPublished: nobody knows it."""
        begin = _midnight(day)
        of_day = self._known(begin + timedelta(days=1), begin)
        known = next((run for run in of_day if run_folder(run.run_id) == folder), None)
        if known is None and folder not in self._folders(day):
            raise NotPublished(f"No such run of {day}")
        return CallRun(day, folder, known, self._progress(day, folder))

    def files(self, run: CallRun) -> set[str]:
        """Return the names of its files."""
        return set(self._archive.names(f"{run.day}/{run.folder}"))

    def open(self, day: date, folder: str, name: str) -> Any:
        """Open a file of a run for reading. Raises: NotPublished; BadVariable, StorageAway, OSError."""
        return self._archive.open_in(f"{day}/{folder}", name)

    def _with_progress(self, found: list[tuple[date, str, KnownRun | None]]) -> list[CallRun]:
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            progress = pool.map(lambda each: self._progress(each[0], each[1]), found)
            return [CallRun(*each, how_far) for each, how_far in zip(found, progress, strict=True)]

    def _progress(self, day: date, folder: str) -> CallProgress | None:
        with suppress(NotPublished, ValidationError), self.open(day, folder, PROGRESS) as file:
            return CallProgress.model_validate_json(file.read())
        return None

    def _folders(self, day: date) -> set[str]:
        return {name for name in self._archive.names(day.isoformat()) if re.fullmatch(_FOLDER, name)}

    def _known(
        self, time_until: datetime | None = None, time_from: datetime | None = None
    ) -> Iterator[KnownRun]:
        asked = select(DagRun.run_id, DagRun.state, DagRun.run_after, DagRun.conf)
        asked = asked.where(DagRun.dag_id == API_CALLS.dag_id)
        if time_until:
            asked = asked.where(DagRun.run_after < time_until)
        if time_from:
            asked = asked.where(DagRun.run_after >= time_from)
        for run_id, state, due, conf in self._session.execute(
            asked.order_by(DagRun.run_after.desc()).limit(_KNOWN_AT_ONCE)
        ):
            said = conf if isinstance(conf, dict) else {}
            recipe, path = (str(said.get(name) or "") for name in ("recipe", "path"))
            is_dry, state_name = said.get("dry_run") is True, str(getattr(state, "value", state))
            yield KnownRun(run_id, state_name, due.astimezone(UTC), recipe, path, is_dry)


def folder_of_run(session: Any, run_id: str) -> tuple[date, str] | None:
    """Return day and folder of a run; None where Airflow does not know it."""
    asked = select(DagRun.run_after).where(DagRun.dag_id == API_CALLS.dag_id, DagRun.run_id == run_id)
    due = session.scalar(asked)
    return (due.astimezone(UTC).date(), run_folder(run_id)) if due else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _due(found: tuple[date, str, KnownRun | None]) -> tuple[datetime, str]:
    known = found[2]
    return (known.due if known else _midnight(found[0])), found[1]
