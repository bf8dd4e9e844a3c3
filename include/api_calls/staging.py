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
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from include.api_calls.calling import CallMaker
from include.api_calls.checking import Checked, Reject
from include.api_calls.layout import Layout, read_layout
from include.api_calls.recipe import ENDING, Recipe, parse_recipe, read_recipe
from include.api_calls.request import CallsRequest
from include.api_calls.rows import Block, Row, Wanted, lines_before, read_blocks
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
_SEEN_BEYOND = 1_000  # rejects written down above the threshold, so that their kinds show
_READ_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"


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
        self._row_on_each_line: bool = facts.get("row_on_each_line", False)  # not of an older version

    def maker(self, salt: str = "") -> CallMaker:
        """Return what makes calls of the rows."""
        return CallMaker(self.name, self.recipe, self.layout.header, self.sha256, salt)

    def rejects(self) -> Iterator[Reject]:
        """Yield the rows that are not to be called. Raises: OSError."""
        if self.rejected:
            with open_buffered(self._directory / REJECTED) as file:
                yield from (Reject(**json.loads(line)) for line in file)

    def blocks(self, wanted: Wanted | None = None) -> Iterator[Block]:
        """Yield all rows; those that are not to be called have a problem.

        Args: wanted: tells whether the rows from a first to a last are; where none are, they may be left out.
        Raises: OSError.
        """
        wanted = wanted if self._row_on_each_line else None
        rejects = self.rejects()
        reject = next(rejects, None)
        for block in read_blocks(
            self.path, lambda: open_buffered(self._directory / _COPY), self.layout, wanted
        ):
            problems = dict(block.problems)
            while reject and reject.row <= block.last:
                problems[reject.row] = reject.reason
                reject = next(rejects, None)
            yield block._replace(problems=problems)

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows one by one, as blocks() does."""
        for block in self.blocks():
            yield from block.rows()


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
    checked = Checked(request.path, lambda: open_buffered(copy), layout, maker)
    rejects = checked.rejects(request.max_rejected + _SEEN_BEYOND, unique=bool(recipe.unique))
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
            "row_on_each_line": checked.end == checked.rows + lines_before(layout),
        },
    )
    save_manifest(directory / INPUT, manifest)
    return StagedFile(directory, manifest)


def staged_file(directory: StagingPath, staged_by: StagedBy, *, staged_on: str, host: str) -> StagedFile:
    """Return what the run has staged, perhaps on another worker. Raises: StagingError."""
    return StagedFile(directory, read_manifest(directory / INPUT, staged_by, staged_on=staged_on, host=host))


def _is_whole(copy: StagingPath, manifest: Manifest) -> bool:
    if not copy.exists():
        return False
    with open_buffered(copy) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == manifest.facts["sha256"]


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
