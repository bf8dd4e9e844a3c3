"""`python -m include.staging show PART`: show the rows of a staged part, and whether it is what was written.

PART is the path of the file; its manifest lies beside it, and says how to read it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from include.staging.errors import StagingError, StagingFileDamaged, StagingFileMissing
from include.staging.manifest import MANIFEST, Manifest
from include.staging.ndjson_parts import read_batches
from include.staging.tables import Part, Row, TableParts
from include.staging.text_parts import read_rows
from include.text import first_problem

ROWS_SHOWN = 10
_READ_AT_ONCE = 1_000


def main(arguments: list[str], console: Console) -> int:
    """Show a part; return 1 where it is not what was written."""
    parser = argparse.ArgumentParser("python -m include.staging", description=__doc__)
    show = parser.add_subparsers(dest="command", required=True).add_parser("show", help="show a staged part")
    show.add_argument("part", metavar="PART", type=Path, help="path of the file")
    show.add_argument("--rows", type=int, default=ROWS_SHOWN, metavar="N", help=f"so many ({ROWS_SHOWN})")
    told = parser.parse_args(arguments)
    try:
        _show(told.part, told.rows, console)
    except StagingError as error:
        console.print(str(error))
        return 1
    return 0


def _show(path: Path, count: int, console: Console) -> None:
    parts, part = _described(path)
    rows = _rows(path, parts, part)
    drawn = Table(*(f"{name}\n{kind}" for name, kind in parts.table.columns.items()))
    for row in islice(rows, count):
        drawn.add_row(*("NULL" if value is None else ascii(value) for value in row))
    console.print(drawn)
    for _ in rows:
        pass  # each is checked, and the hash after the last one
    form = parts.table.form
    console.print(f"{path}: {part.rows} rows of table {parts.table.name}, form {form}, as the manifest says")


def _described(path: Path) -> tuple[TableParts, Part]:
    """Return what the manifest says of a part."""
    beside = path.parent / MANIFEST
    try:
        manifest = Manifest.model_validate_json(beside.read_bytes())
    except FileNotFoundError:
        next_step = f"name a part that lies beside its {MANIFEST}; a run that has none staged nothing"
        raise StagingFileMissing(str(beside), next_step) from None
    except ValidationError as error:
        raise StagingFileDamaged(str(beside), first_problem(error)) from None
    found = [(parts, part) for parts in manifest.tables.values() for part in parts.parts]
    for parts, part in found:
        if part.file == path.name:
            return parts, part
    known = ", ".join(part.file for _, part in found) or "none"
    raise StagingFileMissing(
        str(path), f"name one of the parts of this run: {known}", "the manifest has none"
    )


def _rows(path: Path, parts: TableParts, part: Part) -> Iterator[Row]:
    if parts.table.form == "ndjson":
        return chain.from_iterable(read_batches(path, parts.table, part, _READ_AT_ONCE))
    return read_rows(path, parts, part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Console(highlight=False, markup=False)))
