"""What can be wrong with a source of tables, in words for the person on call.

CaptureError
+-- SourceRefused        a table, or the source, is none that can be captured
|   +-- ValueRefused     a value of it has no place in its column
+-- SourceBehind         a replica knows less than what is published
+-- SourceChanged        a table was altered while it was read
+-- SourceFailed         the source broke off what it was asked for
+-- ColumnsGone          columns that readers see are not in the source any more
+-- TableShrank          most rows of a table are gone
+-- DestinationUnlike    a table of ours has not the form that the source has now
+-- Overtaken            another run has published since this one read
+-- Differs              source and destination are not the same
"""

from __future__ import annotations

from attrs import define

from include.errors import PermanentError


class CaptureError(Exception):
    """Base of all errors of this package."""


@define(slots=False)
class SourceRefused(CaptureError, PermanentError):
    """A table of the source cannot be captured, or not by this role.

    Attributes: connection, its id; table, with its schema; reason; next_step.
    """

    connection: str
    table: str
    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"connection {self.connection!r}, table {self.table}: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class ValueRefused(CaptureError, PermanentError):
    """A value of the source has no place in its column.

    Attributes: connection, its id; table; column; key of the row; value, as the server writes it; reason.
    """

    connection: str
    table: str
    column: str
    key: str
    value: str
    reason: str

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}, table {self.table}, column {self.column}: the row with key "
            f"{self.key} has {self.value}: {self.reason}. Next: correct the value, or give the column a type "
            "that is kept as text (docs/shop-sync.md), then run the task again"
        )


@define(slots=False)
class SourceBehind(CaptureError, PermanentError):
    """The source is a replica that has not got as far as what is published.

    Attributes: connection, its id; high, the first transaction that it does not know; published, that of the
    newest run.
    """

    connection: str
    high: int
    published: int

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}: the source is a replica that is behind: it knows transactions "
            f"up to {self.high}, published are those up to {self.published}. Next: wait until it has caught "
            "up, or name another server in the connection, then run it again"
        )


@define(slots=False)
class SourceChanged(CaptureError):
    """A table was altered, or got other partitions, while it was read. Attributes: connection; table."""

    connection: str
    table: str

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}, table {self.table}: it was altered while it was read. "
            "Next: run the task again, as it does by itself"
        )


@define(slots=False)
class SourceFailed(CaptureError):
    """The source broke off what it was asked for. Attributes: connection; reason, in its words."""

    connection: str
    reason: str

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}: the source broke off: {self.reason}. Next: see its locks and "
            "load (a replica also cancels reads that hold its replay back); the task may be run again"
        )


@define(slots=False)
class ColumnsGone(CaptureError, PermanentError):
    """The source has lost columns that readers see.

    Attributes: connection, its id; columns, each as table.column.
    """

    connection: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}: the source has no longer {', '.join(self.columns)}; nothing "
            "is published. Next: bring them back, or start a run with param accept_dropped naming them: they "
            "are NULL from then on"
        )


@define(slots=False)
class TableShrank(CaptureError, PermanentError):
    """Most rows of a table are gone.

    Attributes: connection, its id; table; rows, now; published, before.
    """

    connection: str
    table: str
    rows: int
    published: int

    def __str__(self) -> str:
        return (
            f"connection {self.connection!r}, table {self.table}: it has {self.rows} rows, and "
            f"{self.published} are published: more than half of them would go, so nothing is published. "
            "Next: see why, then start a run with param accept_shrink naming the table"
        )


@define(slots=False)
class DestinationUnlike(CaptureError, PermanentError):
    """A table of ours has not the form that the source's table has now.

    Attributes: where, the connection; table; reason; next_step.
    """

    where: str
    table: str
    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.where}, table {self.table}: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class Overtaken(CaptureError, PermanentError):
    """Another run has published since this one read the source: what it read is not what comes next.

    Attributes: where, the connection; source; reason.
    """

    where: str
    source: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.where}, source {self.source}: {self.reason}; this run has published nothing. Next: clear "
            "task stage with all after it, or leave it: the next run goes on from what is published"
        )


@define(slots=False)
class Differs(CaptureError, PermanentError):
    """Source and destination were not the same, at the instant that this run has published.

    Attributes: where, the connection; tables that differ; differences, each with table, bucket and values.
    """

    where: str
    tables: tuple[str, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.where}: source and destination differ: {'; '.join(self.differences)}. Next: see who "
            f"else writes there, then start a run with param reread naming {', '.join(self.tables)}"
        )
