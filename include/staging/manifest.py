"""The manifest: the last file of a run's staging. Without it the rest does not count."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, ValidationError

from include.shown import first_problem, shown
from include.staging.errors import StagingFileDamaged, StagingFileMissing
from include.staging.files import StagingPath, write_atomically
from include.staging.tables import Part, StorableDay, TableParts

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What one run staged for one day.

    Attributes: dag_id, run_id, day; host that wrote it, for the case that another host cannot see the
    files; written_at; tables by name; facts, whatever else is worth keeping.
    """

    model_config = ConfigDict(frozen=True)
    dag_id: str
    run_id: str
    day: StorableDay
    host: str
    written_at: AwareDatetime
    tables: dict[str, TableParts]
    facts: dict[str, JsonValue] = {}

    def part(self, table: str, file: str) -> Part:
        """Return one part. Raises: StagingFileMissing where the manifest does not name it."""
        parts = self.tables[table].parts if table in self.tables else ()
        for part in parts:
            if part.file == file:
                return part
        next_step = f"table {shown(table)} of this run has no such part: clear task fetch"
        raise StagingFileMissing(shown(file), next_step)


def save_manifest(directory: StagingPath, manifest: Manifest) -> None:
    """Make the staged rows count: write the manifest, as the last file."""
    write_atomically(directory / MANIFEST, manifest.model_dump_json(indent=1).encode())


def read_manifest(directory: StagingPath, *, staged_on: str = "", host: str = "") -> Manifest:
    """Read a run's manifest.

    Args: staged_on and host, the one that wrote it and this one, where known: files of another disk.
    Raises: StagingFileMissing; StagingFileDamaged.
    """
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StagingFileMissing(str(path), _where_to_look(staged_on, host)) from error
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise StagingFileDamaged(str(path), first_problem(error)) from error


def _where_to_look(staged_on: str, host: str) -> str:
    shared = "set variable staging_root to storage that all workers share, such as s3://bucket/prefix"
    if staged_on and staged_on != host:
        return (
            f"it was written on host {staged_on}, this is {host}: {shared}; then clear the task that stages"
        )
    return f"clear the task that stages; if another host wrote it, {shared}"
