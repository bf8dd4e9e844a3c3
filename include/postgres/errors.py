"""What can be wrong with PostgreSQL, in words for the person on call.

PostgresError
+-- PostgresUnreachable   no answer, or refused at the door
|   +-- PostgresRefused   by a wrong login, password or database
+-- PostgresUnwell        it answers, but is over a limit
+-- LeaseTaken            somebody else holds the lease
+-- LeaseLost             the lease ended under its holder
+-- PaceLost              nobody says whose turn it is
"""

from __future__ import annotations

from include.errors import PermanentError


class PostgresError(Exception):
    """Base of all errors of PostgreSQL."""


class PostgresUnreachable(PostgresError):
    """The server could not be asked.

    Attributes: connection, its id; reason, the server's or the driver's first line; next_step, the field of
    the connection to look at, or what to do.
    """

    def __init__(self, connection: str, reason: str, next_step: str) -> None:
        super().__init__(connection, reason, next_step)
        self.connection, self.reason, self.next_step = connection, reason, next_step

    def __str__(self) -> str:
        return f"connection {self.connection!r}: {self.reason}; {self.next_step}"


class PostgresRefused(PostgresUnreachable, PermanentError):
    """The server does not let this login into this database: no retry helps."""


class PostgresUnwell(PostgresError):
    """The server answers, but nothing should be built on it now.

    Attributes: connection, its id; reasons, one sentence for each limit that is exceeded.
    """

    def __init__(self, connection: str, reasons: tuple[str, ...]) -> None:
        super().__init__(connection, reasons)
        self.connection, self.reasons = connection, reasons

    def __str__(self) -> str:
        return f"connection {self.connection!r}: PostgreSQL is unwell: {'; '.join(self.reasons)}"


class LeaseTaken(PostgresError):
    """Somebody else holds the lease.

    Attributes: name, of the lease; holder, who has it ("unknown" if they left while we asked).
    """

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(name, holder)
        self.name, self.holder = name, holder

    def __str__(self) -> str:
        return f"lease {self.name!r} is held by {self.holder!r}: try again when it is done"


class LeaseLost(PostgresError):
    """The connection that held the lease is gone: somebody else may hold it by now.

    Attributes: name, of the lease.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"lease {self.name!r} is lost, its connection to PostgreSQL ended: stop, and take it again"


class PaceLost(PostgresError):
    """PostgreSQL, which keeps the pace of several processes, did not say when this one may go.

    Attributes: name, of the pace; reason.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return (
            f"the pace {self.name!r} is not to be had: {' '.join(self.reason.split())}. Run the task again; "
            "with processes 1 in the GitHub connection the pace needs no PostgreSQL"
        )
