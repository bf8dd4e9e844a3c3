"""Which texts of millions come twice? Eight bytes of memory for each tell that of all but a few."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

_SHARES = 64  # of which one at a time is a set


class Hashes:
    """The hashes of texts, as this process makes them."""

    def __init__(self) -> None:
        self._shares = [array("q") for _ in range(_SHARES)]

    def add(self, texts: Iterable[str]) -> None:
        """Take texts."""
        shares = self._shares
        for each in map(hash, texts):
            shares[each % _SHARES].append(each)

    def twice(self) -> frozenset[int]:
        """Return the hashes of all texts that came more than once, and perhaps of some that did not."""
        found = set[int]()
        for share in self._shares:
            if len(set(share)) < len(share):
                found.update(each for each, times in Counter(share).items() if times > 1)
        return frozenset(found)
