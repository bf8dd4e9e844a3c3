"""GitHub's answers to REST calls, without sockets, quotas or faults: from address and data set to body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode

from include.github_stand_in.answers import (
    Answer,
    RefusedError,
    Written,
    beyond_search_cap,
    blocked,
    empty_repository,
    moved,
    not_found,
    refusal,
    validation_failed,
    write,
)
from include.github_stand_in.catalogue import Catalogue
from include.github_stand_in.commit_json import commit_json
from include.github_stand_in.dataset import Dataset, Repository, Standing
from include.github_stand_in.paging import Page, link_header, read_page
from include.github_stand_in.repository_json import full_repository_json, search_item_json, timestamp
from include.github_stand_in.root_json import root_json
from include.github_stand_in.search import QueryError, Search, SearchIndex

SEARCH_CAP = 1000
# Filters of the real call that no client of ours uses: answering as if they were not there would be a lie.
UNSERVED_FILTERS = ("sha", "path", "author", "committer")


@dataclass(frozen=True, slots=True)
class Call:
    """One GET request, decoded.

    Attributes:
        path: without query.
        base: root of this API as the client addressed it, without a slash at its end.
        as_of: the server's time, aware, UTC, whole seconds: nothing younger is in the answer.
    """

    path: str
    base: str
    as_of: datetime
    query: Mapping[str, str] = field(default_factory=dict)


class RestApi:
    """Answers calls about one data set. Attributes: catalogue, index: what it is looked up in."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.catalogue = Catalogue(dataset.repositories)
        self.index = SearchIndex(dataset.repositories)
        # Full pages cost milliseconds to write; many requests a second are for the same ones.
        self._search_page = lru_cache(maxsize=32)(self._write_search_page)
        self._commits_page = lru_cache(maxsize=256)(self._write_commits_page)

    def move(self, stars: Mapping[int, int]) -> None:
        """Give repositories other stars, by id, for all searches from now on."""
        self.index.move(stars)
        self._search_page.cache_clear()

    def answer(self, call: Call) -> Answer:
        """Return the answer to a call; refusals are answers too."""
        try:
            return self._route(call)
        except RefusedError as refused:
            return refused.answer

    def _route(self, call: Call) -> Answer:
        match call.path.removeprefix("/").split("/"):
            case [""]:
                return write(root_json(call.base)).answer()
            case ["search", "repositories"]:
                return self._search(call)
            case ["repos", owner, name, *rest]:
                return self._repository_call(call, self._named(call, owner, name, rest), rest)
            case ["repositories", number, *rest]:
                return self._repository_call(call, self.catalogue.numbered(number), rest)
        raise RefusedError(not_found())

    def _named(self, call: Call, owner: str, name: str, rest: list[str]) -> Repository:
        """Find a repository by name; a name it no longer has leads to its address by id."""
        repository = self.catalogue.named(owner, name)
        if (
            repository.standing is Standing.MOVED
            and repository.full_name.lower() == f"{owner}/{name}".lower()
        ):
            address = "/".join([call.base, "repositories", str(repository.id), *rest])
            raise RefusedError(moved(f"{address}?{urlencode(call.query)}" if call.query else address))
        return repository

    def _repository_call(self, call: Call, repository: Repository, rest: list[str]) -> Answer:
        if repository.standing is Standing.GONE:
            raise RefusedError(not_found())
        if repository.standing is Standing.BLOCKED:
            notice = f"{call.base}/notices/{repository.id}"
            raise RefusedError(blocked(timestamp(repository.created_at), notice))
        match rest:
            case []:
                pushed_at = self._dataset.pushed_at(repository, call.as_of)
                return write(full_repository_json(repository, pushed_at, call.base)).answer()
            case ["commits"]:
                return self._commits(call, repository)
            case ["commits", sha]:
                return self._commit(call, repository, sha)
        raise RefusedError(not_found())

    def _commits(self, call: Call, repository: Repository) -> Answer:
        for name in UNSERVED_FILTERS:
            if name in call.query:
                reason = "This stand-in does not serve the filter."
                raise RefusedError(validation_failed("Commit", name, "invalid", reason))
        since, until = _moment(call.query, "since"), _moment(call.query, "until")
        if repository.standing is Standing.EMPTY:
            raise RefusedError(empty_repository())
        page = read_page(call.query)
        until = min(until or call.as_of, call.as_of)
        written = self._commits_page(repository, since, until, page, call.base)
        address = f"{call.base}/repositories/{repository.id}/commits"
        return written.answer(_link(address, call, page, written.total))

    def _commit(self, call: Call, repository: Repository, sha: str) -> Answer:
        """Answer one commit, of the last year only: a data set has no list of them by sha."""
        if repository.standing is Standing.EMPTY:
            raise RefusedError(empty_repository())
        since, at = call.as_of - timedelta(days=366), 0
        while True:
            commits, total = self._dataset.commits(repository, since, call.as_of, slice(at, at + 1000))
            for commit in commits:
                if commit.sha == sha:
                    full_name = repository.moved_to or repository.full_name
                    return write(commit_json(commit, full_name, call.base)).answer()
            at += 1000
            if at >= total:
                raise RefusedError(refusal(422, f"No commit found for SHA: {sha}"))

    def _write_commits_page(
        self, repository: Repository, since: datetime | None, until: datetime, page: Page, base: str
    ) -> Written:
        commits, total = self._dataset.commits(repository, since, until, page.positions)
        full_name = repository.moved_to or repository.full_name
        return write([commit_json(commit, full_name, base) for commit in commits], total)

    def _search(self, call: Call) -> Answer:
        page = read_page(call.query)
        search = Search(*(call.query.get(name, "") for name in ("q", "sort", "order")))
        try:
            found = self.index.find(search)
        except QueryError as refused:
            raise RefusedError(validation_failed("Search", "q", refused.code, refused.reason)) from refused
        if page.positions.start >= SEARCH_CAP:
            raise RefusedError(beyond_search_cap())
        written = self._search_page(search, page, call.base, call.as_of)
        address, reachable = f"{call.base}/search/repositories", min(len(found), SEARCH_CAP)
        return written.answer(_link(address, call, page, reachable))

    def _write_search_page(self, search: Search, page: Page, base: str, as_of: datetime) -> Written:
        found = self.index.find(search)
        items = [
            search_item_json(repository, self._dataset.pushed_at(repository, as_of), base)
            for repository in found[:SEARCH_CAP][page.positions]
        ]
        return write({"total_count": len(found), "incomplete_results": False, "items": items}, len(found))


def _link(address: str, call: Call, page: Page, total: int) -> dict[str, str]:
    link = link_header(address, call.query, page, total)
    return {"Link": link} if link else {}


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Read `since` or `until`; a time without a zone is UTC."""
    if not query.get(name):
        return None
    try:
        moment = datetime.fromisoformat(query[name])
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as malformed:
        raise RefusedError(validation_failed("Commit", name, "invalid")) from malformed
