"""The movement of a repository since an earlier day's ranking. Says "unknown" rather than guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Direction = Literal["new", "up", "down", "same", "unknown"]


class Standing(NamedTuple):
    """A repository in the ranking of one day. Attributes: id, GitHub's, which outlives the name."""

    position: int
    repo: str
    id: int
    stars: int


class Movement(NamedTuple):
    """From an earlier day to this one.

    Attributes: direction; places, gained or (below 0) lost; stars, likewise. Both are None where the
    repository is not in the earlier list.
    """

    direction: Direction
    places: int | None = None
    stars: int | None = None


class RankedList:
    """The ranking of one day, empty where none is stored. Attributes: standings, best first."""

    def __init__(self, standings: Iterable[Standing] = ()) -> None:
        self.standings = tuple(standings)
        self._by_id = {standing.id: standing for standing in self.standings}
        self._last = max((standing.position for standing in self.standings), default=0)

    def find(self, wanted: Standing) -> Standing | None:
        """Return the same repository in this list, also under another name: a rename keeps the id."""
        return self._by_id.get(wanted.id)

    def movement(self, now: Standing) -> Movement:
        """Compare a standing of a later day with this list.

        A repository that is not in it is new, but for a position beyond the end of a shorter list: whether
        it stood there is unknown.
        """
        then = self.find(now)
        if then is None:
            return Movement("new" if now.position <= self._last else "unknown")
        places = then.position - now.position
        direction: Direction = "up" if places > 0 else "down" if places < 0 else "same"
        return Movement(direction, places, now.stars - then.stars)

    def left_since(self, earlier: RankedList) -> tuple[str, ...]:
        """Return who stood in an earlier list and is not in this one, by the name of then, best first.

        Only those whose position then is within this list: beyond the end of a shorter one nothing is known.
        """
        gone = (then for then in earlier.standings if then.position <= self._last and not self.find(then))
        return tuple(standing.repo for standing in gone)
