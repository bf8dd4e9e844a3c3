"""Writers that do anything, at random, and a source that keeps what each of its snapshots had."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg2
import psycopg2.extensions

from include.change_capture.session import Source


class Watched(Source):
    """A source that keeps the rows of each snapshot, read by code of the test's own."""

    def snapshot(self, tables=()):
        """Begin a transaction, and look at all rows first."""
        return _Watched(super().snapshot(tables), truth)


truth: dict[str, list[tuple]] = {}


class _Watched:
    def __init__(self, snapshot, kept) -> None:
        self._snapshot, self._kept = snapshot, kept

    def __enter__(self):
        taken = self._snapshot.__enter__()
        for table in taken.tables:
            taken.using.execute(f"SELECT * FROM {table.name}")
            self._kept[table.name] = taken.using.fetchall()
        return taken

    def __exit__(self, *error: object):
        return self._snapshot.__exit__(*error)


class Writer(threading.Thread):
    """Changes rows until it is told to stop, in transactions with savepoints that may be rolled back."""

    def __init__(
        self, connect: Callable[[], psycopg2.extensions.connection], seed: int, done: threading.Event
    ) -> None:
        super().__init__()
        self._connection, self._chance, self._done = connect(), random.Random(seed), done  # noqa: S311
        self.changes = 0

    def run(self) -> None:
        """Change."""
        while not self._done.is_set():
            with suppress(psycopg2.Error):
                self._transaction()
            self._connection.rollback()
        self._connection.close()

    def _transaction(self) -> None:
        chance = self._chance
        with self._connection.cursor() as cursor:
            for number in range(chance.randrange(1, 5)):
                if chance.random() < 0.3:
                    cursor.execute(f"SAVEPOINT s{number}")
                cursor.execute(self._change())
                if chance.random() < 0.2:
                    cursor.execute("SELECT pg_sleep(0.05)")
                if chance.random() < 0.1:
                    with suppress(psycopg2.Error):
                        cursor.execute(f"ROLLBACK TO SAVEPOINT s{number}")
        if chance.random() < 0.85:
            self._connection.commit()
            self.changes += 1

    def _change(self) -> str:
        chance = self._chance
        one, other = chance.randrange(1, 400), chance.randrange(1, 400)
        return chance.choice(
            [
                f"INSERT INTO parents VALUES ({one}, 'new {other}') ON CONFLICT (id) DO NOTHING",
                f"UPDATE parents SET name = 'changed {other}' WHERE id = {one}",
                f"UPDATE parents SET id = {other} WHERE id = {one}",
                f"DELETE FROM parents WHERE id = {one}",
                f"DELETE FROM parents WHERE id BETWEEN {one} AND {one + 5}",
                f"INSERT INTO pairs VALUES ({one}, 'right {other % 5}', {other}) ON CONFLICT DO NOTHING",
                f"UPDATE pairs SET right_id = 'right {other % 5}' WHERE left_id = {one}",
                f"DELETE FROM pairs WHERE left_id = {one}",
                f"INSERT INTO words VALUES ('word {one}', NULL) ON CONFLICT DO NOTHING",
                f"UPDATE words SET word = 'word {other}' WHERE word = 'word {one}'",
                f"DELETE FROM words WHERE word = 'word {one}'",
                "TRUNCATE words"
                if one < 10
                else f"UPDATE words SET day = '2026-01-01' WHERE word > 'word {one}'",
            ]
        )
