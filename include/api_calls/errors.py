"""Errors of a run of calls, in words for the person on call."""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError
from include.http.errors import HttpError, RequestNotSent
from include.inbox.errors import BadHeader, ImportFileDamaged


@define(slots=False)
class BadRecipe(ValueError, PermanentError):
    """A recipe cannot be used. Attributes: file; key in it, or ""; reason, with what is allowed."""

    file: str
    key: str
    reason: str

    def __str__(self) -> str:
        where = f"recipe {self.file}" + (f", key {self.key}" if self.key else "")
        return f"{where}: {self.reason}. Next: correct the recipe, then start a new run"


class UnreadableRow(ImportFileDamaged):
    """A file cannot be cut into rows."""

    next_step = (
        "correct that line, or name encoding and delimiter of the file in the params, then start a new run"
    )


class ColumnMissing(BadHeader):
    """The header does not name a column of the recipe."""

    next_step = (
        "correct the recipe or the file, or name encoding and delimiter in the params, then start a new run"
    )


@define(slots=False)
class TooLong(PermanentError):
    """No run has time for so many rows. Attributes: calls, to be sent; hours they take; most, of a run."""

    calls: int
    hours: float
    most: float

    def __str__(self) -> str:
        return (
            f"{self.calls} calls take {self.hours:.1f} hours at the allowed rate, a run has {self.most:g}. "
            "Next: split the file, set param limit, or raise requests_per_second of the connection where the "
            "API allows it"
        )


@define(slots=False)
class Overtaken(PermanentError):
    """Another try of this run has taken over: this one may mark no row as sent any more.

    Attributes: run.
    """

    run: str

    def __str__(self) -> str:
        return f"run {self.run}: a later try has taken over, this one sends nothing more. Next: look at that"


@define(slots=False)
class MarksAway(Exception):
    """PostgreSQL, which records each row before it is sent, gives no answer. Attributes: run; reason."""

    run: str
    reason: str

    def __str__(self) -> str:
        return (
            f"run {self.run}: rows cannot be marked before they are sent: {' '.join(self.reason.split())}. "
            "Next: see whether PostgreSQL is up, then run the task again"
        )


@define(slots=False)
class Unpublished(PermanentError):
    """A run of the recipe has sent rows and published nothing: which ones, a new run cannot see.

    Attributes: recipe; run.
    """

    recipe: str
    run: str

    def __str__(self) -> str:
        return (
            f"recipe {self.recipe}: run {self.run} has sent rows and not published their outcomes. Next: "
            "clear its task call with all after it, then this task; or start a new run with param resend "
            "all, which sends every row again"
        )


@define(slots=False)
class AccessRefused(HttpError):
    """The API refuses whoever asks, not what is asked for: no other row has better luck.

    Attributes: status; said, the start of its answer; connection, its name.
    """

    status: int
    said: str
    connection: str

    def __str__(self) -> str:
        return (
            f"the API answered {self.status}: {self.said}. Next: see password and rights of the "
            f"{self.connection}, then clear task call with all after it"
        )


@define(slots=False)
class ApiAway(HttpError):
    """A row could not be sent at all, however often. Attributes: cause."""

    cause: str

    def __str__(self) -> str:
        return (
            f"the API cannot be reached: {self.cause}. Next: see whether it is up, then clear task call with "
            "all after it: what is answered is kept"
        )


@define(slots=False)
class NotDone(RequestNotSent):
    """The recipe says of a status that nothing was done. Attributes: cause, what the API said; status."""

    status: int

    def __str__(self) -> str:
        return f"{self.status}, {self.cause}. Next: send it again, it was not carried out"


@define(slots=False)
class NotAllDone(PermanentError):
    """The outcomes are published, and not all of them are good. Attributes: facts; next_step."""

    facts: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.facts}. Next: {self.next_step}"
