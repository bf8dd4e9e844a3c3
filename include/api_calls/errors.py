"""What can be wrong with a run of calls, in words for the person on call."""

from __future__ import annotations

from include.errors import PermanentError


class BadRecipe(ValueError, PermanentError):
    """A recipe cannot be used. Attributes: file; key in it, or ""; reason, with what is allowed."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(file, key, reason)
        self.file, self.key, self.reason = file, key, reason

    def __str__(self) -> str:
        where = f"recipe {self.file}" + (f", key {self.key}" if self.key else "")
        return f"{where}: {self.reason}. Next: correct the recipe, then trigger a new run"


class TooLong(PermanentError):
    """No run has time for so many rows. Attributes: calls, to be sent; hours they take; most, of a run."""

    def __init__(self, calls: int, hours: float, most: float) -> None:
        super().__init__(calls, hours, most)
        self.calls, self.hours, self.most = calls, hours, most

    def __str__(self) -> str:
        return (
            f"{self.calls} calls take {self.hours:.1f} hours at the allowed rate, a run has {self.most:g}. "
            "Next: split the file, set param limit, or raise requests_per_second of the connection where the "
            "API allows it"
        )


class Overtaken(PermanentError):
    """Another try of this run has taken over: this one may mark no row as sent any more.

    Attributes: run.
    """

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        return (
            f"run {self.run}: a later try has taken over, this one sends nothing more. Next: look at that one"
        )


class MarksAway(Exception):
    """PostgreSQL, which is told of a row before it is sent, gives no answer. Attributes: run; reason."""

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(run, reason)
        self.run, self.reason = run, reason

    def __str__(self) -> str:
        return (
            f"run {self.run}: rows cannot be marked before they are sent: {' '.join(self.reason.split())}. "
            "Next: see whether PostgreSQL is up, then run the task again"
        )


class Unpublished(PermanentError):
    """A run of the recipe has sent rows and published nothing: which ones, a new run cannot see.

    Attributes: recipe; run.
    """

    def __init__(self, recipe: str, run: str) -> None:
        super().__init__(recipe, run)
        self.recipe, self.run = recipe, run

    def __str__(self) -> str:
        return (
            f"recipe {self.recipe}: run {self.run} has sent rows and not published their outcomes. Next: "
            "clear its task call with all after it, then this task; or trigger a new run with param resend "
            "all, which sends every row again"
        )


class NotAllDone(PermanentError):
    """The outcomes are published, and not all of them are good. Attributes: facts; next_step."""

    def __init__(self, facts: str, next_step: str) -> None:
        super().__init__(facts, next_step)
        self.facts, self.next_step = facts, next_step

    def __str__(self) -> str:
        return f"{self.facts}. Next: {self.next_step}"
