"""Errors of PostgreSQL, in words for the person on call.

PostgresError
+-- PostgresUnreachable   no answer, or refused at the door
|   +-- PostgresRefused   by a wrong login, password or database
+-- PostgresUnwell        it answers, but is over a limit
+-- LeaseTaken            somebody else holds the lease
+-- LeaseLost             the lease ended under its holder
+-- LeaseUnanswered       nobody says whether it is free
+-- PaceLost              nobody says whose turn it is
"""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError


class PostgresError(Exception):
    """Base of all errors of PostgreSQL."""


@define(slots=False)
class PostgresUnreachable(PostgresError):
    """The server could not be asked.

    Attributes: connection, its id; reason, the server's or the driver's first line; next_step, the field of
    the connection to look at, or what to do.
    """

    connection: str
    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"connection {self.connection!r}: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class PostgresRefused(PostgresUnreachable, PermanentError):
    """The server does not let this login into this database: no retry helps."""


@define(slots=False)
class PostgresUnwell(PostgresError):
    """The server answers, but nothing should be built on it now.

    Attributes: connection, its id; reasons, one sentence for each limit that is exceeded.
    """

    connection: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        reasons = "; ".join(self.reasons)
        return (
            f"connection {self.connection!r}: PostgreSQL is unwell: {reasons}. Next: see in pg_stat_activity "
            "and pg_prepared_xacts what the server is busy with, then run the task again"
        )


@define(slots=False)
class LeaseTaken(PostgresError):
    """Somebody else holds the lease.

    Attributes: name, of the lease; holder, who has it ("unknown" if they left while we asked).
    """

    name: str
    holder: str

    def __str__(self) -> str:
        facts = f"lease {self.name!r} is held by {self.holder!r}"
        return f"{facts}. Next: try again when it is done, as tasks do by themselves"


@define(slots=False)
class LeaseLost(PostgresError):
    """The connection that held the lease is gone: somebody else may hold it by now.

    Attributes: name, of the lease.
    """

    name: str

    def __str__(self) -> str:
        facts = f"lease {self.name!r} is lost, its connection to PostgreSQL ended"
        return (
            f"{facts}. Next: run the task again, which takes it anew; where it is lost each time, see "
            "whether a pooler between ends transactions"
        )


@define(slots=False)
class LeaseUnanswered(PostgresError):
    """There was no answer to the request for a lease: the server is silent, or a pooler has no session left.

    Attributes: name, of the lease; wait_s, how long it was waited for.
    """

    name: str
    wait_s: float

    def __str__(self) -> str:
        return (
            f"lease {self.name!r}: PostgreSQL gave no answer within {self.wait_s:g} s. Next: see whether it "
            "is well, and whether a pooler before it has a session for each lease that is held at a time"
        )


@define(slots=False)
class PaceLost(PostgresError):
    """PostgreSQL, which keeps the pace of several processes, did not say when this one may go.

    Attributes: name, of the pace; reason.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return (
            f"the pace {self.name!r} is not to be had: {' '.join(self.reason.split())}. Next: see whether "
            "PostgreSQL is well, then run the task again; with processes 1 in the API's connection the pace "
            "needs none"
        )
