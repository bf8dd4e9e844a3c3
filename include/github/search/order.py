"""Repositories in their order, sorted on disk: memory does not grow with their number."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator

from include.github.api.models import Repository

TOLD = 10  # of many names listed twice

# A row's name and id are of its last reading; a name may be found under two ids.
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE found (id INTEGER PRIMARY KEY, name TEXT, stars INTEGER, line BLOB);
CREATE INDEX by_stars ON found (stars DESC, id, name);
CREATE INDEX by_name ON found (name, id);
"""
_STALE = "EXISTS (SELECT 1 FROM found AS newer WHERE newer.name = found.name AND newer.id > found.id)"

log = logging.getLogger(__name__)


class Order:
    """Keeps each repository once, as it was read last; gives them by stars downwards, then by smaller id.

    Two ids under one name: a name is set free by a rename or a removal and taken by a newer repository, so
    the larger id is the one that answers to the name; the other is left over in the search index.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect(
            "", isolation_level=None, check_same_thread=False
        )  # on disk, unnamed
        self._database.executescript(_TABLES)
        self._ids = 0

    def __len__(self) -> int:
        return self._ids

    def close(self) -> None:
        """Remove the file."""
        self._database.close()

    def add(self, repositories: Iterable[Repository]) -> None:
        """Take in repositories."""
        execute = self._database.execute
        execute("BEGIN")
        for r in repositories:
            line = r.model_dump_json(by_alias=True).encode()
            known = execute("SELECT 1 FROM found WHERE id = ?", (r.id,)).fetchone()
            execute("REPLACE INTO found VALUES (?, ?, ?, ?)", (r.id, r.full_name.lower(), r.stars, line))
            self._ids += not known
        execute("COMMIT")

    def held(self, low: int, high: int | None) -> int:
        """Return how many have so many stars, both ends included."""
        above = (low, high if high is not None else 2**63 - 1)
        return self._count("SELECT count(*) FROM found WHERE stars BETWEEN ? AND ?", *above)

    def names(self, above: int = -1) -> int:
        """Return how many names there are of more than `above` stars."""
        return self._count("SELECT count(DISTINCT name) FROM found WHERE stars > ?", above)

    def best(self, top: int) -> Iterator[Repository]:
        """Yield the first `top`, without those whose name a newer repository has: they are told."""
        stale = self._database.execute(
            f"SELECT name, id, (SELECT max(id) FROM found AS newer WHERE newer.name = found.name) "
            f"FROM found WHERE {_STALE} ORDER BY stars DESC, id LIMIT {TOLD}"
        )
        for name, older, newer in stale:
            log.warning("%s is listed with ids %d and %d: using the newer", name, older, newer)
        chosen = f"SELECT line FROM found WHERE NOT {_STALE} ORDER BY stars DESC, id LIMIT ?"
        for (line,) in self._database.execute(chosen, (top,)):
            yield Repository.model_validate_json(line)

    def _count(self, query: str, *values: int) -> int:
        count: int = self._database.execute(query, values).fetchone()[0]
        return count
