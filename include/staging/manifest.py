"""The manifest: the last file of a run's staging. Without it the rest does not count."""

from __future__ import annotations

import hashlib
import logging
from datetime import date
from typing import NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from include.errors import facts_of
from include.staging.column_kinds import StorableDay
from include.staging.errors import StagingFileDamaged, StagingFileForeign, StagingFileMissing, clear
from include.staging.files import StagingPath, open_buffered, write_atomically
from include.staging.tables import Part, TableParts
from include.staging.units import UNIT_NAME, StorablePartition, Unit
from include.text import first_problem, safe_repr

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class StagedBy(NamedTuple):
    """The run that staged it. Attributes: dag_id, run_id, day; task, that stages: the one to clear."""

    dag_id: str
    run_id: str
    day: date
    task: str


class Manifest(BaseModel):
    """The manifest: all that one run staged for one unit.

    Attributes: dag_id, run_id, day; task, that staged it; host that wrote it, for the case that another host
    cannot see the files; written_at; tables by name; facts, whatever else is worth keeping; unit_name and
    partition, of a unit that is not the day itself: see Unit.
    """

    model_config = ConfigDict(frozen=True)
    dag_id: str
    run_id: str
    day: StorableDay
    task: str = Field(default="", pattern="^[A-Za-z0-9_.-]{0,250}$")  # empty in older ones
    host: str
    written_at: AwareDatetime
    tables: dict[str, TableParts]
    facts: dict[str, JsonValue] = {}
    unit_name: str | None = Field(default=None, pattern=UNIT_NAME)
    partition: StorablePartition | None = None

    @model_validator(mode="after")
    def _tables_are_of_the_unit(self) -> Self:
        for parts in self.tables.values():
            if parts.table.day_column and self.unit_name:
                raise ValueError(f"table {parts.table.name} is kept by day, the unit is none")
            if parts.table.partition_by and (self.unit_name is None or self.partition is None):
                raise ValueError(f"table {parts.table.name} wants unit_name and partition")
            if parts.table.appended and (self.unit_name is None or (parts.parts and not parts.ranges)):
                raise ValueError(f"table {parts.table.name} wants unit_name and ranges of its key")
        return self

    @property
    def unit(self) -> Unit:
        """The unit that is published: the day, unless the manifest names another."""
        if self.unit_name is None:
            return Unit.of_day(self.day)
        return Unit(self.unit_name, self.day, self.partition)

    def part(self, table: str, file: str) -> Part:
        """Return one part. Raises: StagingFileMissing where the manifest does not name it."""
        parts = self.tables[table].parts if table in self.tables else ()
        for part in parts:
            if part.file == file:
                return part
        reason = f"table {safe_repr(table)} of this run has no such part"
        raise StagingFileMissing(safe_repr(file), clear(self.task), reason)


def save_manifest(directory: StagingPath, manifest: Manifest) -> None:
    """Make the staged rows count: write the manifest, as the last file."""
    write_atomically(directory / MANIFEST, manifest.model_dump_json(indent=1).encode())


def read_manifest(
    directory: StagingPath, staged_by: StagedBy, *, staged_on: str = "", host: str = ""
) -> Manifest:
    """Read the manifest of a run.

    Args: staged_by, whose it must be; staged_on and host, the one that wrote it and this one, where known:
        files of another disk.
    Raises: StagingFileMissing; StagingFileDamaged; StagingFileForeign.
    """
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StagingFileMissing(str(path), *_where_to_look(staged_by.task, staged_on, host)) from error
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise StagingFileDamaged(str(path), first_problem(error), staged_by.task) from error
    said = (manifest.dag_id, manifest.run_id, manifest.day)
    if said != staged_by[:3]:
        raise StagingFileForeign(str(path), _named(*said), _named(*staged_by[:3]), staged_by.task)
    return manifest


def own_manifest(directory: StagingPath, staged_by: StagedBy) -> Manifest | None:
    """Return the manifest of an earlier try; None where there is none of this run that can be read."""
    try:
        return read_manifest(directory, staged_by)
    except StagingFileMissing:
        return None
    except (StagingFileDamaged, StagingFileForeign) as error:
        log.warning("%s. It is staged again now", facts_of(error))
        return None


def parts_are_whole(directory: StagingPath, manifest: Manifest) -> bool:
    """Tell whether each part is there, and is what the manifest says."""
    for parts in manifest.tables.values():
        for part in parts.parts:
            path = directory / part.file
            if not path.exists() or _sha256(path) != part.sha256:
                log.warning("%s is missing or damaged: it is staged again now", path)
                return False
    return True


def _sha256(path: StagingPath) -> str:
    with open_buffered(path) as file:  # it may be larger than the memory
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(dag_id: str, run_id: str, day: date) -> str:
    return f"DAG {safe_repr(dag_id)}, run {safe_repr(run_id)}, day {day}"


def _where_to_look(task: str, staged_on: str, host: str) -> tuple[str, str]:
    """Return the next step, and the reason where it is known."""
    shared = "set variable staging_root to storage that all workers share, such as s3://bucket/prefix"
    if staged_on and staged_on != host:
        return f"{shared}; then {clear(task)}", f"it was written on host {staged_on}, this is {host}"
    return f"{clear(task)}; if another host wrote it, {shared}", ""
