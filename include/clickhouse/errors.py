"""Errors of ClickHouse, each one line that names the place and the next step.

They derive from the driver's own base class, so that its DB-API cursor passes them on as a DB-API error.
"""

from __future__ import annotations

import re
from datetime import date

from attrs import define
from clickhouse_driver.errors import Error

from include.errors import PermanentError

CLEAR_LOAD = "clear task load with all after it"  # the next step of a table that a run has staged


class ClickHouseError(Error):  # type: ignore[misc]
    """Base. Attributes: where, the connection in the user's words."""

    where: str


@define(slots=False)
class UnusableConnection(ClickHouseError):
    """The server cannot be used with these settings, and nothing was sent to it.

    Attributes: where; field of the Airflow connection to look at; reason; next_step, what to do where that is
    more than to correct the field.
    """

    where: str
    field: str
    reason: str
    next_step: str = "correct the connection, or start the server that it names"

    def __str__(self) -> str:
        return f"{self.where}, field {self.field}: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class WrongConnection(UnusableConnection, PermanentError):
    """The field has to be corrected: no retry helps. Attributes: as of UnusableConnection."""


@define(slots=False)
class NoDatabase(WrongConnection):
    """The server does not know the database. Attributes: as of UnusableConnection."""


COLUMN_IS_THERE = (15, 44)  # of 26.9, of 18.16
UNFINISHED = 341  # a replica is not active, or slow: it does the rest by itself
_NO_SERVER_OF_SHARD = 279

# What to do about a refusal, by the server's code.
# Source: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_SCHEMA = "a table is not as the migrations made it: clear task tables, or undo what was changed by hand"
_DISK = (
    "free space on the server's disk, or on that of extra.path; nothing is lost, the task may be run again"
)
_KEEPER = "see whether ZooKeeper or Keeper is there, which Replicated tables need; the task may be run again"
_LOGIN = "see whether the server still knows login and password of the connection; then run the task again"
_RIGHTS = "give this user of the connection the right to do this"
_STATEMENT = "correct the statement; if it is Stagehouse's, is the server of a version that the README names?"
_SETTINGS = "let the profile of this user have the setting otherwise"
_ANY = "the server's log tells more; the task may be run again"
_NO_RIGHT = (164, 192, 193, 194, 291, 452, 497, 516)
_NEXT_STEPS = {
    53: _STATEMENT,
    62: _STATEMENT,
    **dict.fromkeys((192, 193, 194, 516), _LOGIN),
    **dict.fromkeys((291, 497), _RIGHTS),
    452: _SETTINGS,
    225: _KEEPER,
    242: _KEEPER,
    999: _KEEPER,
    279: "start one of these servers; the task may be run again",
    UNFINISHED: "see in system.replicas which replica is not active, and why; the task may be run again",
    16: _SCHEMA,
    36: _SCHEMA,
    47: _SCHEMA,
    60: _SCHEMA,
    122: f"was the table migrated just now? Then run the task again; else {_SCHEMA}",
    75: _DISK,
    243: _DISK,
    159: "look for load on the server; the task may be run again",
    209: "look for load on the server; the task may be run again",
    164: "give this user of the connection the right to write",
    241: "raise max_memory_usage (extra.settings of the connection); the task may be run again",
    252: "wait until the server has merged the table's parts; the task may be run again",
}


@define(slots=False)
class Refused(ClickHouseError):
    """The server answered with an error. Attributes: where; code; reason, its first line."""

    where: str
    code: int
    reason: str

    def __str__(self) -> str:
        next_step = _NEXT_STEPS.get(self.code, _ANY)
        return f"{self.where}: code {self.code}: {self.reason}. Next: {next_step}"


@define(slots=False)
class NotAllowed(Refused, PermanentError):
    """The user of the connection lacks a right: no retry helps."""


def refused(where: str, code: int, reason: str) -> Refused:
    """Return the error of a server's answer. Args: as of Refused."""
    return (NotAllowed if code in _NO_RIGHT else Refused)(where, code, reason)


@define(slots=False)
class ReplicaBehind(ClickHouseError):
    """A server of a cluster has not yet what the others have. Attributes: where; table; reason."""

    where: str
    table: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}, table {self.table}: {self.reason}. Next: see system.replicas and "
            "system.replication_queue of this server, and whether ZooKeeper or Keeper is there; the task may "
            "be run again"
        )


@define(slots=False)
class OutcomeUnknown(ClickHouseError):
    """The connection broke after a statement was sent: it may have been carried out or not.

    Attributes: where; statement, its beginning; reason.
    """

    where: str
    statement: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: no answer to {self.statement!r} ({self.reason}); it may or may not have been "
            "carried out. Next: look in the server's log why it closed the connection (restart? memory? "
            "disk?), then run the task again"
        )


@define(slots=False)
class ClientShared(ClickHouseError):
    """A client is used by two threads at once, or by a process forked from the one that opened it.

    Nothing was sent: their statements and answers would mix, or both wait for ever.

    Attributes: where; reason.
    """

    where: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.reason}. Next: make a client for each thread, and in each process after "
            "its fork"
        )


@define(slots=False)
class EngineBusy(ClickHouseError):
    """Another process has the embedded engine open. Attributes: where; path; waited_s."""

    where: str
    path: str
    waited_s: float

    def __str__(self) -> str:
        return (
            f"{self.where}: the embedded engine at {self.path} serves one process at a time and was in use "
            f"for {self.waited_s:.0f} s. Next: end the process that has it (fuser {self.path}.lock), or wait "
            "for it; the task may be run again"
        )


@define(slots=False)
class DayMismatch(ClickHouseError):
    """Rows in a table are not the rows that were staged.

    Attributes: where; table; unit, a day or the name of another one; reason; next_step.
    """

    where: str
    table: str
    unit: date | str
    reason: str
    next_step: str

    def __str__(self) -> str:
        unit = f"{'day' if isinstance(self.unit, date) else 'unit'} {self.unit}"
        return f"{self.where}, table {self.table}, {unit}: {self.reason}. Next: {self.next_step}"


def reason_of(code: int, message: str) -> str:
    """Return what a server says in one line; of servers that it could not reach, which they are."""
    servers = sorted(set(re.findall(r"\(([^()\s]+:\d+)\b", message))) if code == _NO_SERVER_OF_SHARD else []
    return f"no server of a shard answers: {', '.join(servers)}" if servers else first_line(message)


def first_line(message: str) -> str:
    """Return what a server says without its C++ stack trace and without the words around it."""
    line = message.split("Stack trace", 1)[0].strip().splitlines()[0] if message.strip() else "(no text)"
    return re.sub(r"^(DB::\w+[.:] )+", "", line).rstrip(". ")
