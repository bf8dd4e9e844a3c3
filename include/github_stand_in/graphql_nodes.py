"""Repositories and commits as GitHub's GraphQL API has them: mappings, a call where a field has arguments.

graphql-core's own resolver reads these: a value that can be called gets the arguments of the field.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

from include.github_stand_in.dataset import Account, Commit, Dataset, Repository, Signature, Standing
from include.github_stand_in.graphql_cost import MOST_A_PAGE
from include.github_stand_in.repository_json import node_id, timestamp

Node = dict[str, Any]
_HISTORY_CURSOR = re.compile(r"[0-9a-f]{40} [0-9]{1,9}")


def refused(kind: str, message: str) -> GraphQLError:
    """Make an error that GitHub tells of one field. kind: its `type`."""
    return GraphQLError(message, extensions={"type": kind})


def page_size(connection: str, first: int | None) -> int:
    """Return how many are asked for. Raises GraphQLError where GitHub wants another number, or one at all."""
    if first is None:
        raise refused(
            "MISSING_PAGINATION_BOUNDARIES",
            f"You must provide a `first` or `last` value to properly paginate the `{connection}` connection.",
        )
    if not 0 <= first <= MOST_A_PAGE:
        raise refused(
            "EXCESSIVE_PAGINATION",
            f"Requesting {first} records on the `{connection}` connection exceeds the `first` limit of "
            f"{MOST_A_PAGE} records.",
        )
    return first


def page(nodes: Sequence[Node], total: int, positions: slice, cursor: Callable[[int], str]) -> Node:
    """Make a page of a connection. total: entries that can be reached; cursor: names a position."""
    end = positions.start + len(nodes)
    return {
        "nodes": nodes,
        "totalCount": total,
        "pageInfo": {
            "hasNextPage": end < total,
            "hasPreviousPage": positions.start > 0,
            "startCursor": cursor(positions.start) if nodes else None,
            "endCursor": cursor(end - 1) if nodes else None,
        },
    }


def after_history_cursor(cursor: str | None) -> int:
    """Return the position after a cursor of a history: the head it was read from, and a position."""
    if cursor is None:
        return 0
    if not _HISTORY_CURSOR.fullmatch(cursor):
        raise refused("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.")
    return int(cursor.partition(" ")[2]) + 1


def search_cursor(position: int) -> str:
    """Name a position of a search as GitHub does: in base64, `cursor:` and how many results end there."""
    return b64encode(f"cursor:{position + 1}".encode()).decode()


def after_search_cursor(cursor: str | None) -> int:
    """Return the position after a cursor of a search. Raises GraphQLError."""
    try:
        return int(b64decode(cursor, validate=True).removeprefix(b"cursor:")) if cursor else 0
    except ValueError:
        raise refused(
            "INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor."
        ) from None


class Nodes:
    """Makes nodes of one data set. as_of: the server's time: nothing younger is in an answer."""

    def __init__(self, dataset: Dataset, as_of: datetime) -> None:
        self._dataset, self._as_of = dataset, as_of

    def repository(self, repository: Repository, full_name: str) -> Node:
        """Make a repository under the name that it has in this answer."""
        owner, _, name = full_name.partition("/")
        empty = repository.standing is Standing.EMPTY
        pushed_at = timestamp(self._dataset.pushed_at(repository, self._as_of))
        language = repository.language
        return {
            "__typename": "Repository",
            "id": node_id("Repository", repository.id),
            "databaseId": repository.id,
            "name": name,
            "nameWithOwner": full_name,
            "owner": {"__typename": repository.owner.kind, "login": owner},
            "stargazerCount": repository.stars,
            "forkCount": repository.forks,
            "primaryLanguage": {"name": language} if language else None,
            "updatedAt": pushed_at,
            "pushedAt": pushed_at,
            "isEmpty": empty,
            "defaultBranchRef": None if empty else lambda *_: self._branch(repository),
        }

    def _branch(self, repository: Repository) -> Node:
        pushed_at = self._dataset.pushed_at(repository, self._as_of)
        newest, _ = self._dataset.commits(repository, pushed_at, self._as_of, slice(0, 1))
        head = newest[0].sha if newest else "0" * 40  # a recording may have the push without its commits
        history = _History(self._dataset, repository, head, self._as_of)
        target = {"__typename": "Commit", "oid": head, "history": history}
        return {"__typename": "Ref", "name": "main", "target": target}


class _History:
    """The commits that a head can reach; its cursors begin with that head, as GitHub's do."""

    def __init__(self, dataset: Dataset, repository: Repository, head: str, as_of: datetime) -> None:
        self._dataset, self._repository, self._head, self._as_of = dataset, repository, head, as_of

    def __call__(
        self,
        _info: object,
        *,
        first: int | None = None,
        after: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Node:
        """Return a page, newest first; since and until are included, and by committer date."""
        begin = after_history_cursor(after)
        positions = slice(begin, begin + page_size("history", first))
        last = min(_moment(until) or self._as_of, self._as_of)
        commits, total = self._dataset.commits(self._repository, _moment(since), last, positions)
        return page([_commit(commit) for commit in commits], total, positions, lambda n: f"{self._head} {n}")


def _commit(commit: Commit) -> Node:
    return {
        "__typename": "Commit",
        "oid": commit.sha,
        "committedDate": timestamp(commit.committer.at),
        "authoredDate": timestamp((commit.author or commit.committer).at),
        "author": _actor(commit.author, commit.author_account),
        "committer": _actor(commit.committer, commit.committer_account),
    }


def _actor(signature: Signature | None, account: Account | None) -> Node | None:
    if signature is None:
        return None
    # "The GitHub user corresponding to the email field": the type User, which a bot is not.
    user = {"__typename": "User", "login": account.login} if account and account.kind == "User" else None
    return {
        "name": signature.name,
        "email": signature.email,
        "date": timestamp(signature.at),
        "user": user,
    }


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise refused("argumentLiteralsIncompatible", f"{text!r} is not a GitTimestamp") from None
