"""Source and destination, compared at the instant that a run has published."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from include.change_capture.buckets import Bucket, Buckets, KeyBuckets
from include.change_capture.column_totals import Totals
from include.change_capture.errors import Differs, Overtaken
from include.change_capture.state import read_state
from include.change_capture.synchronization import BUCKETS, SyncFacts, facts_of_run
from include.staging.errors import StagingFileDamaged, StagingFileMissing, clear

if TYPE_CHECKING:
    from include.clickhouse.client import ClickHouse
    from include.staging.files import StagingPath
    from include.staging.manifest import Manifest

SHOWN = 3  # differences of a table


class Difference(BaseModel):
    """A bucket that is not the same. Attributes: bucket; source, destination: what each has, in words."""

    model_config = ConfigDict(frozen=True)
    bucket: str
    source: str
    destination: str

    @property
    def unit(self) -> str:
        """What differs, in words."""
        return f"bucket {self.bucket}"

    def __str__(self) -> str:
        return f"{self.unit} has {self.source} in the source and {self.destination} here"


class ColumnDifference(Difference):
    """A column whose values are not as many, or not of one sum. Attributes: column; bucket is empty."""

    bucket: str = ""
    column: str

    @property
    def unit(self) -> str:
        """What differs, in words."""
        return f"column {self.column}"


class Comparison(BaseModel):
    """What a table has on both sides.

    Attributes: table; source, destination: rows; values, whether they were compared; unlike, how many
    buckets; differences, the first SHOWN of them; columns that differ, all of them.
    """

    model_config = ConfigDict(frozen=True)
    table: str
    source: int
    destination: int
    values: bool
    unlike: int
    differences: tuple[Difference, ...]
    columns: tuple[ColumnDifference, ...] = ()

    @property
    def is_same(self) -> bool:
        """Tell whether nothing differs."""
        return not (self.differences or self.columns)


def compare(clickhouse: ClickHouse, directory: StagingPath, manifest: Manifest) -> list[Comparison]:
    """Compare what readers see with what the source had in the run's own snapshot.

    Where a run changed nothing of a table, `stage` has compared its counts, and only values are compared.

    Raises: Overtaken where another run has published since; StagingFileMissing, StagingFileDamaged;
        ClickHouseError.
    """
    facts = facts_of_run(manifest)
    _require_newest(clickhouse, facts)
    source = _read_buckets(directory, manifest, facts)
    compared = []
    for each in facts.tables:
        values = facts.state.full_check
        if not values and not each.is_published_anew and each.published == each.rows:
            there, columns = source[each.table.name], each.columns
        else:
            buckets = KeyBuckets(table=each.table, shift=each.shift)
            there, columns = buckets.count_destination(clickhouse, values=values)
        found = _compared(each.table.name, source[each.table.name], there, values=values)
        compared.append(found.model_copy(update={"columns": _columns(each.columns, columns)}))
    return compared


def require_same(clickhouse: ClickHouse, compared: list[Comparison]) -> None:
    """Raises: Differs, naming tables, buckets, columns and both values."""
    unlike = [each for each in compared if not each.is_same]
    if unlike:
        texts = (
            f"table {each.table}, {each.unlike} buckets: "
            f"{', '.join(map(str, [*each.differences, *each.columns[:SHOWN]]))}"
            for each in unlike
        )
        raise Differs(clickhouse.where, tuple(each.table for each in unlike), tuple(texts))


def _compared(table: str, source: Buckets, destination: Buckets, *, values: bool) -> Comparison:
    differences, none = [], Bucket()
    for name in sorted(source.keys() | destination.keys()):
        here, there = source.get(name, none), destination.get(name, none)
        if here.rows != there.rows:
            texts = (f"{here.rows} rows", f"{there.rows} rows")
        elif values and here.checksum != there.checksum:
            texts = (f"checksum {here.checksum}", f"checksum {there.checksum}")
        else:
            continue
        differences.append(Difference(bucket=name, source=texts[0], destination=texts[1]))
    return Comparison(
        table=table,
        source=sum(bucket.rows for bucket in source.values()),
        destination=sum(bucket.rows for bucket in destination.values()),
        values=values,
        unlike=len(differences),
        differences=tuple(differences[:SHOWN]),
    )


def _columns(source: Totals, destination: Totals) -> tuple[ColumnDifference, ...]:
    return tuple(
        ColumnDifference(column=name, source=str(here), destination=str(destination[name]))
        for name, here in source.items()
        if here != destination[name]
    )


def _require_newest(clickhouse: ClickHouse, facts: SyncFacts) -> None:
    found = read_state(clickhouse, facts.state.source)
    if found is None or found.version != facts.state.version:
        newest = found.version if found else 0
        reason = f"version {newest} is in sight, this run has published {facts.state.version}"
        raise Overtaken(clickhouse.where, facts.state.source, reason, facts.task)


def _read_buckets(directory: StagingPath, manifest: Manifest, facts: SyncFacts) -> dict[str, Buckets]:
    path = directory / facts.buckets_file
    if not path.exists():
        raise StagingFileMissing(str(path), clear(manifest.task))
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise StagingFileDamaged(str(path), "its sha256 is another one", manifest.task)
    try:
        return BUCKETS.validate_json(data)
    except ValidationError as error:
        raise StagingFileDamaged(str(path), str(error), manifest.task) from error
