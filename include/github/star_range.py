"""The range of stars that a query asks for: taken out of it, so that slices of it can be put in instead."""

from __future__ import annotations

import re
from typing import NamedTuple

_TERM = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')
_NUMBERS = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<low>\d{1,10}|\*)(?:\.\.(?P<high>\d{1,10}|\*))?", re.ASCII)
_OPERATORS = ("AND", "OR", "NOT")


class StarRange(NamedTuple):
    """Stars, both ends included. high: None where there is no end."""

    low: int = 0
    high: int | None = None


def take_stars_out(query: str) -> tuple[str, StarRange]:
    """Return the rest of a query, and its range of stars; all stars where it has none.

    GitHub does not define what two qualifiers `stars:` mean, so a slice has to take the place of the query's.

    Raises: ValueError, in words, for more than one, or one that is negated or joined by an operator.
    """
    terms = list(_TERM.finditer(query))
    places = [place for place, term in enumerate(terms) if (term["key"] or "").lower() == "stars"]
    if not places:
        place, rest, stars = -1, query.strip(), StarRange()
    else:
        place = places[0]
        begin, end = terms[place].span()
        rest, stars = f"{query[:begin].rstrip()} {query[end:].lstrip()}".strip(), _read(terms[place])
    beside = [terms[at].group() for at in (place - 1, place + 1) if place >= 0 and 0 <= at < len(terms)]
    unquoted = re.sub(r'"[^"]*"', "", rest).lower()
    if "stars:" in unquoted or any(text in _OPERATORS for text in beside):
        raise ValueError("one qualifier stars: at most, without AND, OR, NOT or brackets around it")
    return rest, stars


def _read(term: re.Match[str]) -> StarRange:
    """Read N, >N, >=N, <N, <=N, a..b, a..* or *..b."""
    parts = _NUMBERS.fullmatch(term["quoted"] if term["quoted"] is not None else term["plain"])
    if term["minus"] or parts is None or (parts["sign"] and (parts["high"] or parts["low"] == "*")):
        raise ValueError("a qualifier stars: with a number or a range of numbers, not negated")
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
        raise ValueError("a qualifier stars: whose range is not empty")
    return StarRange(first, last)
