"""The search syntax of GitHub, as far as a ranking by stars needs it.

Source: https://docs.github.com/en/search-github/searching-on-github/searching-for-repositories
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from include.github_stand_in.dataset import Repository

MAX_QUERY_CHARACTERS = 256
Condition = Callable[[Repository], bool]

_TERM = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')
_NUMBER = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<low>\d+|\*)(?:\.\.(?P<high>\d+|\*))?", re.ASCII)


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
    """What is asked for. sort: "stars", "forks", or anything else for best match; order: "asc" or else."""

    q: str
    sort: str = ""
    order: str = ""


class SearchIndex:
    """Answers searches over a fixed list of repositories; the last queries are kept sorted."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        # sorted() is stable: equal stars stay in the order of the data set.
        self._by_stars = tuple(sorted(repositories, key=lambda repository: -repository.stars))
        self._owners = frozenset(repository.owner.login.lower() for repository in repositories)
        self._found = lru_cache(maxsize=64)(self._search)

    def find(self, search: Search) -> tuple[Repository, ...]:
        """Return all repositories that match, best first; by stars unless asked for forks.

        Raises:
            QueryError: as read_query, or an owner that does not exist.
        """
        return self._found(search)

    def _search(self, search: Search) -> tuple[Repository, ...]:
        conditions = read_query(search.q)
        self._refuse_unknown_owners(search.q)
        found = tuple(r for r in self._by_stars if all(holds(r) for holds in conditions))
        if search.sort == "forks":
            found = tuple(sorted(found, key=lambda repository: -repository.forks))
        return found[::-1] if search.sort and search.order == "asc" else found

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
    return lambda repository: at_least <= of(repository) and (at_most is None or of(repository) <= at_most)
