"""What can be wrong with a file of the inbox, in words for the person on call."""

from __future__ import annotations

from include.errors import PermanentError


class ImportFileError(ValueError, PermanentError):
    """A file cannot be imported as it is. Attributes: path; reason, with the next step."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"import file {ascii(self.path)[:200]}: {self.reason}"


class OutsideInbox(ImportFileError):
    """The path is not one of a file in the inbox."""


class BadHeader(ImportFileError):
    """The first line of a CSV does not name each column once."""


class ImportFileDamaged(ImportFileError):
    """The file is cut short, is no gzip although it begins like one, or is in another encoding."""


class ImportFileTooLarge(ImportFileError):
    """The file, unpacked, is larger than an import may be."""


class ImportFileChanged(ImportFileError):
    """The file is not, or no longer, the one that this run has read."""


class TooManyRejected(ValueError, PermanentError):
    """More lines were rejected than the run allows; nothing was loaded.

    Attributes: allowed; rejected, so far; line and reason of the first one; reject_file, its path.
    """

    def __init__(self, allowed: int, rejected: int, line: int, reason: str, reject_file: str) -> None:
        super().__init__(allowed, rejected, line, reason, reject_file)
        self.allowed, self.rejected, self.line = allowed, rejected, line
        self.reason, self.reject_file = reason, reject_file

    def __str__(self) -> str:
        return (
            f"at least {self.rejected} lines were rejected, param max_rejected allows {self.allowed}; "
            f"nothing was loaded. The first is line {self.line}: {self.reason}. "
            f"All that were seen: {self.reject_file}"
        )
