"""The accounts that GraphQL does not tell of: there an author is a User or nobody, and a bot is no User.

REST links a commit of a bot (dependabot[bot], Copilot) to its account all the same. Such commits have an
address of GitHub's own, so each distinct signature with one is looked up by REST, once a run.

What stays different: an account that is no User and commits under an address of its own (an organization that
was a user before, a bot of GitHub Enterprise with another domain) is named by git's author name here, by its
login in REST. `verify` shows whether a run meets one.
Sources: https://docs.github.com/en/graphql/reference/objects#gitactor ("The GitHub user corresponding to the
email field. Null if no such user exists."),
https://docs.github.com/en/rest/commits/commits#get-a-commit,
https://docs.github.com/en/account-and-profile/reference/email-addresses-reference
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pydantic import JsonValue, ValidationError

from include.errors import facts_of
from include.github.api.answer_errors import Blocked, Empty, Forbidden, Invalid, NotFound
from include.github.api.client import GitHubClient
from include.github.api.models import Account, Commit, Repository
from include.github.api.odd_items import at_second_look
from include.http.request_cost import RequestCost
from include.text import first_problem

NOREPLY = "@users.noreply.github.com"

log = logging.getLogger(__name__)


class Accounts:
    """Looks accounts up, each once. One instance a run."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Account | None] = {}
        self._turn = asyncio.Lock()

    async def complete(
        self, repository: Repository, commits: Iterable[Commit], cost: RequestCost
    ) -> list[Commit]:
        """Return the commits, each with its account. Raises: as GitHubClient.get."""
        return [
            commit.model_copy(update={"account": await self._account(repository, commit, cost)})
            if _may_be_a_bot(commit)
            else commit
            for commit in commits
        ]

    async def _account(self, repository: Repository, commit: Commit, cost: RequestCost) -> Account | None:
        signature = commit.commit.author
        who = ((signature and signature.name) or "", (signature and signature.email) or "")
        async with self._turn:  # two repositories with the same bot: one request
            if who not in self._known:
                self._known[who] = await self._look_up(repository, commit, cost)
        return self._known[who]

    async def _look_up(self, repository: Repository, commit: Commit, cost: RequestCost) -> Account | None:
        url = self._client.url("repos", repository.owner.login, repository.name, "commits", commit.sha)
        try:
            found = (await self._client.get(url, at_second_look(_read_commit, _no_commit), cost)).value
        except (NotFound, Invalid, Empty, Blocked, Forbidden) as error:
            log.warning(
                "%s: whose commit %s is stays unknown: %s", repository.full_name, commit.sha, facts_of(error)
            )
            return None
        if found is None:
            text = "%s: whose commit %s is stays unknown: what GitHub says of it is odd"
            log.warning(text, repository.full_name, commit.sha)
        return found.account if found else None


def _no_commit(_: JsonValue) -> Commit | None:
    return None


def _may_be_a_bot(commit: Commit) -> bool:
    known = commit.account and commit.account.login
    email = (commit.commit.author and commit.commit.author.email) or ""
    return not known and email.lower().endswith(NOREPLY)


def _read_commit(value: JsonValue) -> Commit | None:
    try:
        return Commit.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"not a commit: {first_problem(error)}") from error
