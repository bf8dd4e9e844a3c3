"""The data sets of the stand-in: their parts, and the one interface that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Standing(StrEnum):
    """GitHub's answer to a request for the commits of a repository."""

    PRESENT = "present"  # 200
    EMPTY = "empty"  # 409: created, but nothing was ever committed
    GONE = "gone"  # 404: deleted or made private, yet still in the search index
    BLOCKED = "blocked"  # 451: taken down
    MOVED = "moved"  # 301: renamed or transferred, the search index has the old name


@dataclass(frozen=True, slots=True)
class Account:
    """A GitHub account. kind: User, Organization or Bot."""

    login: str
    id: int
    kind: str = "User"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as the search index has it; what changes with time is asked from the data set.

    Attributes:
        id: stable number of the repository; survives renames.
        stars: also its `watchers_count`, as in the real API.
        language: None where GitHub recognises none.
        created_at: aware, UTC.
        moved_to: "owner/name" of today, for Standing.MOVED only.
    """

    id: int
    owner: Account
    name: str
    stars: int
    forks: int
    open_issues: int
    language: str | None
    created_at: datetime
    description: str | None = None
    standing: Standing = Standing.PRESENT
    moved_to: str | None = None

    @property
    def full_name(self) -> str:
        """Owner and name as searched for: "owner/name"."""
        return f"{self.owner.login}/{self.name}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A person and a time, as git has them: any text may be blank, `at` is aware, UTC, whole seconds."""

    name: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a default branch.

    Attributes:
        sha: 40 hexadecimal digits.
        author: None where git's own record is damaged.
        committer: its date is the one that `since` and `until` compare.
        author_account: None where the e-mail belongs to no account; so is committer_account.
        parents: shas.
    """

    sha: str
    message: str
    author: Signature | None
    committer: Signature
    author_account: Account | None
    committer_account: Account | None
    parents: tuple[str, ...] = ()


class Dataset(Protocol):
    """The data that `create_app` serves. Every method is a pure function of its arguments."""

    @property
    def repositories(self) -> Sequence[Repository]:
        """All repositories in the order in which equal stars are answered; it never changes."""

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:
        """Return when the repository was last pushed to, as known at `as_of` (aware, UTC)."""

    def commits(
        self, repository: Repository, since: datetime | None, until: datetime, page: slice
    ) -> tuple[Sequence[Commit], int]:
        """Return one page of the commits in [since, until] (both ends included), newest first.

        Args:
            repository: one of `repositories`.
            since: None for the beginning of the history.
            until: never after the server's now.
            page: positions counted from the newest; start and stop are given.

        Returns:
            The commits of that page, and how many there are in the whole range.
        """
