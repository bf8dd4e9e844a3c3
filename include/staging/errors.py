"""What can be wrong with staging files, in words for the person on call."""

from __future__ import annotations


class StagingError(Exception):
    """Base of all errors of staging files."""


class BadRow(StagingError):
    """A row does not fit its table.

    Attributes: table; row, its number from 1; column; reason.
    """

    def __init__(self, table: str, row: int, column: str, reason: str) -> None:
        super().__init__(table, row, column, reason)
        self.table, self.row, self.column, self.reason = table, row, column, reason

    def __str__(self) -> str:
        return f"table {self.table}, row {self.row}, column {self.column}: {self.reason}"


class StagingFileMissing(StagingError):
    """A staging file that a later step needs is not there.

    Attributes: path; next_step, what to do about it.
    """

    def __init__(self, path: str, next_step: str) -> None:
        super().__init__(path, next_step)
        self.path, self.next_step = path, next_step

    def __str__(self) -> str:
        return f"staging file {self.path} is missing: {self.next_step}"


class StagingFileDamaged(StagingError):
    """A staging file is there but is not what was written.

    Attributes: path; reason.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return (
            f"staging file {self.path} is damaged ({self.reason}): clear the task that wrote it, then run it"
        )
