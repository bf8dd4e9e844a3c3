"""Data recorded from the real API: a directory with repositories.csv and commits.csv.gz.

repositories.csv: owner, name, stars, forks, open_issues, language, pushed_at; one line a repository.
commits.csv.gz: owner, name, sha, committed_at, author_login, author_name; one line a commit.
What was not recorded (creation, messages, e-mails, author dates) is filled in, the same in every process.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from include.github_stand_in.dataset import Account, Commit, Repository, Signature
from include.github_stand_in.recording_rows import Row, read_rows

FIRST_ID = 1000
OPENING_OF_GITHUB = datetime(2008, 4, 10, tzinfo=UTC)

_REPOSITORY_COLUMNS = ("owner", "name", "stars", "forks", "open_issues", "language", "pushed_at")
_COMMIT_COLUMNS = ("owner", "name", "sha", "committed_at", "author_login", "author_name")


class Recorded:
    """A recording as a data set. Repositories have ids from 1000 on, in the order of the file.

    Args:
        repositories: in the order of the file.
        pushed_at: by id of the repository, aware, UTC.
        commits: by id of the repository, oldest first.
    """

    def __init__(
        self,
        repositories: Sequence[Repository],
        pushed_at: Mapping[int, datetime],
        commits: Mapping[int, Sequence[Commit]],
    ) -> None:
        self.repositories = repositories
        self._pushed_at = pushed_at
        self._commits = commits

    @property
    def last_day(self) -> date | None:
        """The UTC day of the youngest commit; None without any."""
        return max((of[-1].committer.at.date() for of in self._commits.values() if of), default=None)

    def shift_to(self, last_day: date) -> "Recorded":
        """Return the same recording with all its times moved by whole days, so that it ends on a day.

        The last push of a repository moves alike; one that was recorded after the last commit stays after it.
        """
        if self.last_day is None:
            return self
        by = last_day - self.last_day
        pushed_at = {number: at + by for number, at in self._pushed_at.items()}
        commits = {number: [_moved(commit, by) for commit in of] for number, of in self._commits.items()}
        return Recorded(self.repositories, pushed_at, commits)

    def pushed_at(self, repository: Repository, as_of: datetime) -> datetime:  # noqa: ARG002 - it was recorded once
        """Return the recorded time of the last push, whatever `as_of` is."""
        return self._pushed_at[repository.id]

    def commits(
        self, repository: Repository, since: datetime | None, until: datetime, page: slice
    ) -> tuple[Sequence[Commit], int]:
        """Return a page of the commits in [since, until], newest first, and how many there are in all."""
        history = self._commits.get(repository.id, ())
        first = bisect_left(history, since, key=_committed_at) if since else 0
        end = bisect_right(history, until, key=_committed_at)
        total = max(0, end - first)
        newest, oldest = min(page.start, total), min(page.stop, total)
        return history[end - oldest : end - newest][::-1], total


def read_recording(directory: Path) -> Recorded:
    """Read a recording. Raises RecordingError, which names the file, the line and the column at fault."""
    repositories, pushed_at = _read_repositories(directory / "repositories.csv")
    by_name = {repository.full_name.lower(): repository for repository in repositories}
    commits: dict[int, list[Commit]] = {}
    seen: set[tuple[int, str]] = set()
    for row in read_rows(directory / "commits.csv.gz", _COMMIT_COLUMNS):
        repository = by_name.get(f"{row.name('owner')}/{row.name('name')}".lower())
        if repository is None:
            raise row.wrong("name", f"a repository of {row.text('owner')} in repositories.csv")
        commit = _commit(row)
        if (repository.id, commit.sha) in seen:
            raise row.wrong("sha", "new: an earlier line has the same commit")
        seen.add((repository.id, commit.sha))
        commits.setdefault(repository.id, []).append(commit)
    return Recorded(repositories, pushed_at, {number: _oldest_first(of) for number, of in commits.items()})


def _read_repositories(file: Path) -> tuple[list[Repository], dict[int, datetime]]:
    repositories: list[Repository] = []
    pushed_at: dict[int, datetime] = {}
    names: set[str] = set()
    for number, row in enumerate(read_rows(file, _REPOSITORY_COLUMNS), start=FIRST_ID):
        repository = _repository(number, row)
        if repository.full_name.lower() in names:
            raise row.wrong("name", f"new: an earlier line has {repository.full_name}")
        names.add(repository.full_name.lower())
        repositories.append(repository)
        pushed_at[number] = row.moment("pushed_at")
    return repositories, pushed_at


def _repository(number: int, row: Row) -> Repository:
    return Repository(
        id=number,
        owner=_account(row.name("owner"), "Organization"),
        name=row.name("name"),
        stars=row.count("stars"),
        forks=row.count("forks"),
        open_issues=row.count("open_issues"),
        language=row.text("language") or None,
        created_at=OPENING_OF_GITHUB,
    )


def _commit(row: Row) -> Commit:
    login, at = row.text("author_login"), row.moment("committed_at")
    account = _account(login, "Bot" if login.endswith("[bot]") else "User") if login else None
    signature = Signature(row.text("author_name"), _email(row.text("author_name"), account), at)
    return Commit(
        sha=row.sha("sha"),
        message=f"Recorded change {row.text('sha')[:7]}",
        author=signature,
        committer=signature,
        author_account=account,
        committer_account=account,
    )


def _email(name: str, account: Account | None) -> str:
    """Return an address: of a bot that of its kind, else one that depends on login and name alone."""
    if account and account.kind == "Bot":
        return f"{account.id}+{account.login}@users.noreply.github.com"
    who = sha256(f"{account.login if account else ''}:{name}".encode()).hexdigest()[:12]
    return f"{who}@recorded.example"


def _account(login: str, kind: str) -> Account:
    """Return an account with a number that depends on its login alone."""
    return Account(login, int.from_bytes(sha256(login.lower().encode()).digest()[:4]), kind)


def _oldest_first(commits: Iterable[Commit]) -> list[Commit]:
    # Files list the newest first; commits of one second keep that order when pages turn it round again.
    history = list(commits)[::-1]
    history.sort(key=_committed_at)
    return history


def _committed_at(commit: Commit) -> datetime:
    return commit.committer.at


def _moved(commit: Commit, by: timedelta) -> Commit:
    committer = replace(commit.committer, at=commit.committer.at + by)
    author = replace(commit.author, at=commit.author.at + by) if commit.author else None
    return replace(commit, author=author, committer=committer)
