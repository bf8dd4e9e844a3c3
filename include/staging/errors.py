"""Errors of staging files, in words for the person on call."""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError


def clear(task: str) -> str:
    """Return the next step: to clear the task that stages, by its name where that is known."""
    return f"clear task {task} with all after it" if task else "clear the task that stages with all after it"


class StagingError(Exception):
    """Base of all errors of staging files."""


@define(slots=False)
class BadRow(StagingError):
    """A row does not fit its table.

    Attributes: table; row, its number from 1; column; reason.
    """

    table: str
    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        next_step = f"correct it where the row comes from, then {clear('')}; if right there, report a defect"
        return f"table {self.table}, row {self.row}, column {self.column}: {self.reason}. Next: {next_step}"


@define(slots=False)
class StagingFileMissing(StagingError):
    """A staging file that a later step needs is not there.

    Attributes: path; next_step, what to do about it; reason, "" where it is not known.
    """

    path: str
    next_step: str
    reason: str = ""

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"staging file {self.path} is missing{reason}. Next: {self.next_step}"


@define(slots=False)
class StagingFileDamaged(StagingError):
    """A staging file is there but is not what was written.

    Attributes: path; reason; task, that wrote it, empty where that is not known.
    """

    path: str
    reason: str
    task: str = ""

    def __str__(self) -> str:
        return f"staging file {self.path} is damaged ({self.reason}). Next: {clear(self.task)}"


@define(slots=False)
class StagingFileForeign(StagingError):
    """A manifest is of another run, or of another day of it, than the one that reads it.

    Attributes: path; said, whose it is by its own words; expected; task, that writes the right one.
    """

    path: str
    said: str
    expected: str
    task: str

    def __str__(self) -> str:
        facts = f"staging file {self.path} is of {self.said}, expected {self.expected}"
        return f"{facts}. Next: {clear(self.task)}"


@define(slots=False)
class Superseded(StagingError, PermanentError):
    """Another run has published the table after this one: to try again would undo what it did.

    Attributes: where, the connection; table; run, the newer one.
    """

    where: str
    table: str
    run: str

    def __str__(self) -> str:
        return (
            f"{self.where}, table {self.table}: run {self.run} has published newer rows meanwhile, and they "
            "count. Next: nothing, unless those of this run are to: then clear task load with all after it"
        )
