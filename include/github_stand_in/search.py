"""The search syntax of GitHub, as far as a ranking by stars needs it.

Source: https://docs.github.com/en/search-github/searching-on-github/searching-for-repositories
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from include.github_stand_in.dataset import Repository

MAX_QUERY_CHARACTERS = 256
Condition = Callable[[Repository], bool]

_TERM = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')
_NUMBER = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<low>\d+|\*)(?:\.\.(?P<high>\d+|\*))?", re.ASCII)


_MOMENT = r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2}))?|\*"
_MOMENTS = re.compile(rf"(?P<sign>>=|<=|>|<)?(?P<low>{_MOMENT})(?:\.\.(?P<high>{_MOMENT}))?", re.ASCII)
_BEGIN_OF_TIME, _END_OF_TIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class QueryError(ValueError):
    """The query is answered with 422. Attributes: code, GitHub's word for it; reason, may be None."""

    def __init__(self, code: str, reason: str | None) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"q is {self.code}: {self.reason or 'it must not be empty'}"


def read_query(q: str) -> list[Condition]:
    """Turn the text of a search into conditions that must all hold.

    Raises:
        QueryError: empty, too long, or with a qualifier or operator that is not served.
    """
    if not q.strip():
        raise QueryError("missing", None)
    if len(q) > MAX_QUERY_CHARACTERS:
        raise QueryError("invalid", f"The search is longer than {MAX_QUERY_CHARACTERS} characters.")
    return [_condition(term) for term in _TERM.finditer(q)]


@dataclass(frozen=True, slots=True)
class Search:
    """A search. sort: "stars", "forks", or anything else for best match; order: "asc" or else."""

    q: str
    sort: str = ""
    order: str = ""


class SearchIndex:
    """Answers searches over a fixed list of repositories; the last queries are kept sorted."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self._repositories = list(repositories)
        self._owners = frozenset(repository.owner.login.lower() for repository in repositories)
        self._found = lru_cache(maxsize=64)(self._search)
        self._sort()

    def _sort(self) -> None:
        # sorted() is stable: equal stars stay in the order of the data set.
        self._by_stars = tuple(sorted(self._repositories, key=lambda repository: -repository.stars))
        self._fewer = [-repository.stars for repository in self._by_stars]
        self._found.cache_clear()

    def move(self, stars: Mapping[int, int]) -> None:
        """Give repositories other stars, by id: from now on they are found elsewhere in the list."""
        self._repositories = [replace(r, stars=stars.get(r.id, r.stars)) for r in self._repositories]
        self._sort()

    def find(self, search: Search) -> tuple[Repository, ...]:
        """Return all repositories that match, best first; by stars unless asked for forks.

        Raises:
            QueryError: as read_query, or an owner that does not exist.
        """
        return self._found(search)

    def _search(self, search: Search) -> tuple[Repository, ...]:
        conditions = read_query(search.q)
        self._refuse_unknown_owners(search.q)
        found = tuple(r for r in self._starred(search.q) if all(holds(r) for holds in conditions))
        if search.sort == "forks":
            found = tuple(sorted(found, key=lambda repository: -repository.forks))
        return found[::-1] if search.sort and search.order == "asc" else found

    def _starred(self, q: str) -> Sequence[Repository]:
        """Return at least those with the stars that are asked for: to look at all of a long list is slow."""
        first, end = 0, len(self._by_stars)
        for term in _TERM.finditer(q):
            if (term["key"] or "").lower() == "stars" and not term["minus"]:
                low, high = _number_range(_value(term).lower())
                first = max(first, bisect_left(self._fewer, -high) if high is not None else 0)
                end = min(end, bisect_right(self._fewer, -low))
        return self._by_stars[first:end]

    def _refuse_unknown_owners(self, q: str) -> None:
        asked = defaultdict(set)
        for term in _TERM.finditer(q):
            asked[(term["key"] or "").lower()].add(_value(term).lower())
        if (asked["user"] | asked["org"]) - self._owners:
            raise QueryError(
                "invalid",
                "The listed users and repositories cannot be searched either because the resources do not "
                "exist or you do not have permission to view them.",
            )


def _value(term: re.Match[str]) -> str:
    return term["quoted"] if term["quoted"] is not None else term["plain"]


def _condition(term: re.Match[str]) -> Condition:
    """Turn one word or qualifier into a condition."""
    value = _value(term).lower()
    match (term["key"] or "").lower():
        case "" if term["plain"] in {"AND", "OR", "NOT"}:
            raise QueryError("invalid", f"The operator {value.upper()} is not served by this stand-in.")
        case "":
            holds = _word(value)
        case "stars":
            holds = _number(value, lambda repository: repository.stars)
        case "forks":
            holds = _number(value, lambda repository: repository.forks)
        case "created":
            holds = _created(value)
        case "language":
            holds = _language(value)
        case "user" | "org":
            holds = _owner(value)
        case _:
            raise QueryError("invalid", "None of the search qualifiers apply to this search type.")
    return _negated(holds) if term["minus"] else holds


def _negated(holds: Condition) -> Condition:
    return lambda repository: not holds(repository)


def _word(word: str) -> Condition:
    return lambda repository: word in repository.full_name.lower()


def _language(language: str) -> Condition:
    return lambda repository: (repository.language or "").lower() == language


def _owner(login: str) -> Condition:
    return lambda repository: repository.owner.login.lower() == login


def _number(text: str, of: Callable[[Repository], int]) -> Condition:
    low, high = _number_range(text)
    return lambda repository: low <= of(repository) and (high is None or of(repository) <= high)


def _number_range(text: str) -> tuple[int, int | None]:
    """Read N, >N, >=N, <N, <=N, a..b, a..* or *..b."""
    parts = _NUMBER.fullmatch(text)
    if parts is None or (parts["sign"] and (parts["high"] or parts["low"] == "*")):
        raise QueryError("invalid", f"{text!r} is not a number or a range of numbers.")
    low, high = parts["low"], parts["high"] or parts["low"]
    at_least = -1 if low == "*" else int(low)
    at_most = None if high == "*" else int(high)
    match parts["sign"]:
        case ">":
            at_least, at_most = at_least + 1, None
        case ">=":
            at_most = None
        case "<":
            at_least, at_most = -1, at_least - 1
        case "<=":
            at_least, at_most = -1, at_least
    return at_least, at_most


def _created(text: str) -> Condition:
    """Read T, >T, >=T, <T, <=T, T..T, T..* or *..T; T is a day, or a second. A day begins and ends."""
    parts = _MOMENTS.fullmatch(text.upper())
    if parts is None or (parts["sign"] and (parts["high"] or parts["low"] == "*")):
        raise QueryError("invalid", f"{text!r} is not a date or a range of dates.")
    (begin, _), (_, end) = _moments(parts["low"]), _moments(parts["high"] or parts["low"])
    match parts["sign"]:
        case ">":
            begin, end = end, _END_OF_TIME
        case ">=":
            end = _END_OF_TIME
        case "<":
            begin, end = _BEGIN_OF_TIME, begin
        case "<=":
            begin = _BEGIN_OF_TIME
    return lambda repository: begin <= repository.created_at < end


def _moments(text: str) -> tuple[datetime, datetime]:
    """Return when a day or a second begins, and when it is over."""
    if text == "*":
        return _BEGIN_OF_TIME, _END_OF_TIME
    try:
        begin = datetime.fromisoformat(text)
        begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
        return begin, begin + (timedelta(seconds=1) if "T" in text else timedelta(days=1))
    except (ValueError, OverflowError) as malformed:
        raise QueryError("invalid", f"{text!r} is not a date.") from malformed
