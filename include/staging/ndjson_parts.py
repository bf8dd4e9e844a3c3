"""Parts in the form of NDJSON: newline-delimited JSON arrays.

A part reads like this, one row a line, columns in the order of the table:

    ["2026-08-20","octo-org/octo-repo","monalisa",3]
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import msgspec
from clickhouse_cityhash.cityhash import CityHash64
from pydantic import ValidationError

from include.staging.errors import StagingFileDamaged, StagingFileMissing, clear
from include.staging.files import StagingPath, open_buffered, write_atomically
from include.staging.tables import ROWS_CHECKED_AT_ONCE, Part, Row, StagedTable, TableParts, batches, written


def write_rows(
    directory: StagingPath, table: StagedTable, rows: Iterable[Row], rows_per_part: int
) -> TableParts:
    """Write rows as write_table does; memory is bounded by one part. Raises: BadRow."""
    source = iter(rows)
    parts: list[Part] = []
    while part := _write_part(directory, table, islice(source, rows_per_part), sum(p.rows for p in parts)):
        parts.append(part)
    return TableParts(table=table, parts=tuple(parts))


def read_batches(
    path: StagingPath, table: StagedTable, part: Part, batch_rows: int, task: str = ""
) -> Iterator[Sequence[Row]]:
    """Yield the rows of a part, checked, in batches of at most `batch_rows`; `task` wrote it.

    Raises: StagingFileMissing; StagingFileDamaged where content and manifest differ. The hash of the
    whole file is known only after the last batch, so rows are not to be published before the end.
    """
    if not path.exists():
        raise StagingFileMissing(str(path), clear(task))
    digest, count = hashlib.sha256(), 0
    with open_buffered(path) as file:
        for lines in batches(file, batch_rows):
            digest.update(b"".join(lines))
            try:
                rows = table.read_rows(b"[" + b",".join(lines) + b"]")
            except ValidationError as error:
                bad = table.bad_row(error, count)
                reason = f"row {bad.row}, column {bad.column}: {bad.reason}"
                raise StagingFileDamaged(str(path), reason, task) from error
            count += len(rows)
            yield rows
    if count != part.rows or digest.hexdigest() != part.sha256:
        reason = f"{count} rows, expected {part.rows} with sha256 {part.sha256}"
        raise StagingFileDamaged(str(path), reason, task)


def _write_part(
    directory: StagingPath, table: StagedTable, rows: Iterable[Row], rows_before: int
) -> Part | None:
    texts: list[bytes] = []
    count = checksum = 0
    for batch in batches(rows, ROWS_CHECKED_AT_ONCE):
        lines, hashes = written(table, batch, rows_before + count, _written)
        checksum += hashes
        texts.append(lines)
        count += len(batch)
    if not texts:
        return None
    data = b"".join(texts)
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{table.name}-{rows_before:010d}-{sha256[:8]}.ndjson"
    write_atomically(directory / file, data)
    return Part(file=file, rows=count, sha256=sha256, checksum=checksum % 2**64)


def _written(table: StagedTable, rows: list[Row]) -> tuple[bytes, int]:
    """Return the lines of rows and the sum of their hashes. Raises: ValueError for a lone surrogate."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    texts = list(columns)
    for place, kind in enumerate(table.columns.values()):
        if kind == "Date":
            texts[place] = [day.toordinal() - _DAY_0 for day in columns[place]]
        elif kind == "DateTime('UTC')":
            texts[place] = seconds = [int(moment.timestamp()) for moment in columns[place]]
            columns[place] = list(map(_as_kept, columns[place], seconds))
    checksum = sum(map(CityHash64, _hashed(texts)))
    return _LINES.encode_lines(list(zip(*columns, strict=True))), checksum


def _as_kept(moment: datetime, seconds: int) -> datetime:
    as_it_is = type(moment) is datetime and moment.tzinfo is UTC and not moment.microsecond
    return moment if as_it_is else datetime.fromtimestamp(seconds, UTC)


def row_checksum(texts: Sequence[str]) -> int:
    r"""Hash a row, given as text, column by column; dates and instants as days and seconds since 1970.

    The same in SQL: cityHash64(concat(toString(a), '\0', toString(b), ...)), which is version 1.0.2 of the
    function in every ClickHouse. Summed over rows it tells lost, doubled and changed rows, in any order, on
    both sides of a load.
    Source: https://clickhouse.com/docs/sql-reference/functions/hash-functions#cityhash64
    """
    checksum: int = CityHash64("\0".join(texts).encode())
    return checksum


def _hashed(columns: Sequence[Sequence[object]]) -> Iterator[bytes]:
    """Yield what row_checksum() hashes of each row: in one formatting, for it is done for every row."""
    row_texts = map("\0".join(["%s"] * len(columns)).__mod__, zip(*columns, strict=True))
    return map(str.encode, row_texts)


def _plain(value: object) -> object:
    """Return a value of a subclass, such as an enumeration's, as one of the kind itself."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, date):
        return date.fromordinal(value.toordinal())
    raise TypeError(f"{type(value)} is of no column")


_LINES = msgspec.json.Encoder(enc_hook=_plain)
_DAY_0 = date(1970, 1, 1).toordinal()
