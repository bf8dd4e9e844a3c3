"""Errors of a file of the inbox, in words for the person on call."""

from __future__ import annotations

from typing import ClassVar

from attrs import define

from include.errors import PermanentError


@define(slots=False)
class ImportFileError(ValueError, PermanentError):
    """A file cannot be imported as it is. Attributes: path; reason. Of a kind: next_step."""

    path: str
    reason: str
    next_step: ClassVar[str] = "correct the file, then start a new run for it"

    def __str__(self) -> str:
        return f"import file {ascii(self.path)[:200]}: {self.reason}. Next: {self.next_step}"


class OutsideInbox(ImportFileError):
    """The path is not one of a file in the inbox."""

    next_step = "see that the file is there, below the inbox, then start a new run for it"


@define(slots=False)
class InboxAway(OSError):
    """The store of the inbox gives no usable answer: nobody knows what it has. Attributes: inbox; reason."""

    inbox: str
    reason: str

    def __str__(self) -> str:
        return (
            f"inbox {self.inbox}: no usable answer ({self.reason}). Next: see whether the store is up, and "
            "what its connection may do there, then run the task again"
        )


class BadHeader(ImportFileError):
    """The first line of a CSV does not name each column once."""

    next_step = "correct the first line, then start a new run for the file"


class ImportFileDamaged(ImportFileError):
    """The file is cut short, is no gzip although it begins like one, or is in another encoding."""

    next_step = "deliver the file again, whole and in UTF-8, then start a new run for it"


class LastLineEndMissing(ImportFileDamaged):
    """The last line has no line end, and the run requires one."""

    next_step = "deliver the file again, whole, or allow it by require_last_line_end, in a new run"


class ImportFileTooLarge(ImportFileError):
    """The file, unpacked, is larger than an import may be."""

    next_step = "split the file, then start a new run for each part"


class ImportFileChanged(ImportFileError):
    """The file is not, or no longer, the one that this run has read."""

    next_step = "see that the file is complete, then start a new run for it"


@define(slots=False)
class TooManyRejected(ValueError, PermanentError):
    """More lines were rejected than the run allows; nothing was loaded.

    Attributes: allowed; rejected, so far; line and reason of the first one; reject_file, its path.
    """

    allowed: int
    rejected: int
    line: int
    reason: str
    reject_file: str

    def __str__(self) -> str:
        return (
            f"at least {self.rejected} lines were rejected, param max_rejected allows {self.allowed}; "
            f"nothing was loaded. The first is line {self.line}: {self.reason}. "
            f"All that were seen: {self.reject_file}. Next: correct them, or allow more by "
            "max_rejected, in a new run"
        )


@define(slots=False)
class BadUpload(ValueError):
    """The upload is not kept. Attributes: reason; next_step."""

    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"nothing was kept: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class UploadTooLarge(BadUpload):
    """More was sent than an upload may have. Attributes: reason; next_step."""

    next_step: str = "pack it by gzip, split it, or copy it into the folder that inbox_root names"


@define(slots=False)
class UploadCut(BadUpload):
    """Less was sent than was announced. Attributes: reason; next_step."""

    next_step: str = "send it again"
