"""The range of stars that a query asks for: taken out of it, so that slices of it can be put in instead."""

from __future__ import annotations

import re
from typing import NamedTuple

_TERM = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')
_NUMBERS = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<low>\d{1,10}|\*)(?:\.\.(?P<high>\d{1,10}|\*))?", re.ASCII)
_OPERATOR = re.compile(r"[()]|(?<!\S)(?:AND|OR|NOT)(?!\S)")
_SORT = re.compile(r"(?<!\w)sort:", re.IGNORECASE)


class StarRange(NamedTuple):
    """Stars, both ends included. high: None where there is no end."""

    low: int = 0
    high: int | None = None


def take_stars_out(query: str) -> tuple[str, StarRange]:
    """Return the rest of a query, and its range of stars; all stars where it has none.

    GitHub does not define what two qualifiers `stars:` mean, so a slice has to take the place of the query's;
    nor what a slice bounds that stands beside an expression.

    Raises: ValueError, what the query has to be, for more than one, a negated one, an operator or a bracket.
    """
    terms = [term for term in _TERM.finditer(query) if (term["key"] or "").lower() == "stars"]
    rest, stars = query.strip(), StarRange()
    if terms:
        begin, end = terms[0].span()
        rest, stars = f"{query[:begin].rstrip()} {query[end:].lstrip()}".strip(), _read(terms[0])
    if "stars:" in _unquoted(rest).lower() or _OPERATOR.search(_unquoted(rest)):
        raise ValueError("with one qualifier stars: at most, and without AND, OR, NOT and brackets")
    return rest, stars


def is_sorted(query: str) -> bool:
    """Tell whether a query has a qualifier `sort:`."""
    return bool(_SORT.search(_unquoted(query)))


def _unquoted(query: str) -> str:
    return re.sub(r'"[^"]*"', " ", query)


def _read(term: re.Match[str]) -> StarRange:
    """Read N, >N, >=N, <N, <=N, a..b, a..* or *..b."""
    parts = _NUMBERS.fullmatch(term["quoted"] if term["quoted"] is not None else term["plain"])
    if term["minus"] or parts is None or (parts["sign"] and (parts["high"] or parts["low"] == "*")):
        raise ValueError("whose stars: is a number or a range of numbers, not negated")
    low, high = parts["low"], parts["high"] or parts["low"]
    first, last = 0 if low == "*" else int(low), None if high == "*" else int(high)
    match parts["sign"]:
        case ">":
            first, last = first + 1, None
        case ">=":
            last = None
        case "<":
            first, last = 0, first - 1
        case "<=":
            first, last = 0, first
    if last is not None and last < first:
        raise ValueError("whose range of stars: is not empty")
    return StarRange(first, last)
