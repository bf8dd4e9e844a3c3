"""Checkpoints: what is finished together lies in one small file, written whole, so that no try does it twice.

A file is `<name>.ndjson` in a folder of the run's directory. What its lines say, and whether they belong to
what is wanted now, is the business of whoever writes them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import ValidationError

from include.staging.files import StagingPath, read_files, write_atomically
from include.text import first_problem

ENDING = ".ndjson"
AT_ONCE = 16  # files removed together

T = TypeVar("T")
log = logging.getLogger(__name__)


class Checkpoint:
    """A folder of files, one for each batch of work that is finished.

    Args: folder: of one run. names: a regular expression that all names match. otherwise: what becomes of a
        batch that cannot be read, for the warning: "asking again".
    """

    def __init__(self, folder: StagingPath, names: str, otherwise: str) -> None:
        self._folder, self._otherwise = folder, otherwise
        self._file = re.compile(f"({names}){re.escape(ENDING)}")

    def path(self, name: str) -> StagingPath:
        """Return where a batch is, or would be."""
        return self._folder / f"{name}{ENDING}"

    def save(self, name: str, lines: Iterable[bytes]) -> None:
        """Write a batch, all lines or none; in the place of one of that name; safe in several threads.

        Raises: OSError, as write_atomically().
        """
        write_atomically(self.path(name), b"".join(line + b"\n" for line in lines))

    def names(self) -> Iterator[str]:
        """Yield the names of what is saved, in any order. Files of others are left out, with a warning."""
        for path in self._folder.iterdir() if self._folder.exists() else ():
            if found := self._file.fullmatch(path.name):
                yield found[1]
            elif not path.name.startswith("."):  # that is what a killed write left behind
                log.warning("%s is not of this run: left out", path)

    def read(self, names: Iterable[str], parse: Callable[[list[bytes]], T]) -> Iterator[tuple[str, T]]:
        """Yield these batches in their order; a few files are read at once, and held.

        Args: parse: makes a batch of the lines. What it refuses by a ValueError is left out, with a warning.
        Raises: OSError.
        """
        return self.read_whole(names, lambda data: parse(data.splitlines()))

    def read_whole(self, names: Iterable[str], parse: Callable[[bytes], T]) -> Iterator[tuple[str, T]]:
        """Yield these batches, as read() does. Args: parse: makes a batch of all its lines together."""
        for path, data in read_files(map(self.path, names)):
            try:
                batch = parse(data)
            except ValueError as error:
                reason = first_problem(error) if isinstance(error, ValidationError) else str(error)
                log.warning("%s is not readable, %s: %s", path, self._otherwise, reason)
                continue
            yield path.name.removesuffix(ENDING), batch

    def remove(self, name: str) -> None:
        """Take a batch for not finished; safe to repeat."""
        self.path(name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove all files, of killed writes too: what they say is kept elsewhere now."""
        paths = list(self._folder.iterdir()) if self._folder.exists() else []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda path: path.unlink(missing_ok=True), paths))
