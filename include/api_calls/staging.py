"""A file of the inbox -> a copy in the run's staging files, checked whole before the first call.

What is checked is what is called: the copy. Later steps of the run read nothing else of the inbox.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, NamedTuple

from include.api_calls.calling import CallMaker
from include.api_calls.recipe import ENDING, Recipe, parse_recipe, read_recipe
from include.api_calls.request import CallsRequest
from include.api_calls.rows import Layout, OpenFile, Row, read_layout, read_rows
from include.inbox.errors import ImportFileDamaged, ImportFileTooLarge, TooManyRejected
from include.inbox.files import InboxPath, locate, unchanged
from include.staging.files import StagingPath, open_buffered, write_atomically, written_atomically
from include.staging.manifest import Manifest, StagedBy, own_manifest, read_manifest, save_manifest

log = logging.getLogger(__name__)

TASK = "stage"  # of the DAG: what an error of its files says to clear
INPUT = "input"  # the folder, in the run's directory
REJECTED = "rejected.ndjson"
_COPY = "file"
MAX_BYTES = 2 * 1024**3  # unpacked: a gzip of 2 MB can hold as much
_SHOWN = 300  # characters of a rejected row
_SEEN_BEYOND = 1_000  # rejects written down above the threshold, so that their kinds show
_SOUGHT_AT_ONCE = 2**17
_CHECKED_AT_ONCE = 500  # rows
_READ_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"


class Reject(NamedTuple):
    """A row that is not called. Attributes: row and line, its numbers; reason; text, cut."""

    row: int
    line: int
    reason: str
    text: str


class StagedFile:
    """The copy of a run's file, and what is known of it.

    Attributes: name, of the recipe; recipe, as it was when the run began; text of it; layout; rows, of the
    file; rejected, of those; sha256, of the file's bytes, unpacked; path, as the user gave it.
    """

    def __init__(self, directory: StagingPath, manifest: Manifest) -> None:
        facts: dict[str, Any] = manifest.facts
        self._directory = directory / INPUT
        self.name: str = facts["recipe"]
        self.path: str = facts["path"]
        self.sha256: str = facts["sha256"]
        self.text: str = facts["recipe_text"]
        self.recipe: Recipe = parse_recipe(f"{self.name}{ENDING}", self.text)
        self.layout = Layout.model_validate(facts["layout"])
        self.rows: int = facts["rows"]
        self.rejected: int = facts["rejected"]

    def maker(self, salt: str = "") -> CallMaker:
        """Return what makes calls of the rows."""
        return CallMaker(self.name, self.recipe, self.layout.header, self.sha256, salt)

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows; those that are not to be called have a problem. Raises: OSError."""
        rows = read_rows(self.path, lambda: open_buffered(self._directory / _COPY), self.layout)
        if not self.rejected:
            yield from rows
            return
        with open_buffered(self._directory / REJECTED) as file:
            rejects = (Reject(**json.loads(line)) for line in file)
            reject = next(rejects, None)
            for row in rows:
                if reject and reject.row == row.row:
                    yield row._replace(problem=reject.reason)
                    reject = next(rejects, None)
                else:
                    yield row


def stage_file(
    inbox: StagingPath,
    recipes: StagingPath,
    request: CallsRequest,
    directory: StagingPath,
    *,
    dag_id: str,
    run_id: str,
    day: date,
    host: str,
    now: Callable[[], datetime],
    tell_rejected: Callable[[bytes], str],
) -> StagedFile:
    """Copy and check the file that `request` names, or return what this run has staged of it already.

    Args: tell_rejected: is given all of rejected.ndjson, also where that is too much; returns where it is.
    Raises: BadRecipe; OutsideInbox; BadHeader, ImportFileDamaged, ImportFileTooLarge, ImportFileChanged;
        TooManyRejected.
    """
    copy = directory / INPUT / _COPY
    manifest = own_manifest(directory / INPUT, StagedBy(dag_id, run_id, day, TASK))
    if manifest and _is_whole(copy, manifest):
        log.info("%s: this run has staged it already", request.path)
        return StagedFile(directory, manifest)
    recipe, text = read_recipe(recipes, request.recipe)
    path = locate(inbox, request.path)
    with unchanged(path, request.path):
        sha256 = _copy(request.path, path, copy)
    layout = read_layout(
        request.path,
        lambda: open_buffered(copy),
        form=request.format,
        encoding=request.encoding,
        delimiter=request.delimiter,
        columns=list(recipe.columns),
    )
    maker = CallMaker(request.recipe, recipe, layout.header)
    checked = _Checked(request.path, lambda: open_buffered(copy), layout, maker, bool(recipe.unique))
    rejects = checked.rejects(request.max_rejected + _SEEN_BEYOND)
    lines = "".join(json.dumps(each._asdict(), ensure_ascii=False) + "\n" for each in rejects).encode()
    write_atomically(directory / INPUT / REJECTED, lines)
    told = tell_rejected(lines)
    if len(rejects) > request.max_rejected:
        first = rejects[0]
        raise TooManyRejected(request.max_rejected, len(rejects), first.line, first.reason, told)
    manifest = Manifest(
        dag_id=dag_id,
        run_id=run_id,
        day=day,
        task=TASK,
        host=host,
        written_at=now(),
        tables={},
        facts={
            "path": request.path,
            "sha256": sha256,
            "recipe": request.recipe,
            "recipe_text": text,
            "layout": layout.model_dump(),
            "rows": checked.rows,
            "rejected": len(rejects),
        },
    )
    save_manifest(directory / INPUT, manifest)
    return StagedFile(directory, manifest)


def staged_file(directory: StagingPath, staged_by: StagedBy, *, staged_on: str, host: str) -> StagedFile:
    """Return what the run has staged, perhaps on another worker. Raises: StagingError."""
    return StagedFile(directory, read_manifest(directory / INPUT, staged_by, staged_on=staged_on, host=host))


class _Checked:
    """The rows of a file, checked one by one, then against each other. Attributes: rows, of the file."""

    def __init__(
        self, path: str, open_file: OpenFile, layout: Layout, maker: CallMaker, unique: bool
    ) -> None:
        self._path, self._open_file, self._layout, self._maker = path, open_file, layout, maker
        self._unique, self.rows = unique, 0

    def rejects(self, most: int) -> list[Reject]:
        """Return the rows that are not to be called, in order, and not many more than `most`."""
        found, hashes = list[Reject](), array("q")
        rows = read_rows(self._path, self._open_file, self._layout)
        while batch := list(islice(rows, _CHECKED_AT_ONCE)):
            self.rows = batch[-1].row
            if not self._unique and self._all_fit(batch):
                continue
            found += [_reject(row, told) for row in batch if (told := self._problem(row, hashes))]
            if len(found) > most:
                return found
        if self._unique and (twice := _seen_twice(hashes)):
            found = sorted([*found, *self._doubled(twice, most)])
        return found

    def _all_fit(self, rows: Sequence[Row]) -> bool:
        return not any(row.problem for row in rows) and self._maker.all_fit([row.cells for row in rows])

    def _problem(self, row: Row, hashes: array[int]) -> str:
        if row.problem:
            return row.problem
        try:
            values = self._maker.check(row.cells)
        except ValueError as error:
            return str(error)
        if self._unique:
            hashes.append(_hash(self._maker.unique(values)))
        return ""

    def _doubled(self, twice: frozenset[int], most: int) -> Iterable[Reject]:
        first = dict[str, int]()
        count = 0
        for row in read_rows(self._path, self._open_file, self._layout):
            try:
                values = self._maker.check(row.cells) if not row.problem else None
            except ValueError:
                continue
            if values is None or _hash(text := self._maker.unique(values)) not in twice:
                continue
            if (line := first.setdefault(text, row.line)) != row.line:
                yield _reject(row, f"line {line} has the same values of the recipe's unique columns")
                count += 1
                if count > most:
                    return


def _is_whole(copy: StagingPath, manifest: Manifest) -> bool:
    if not copy.exists():
        return False
    with open_buffered(copy) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == manifest.facts["sha256"]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def _seen_twice(hashes: array[int]) -> frozenset[int]:
    twice: set[int] = set()
    shares = len(hashes) // _SOUGHT_AT_ONCE + 1
    for share in range(shares):
        some = [each for each in hashes if each % shares == share] if shares > 1 else hashes
        if len(set(some)) < len(some):
            twice.update(each for each, times in Counter(some).items() if times > 1)
    return frozenset(twice)


def _reject(row: Row, reason: str) -> Reject:
    return Reject(row.row, row.line, reason[:300], ",".join(row.cells)[:_SHOWN])


def _copy(name: str, path: InboxPath, copy: StagingPath) -> str:
    """Copy a file, unpacked; return the sha256 of what was written."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as opened, written_atomically(copy) as write:
        raw: Any = opened
        file = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
        packed = file.peek(2)[:2] == _GZIP
        source: Any = gzip.GzipFile(fileobj=file) if packed else file
        try:
            while data := source.read(_READ_BYTES):
                size += len(data)
                if size > MAX_BYTES:
                    raise ImportFileTooLarge(name, f"more than {MAX_BYTES} bytes unpacked")
                digest.update(data)
                write(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImportFileDamaged(name, f"not a whole gzip file ({error})") from error
    return digest.hexdigest()
