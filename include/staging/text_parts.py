r"""Parts in the form of text: the lines that COPY writes, for tables of millions of rows.

A part reads like this, one row a line, columns in the order of the table, a tab between them:

    20685	octo-org/octo-repo	\N	3

`less`, `\copy` and ClickHouse read it. Nothing takes the lines apart on their way: Postgres has made them,
the server parses them, and what is stored has to give each line back, by the sum of the hashes of all lines.
Only where it does not are lines looked at one by one, to name the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from types import TracebackType
from typing import Self

from clickhouse_cityhash.cityhash import CityHash64

from include.staging.errors import BadRow, StagingFileDamaged, StagingFileMissing, clear
from include.staging.files import StagingPath, open_buffered, written_atomically
from include.staging.tables import (
    ROWS_CHECKED_AT_ONCE,
    Part,
    Row,
    StagedTable,
    TableParts,
    batches,
    written,
)
from include.staging.text_kinds import NULL, texts, value_of
from include.text import safe_repr

PART_BYTES = 256 * 2**20
BLOCK_BYTES = 2**20  # of larger ones the server takes apart fewer in a second
LONGEST_LINE = 8 * 2**20
_ALL = "(all)"
_ESCAPED_ALWAYS = (b"\r", b"\b", b"\f", b"\v")


class TextWriter:
    """Writes lines as parts while they come: memory is bounded by a block, or by the longest line.

    As a context: what is written has to end with a line when the block ends; `parts` are known then. Where
    the block raises, the part that was begun is not there.

    Args: directory; table, of form "text"; part_bytes, so many or a block more in a part; longest_line, in
        bytes.
    """

    def __init__(
        self,
        directory: StagingPath,
        table: StagedTable,
        *,
        part_bytes: int = PART_BYTES,
        longest_line: int = LONGEST_LINE,
    ) -> None:
        self._directory, self._table = directory, table
        self._part_bytes, self._longest_line = part_bytes, longest_line
        self._pending, self._parts, self._escapes = bytearray(), list[Part](), False
        self._rows_before, self._file = 0, ExitStack()
        self._begin()

    def write(self, data: bytes | memoryview) -> int:
        """Take some more bytes, of whole lines or not; return how many.

        Raises: BadRow for bytes that COPY does not write, and for a line that is too long; OSError.
        """
        self._pending += data
        if len(self._pending) >= BLOCK_BYTES:
            end = self._pending.rfind(b"\n") + 1
            if end:
                self._check_and_take(bytes(self._pending[:end]))
                del self._pending[:end]
            if len(self._pending) > self._longest_line:
                raise self._too_long(0)
        return len(data)

    def write_lines(self, lines: Sequence[bytes]) -> None:
        """Take whole lines, each without its end, of values that were checked. Raises: BadRow; OSError.

        All that was written before has to end with a line.
        """
        if lines:
            self._take_pending()
            self._take(b"\n".join([*lines, b""]), lines)

    def end_part(self) -> None:
        """Let what comes now be in another part. Raises: BadRow where a line has no end; OSError."""
        self._take_pending()
        self._close()

    @property
    def parts(self) -> TableParts:
        """All that was written."""
        table = self._table.model_copy(update={"escapes": self._escapes})
        return TableParts(table=table, parts=tuple(self._parts))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.end_part()
            except BaseException as own:
                self._file.__exit__(type(own), own, own.__traceback__)
                raise
        else:
            self._file.__exit__(kind, error, trace)

    def _begin(self) -> None:
        self._digest, self._rows, self._checksum, self._size = hashlib.sha256(), 0, 0, 0
        self._write: Callable[[bytes], None] | None = None

    def _take_pending(self) -> None:
        if self._pending:
            if not self._pending.endswith(b"\n"):
                raise BadRow(self._table.name, self._next_row(self._pending), _ALL, "the line has no end")
            self._check_and_take(bytes(self._pending))
            self._pending.clear()

    def _check_and_take(self, block: bytes) -> None:
        lines = block[:-1].split(b"\n")
        if not is_copy_text(block):
            rows_before = self._rows_before + self._rows
            bad = first_bad_row(self._table, lines, rows_before)
            raise bad or BadRow(self._table.name, rows_before + 1, _ALL, "bytes that COPY does not write")
        self._take(block, lines)

    def _take(self, block: bytes, lines: Sequence[bytes]) -> None:
        if len(block) > self._longest_line and max(map(len, lines)) > self._longest_line:
            too_long = next(number for number, line in enumerate(lines) if len(line) > self._longest_line)
            raise self._too_long(too_long)
        if self._write is None:
            path = self._directory / f"{self._table.name}.tsv"
            self._write = self._file.enter_context(written_atomically(path, named=self._path))
        self._write(block)
        self._digest.update(block)
        self._rows += len(lines)
        self._size += len(block)
        self._checksum += sum(map(CityHash64, lines))
        if not self._escapes and b"\\" in block:
            self._escapes = block.count(b"\\") != block.count(NULL.encode())
        if self._size >= self._part_bytes:
            self._close()

    def _path(self) -> StagingPath:
        return self._directory / self._name()

    def _name(self) -> str:
        return f"{self._table.name}-{self._rows_before:010d}-{self._digest.hexdigest()[:8]}.tsv"

    def _close(self) -> None:
        if self._write is None:
            return
        self._file.close()
        self._parts.append(
            Part(
                file=self._name(),
                rows=self._rows,
                sha256=self._digest.hexdigest(),
                checksum=self._checksum % 2**64,
            )
        )
        self._rows_before += self._rows
        self._begin()

    def _next_row(self, pending: bytes | bytearray) -> int:
        return self._rows_before + self._rows + pending.count(b"\n") + 1

    def _too_long(self, lines_before: int) -> BadRow:
        reason = f"the line has more than {self._longest_line} bytes"
        return BadRow(self._table.name, self._rows_before + self._rows + lines_before + 1, _ALL, reason)


def write_rows(
    directory: StagingPath, table: StagedTable, rows: Iterable[Row], rows_per_part: int
) -> TableParts:
    """Write Python values as parts of text, of at most `rows_per_part` rows. Raises: as write_table()."""
    source, begun, count = iter(rows), -1, 0
    with TextWriter(directory, table) as writer:
        while begun < count:
            begun = count
            for batch in batches(islice(source, rows_per_part), ROWS_CHECKED_AT_ONCE):
                writer.write_lines(written(table, batch, count, _lines))
                count += len(batch)
            writer.end_part()
    return writer.parts


def read_blocks(path: StagingPath, part: Part, task: str = "") -> Iterator[bytes]:
    """Yield the lines of a part in blocks, each about BLOCK_BYTES and without its last line end.

    Raises: StagingFileMissing; StagingFileDamaged where content and manifest differ, which is known after the
    last block: what was made of those before it does not count then.
    """
    if not path.exists():
        raise StagingFileMissing(str(path), clear(task))
    digest, count, rest = hashlib.sha256(), 0, b""
    with open_buffered(path) as file:
        while data := file.read(BLOCK_BYTES):
            digest.update(data)
            rest += data
            if len(rest) > LONGEST_LINE + BLOCK_BYTES:
                raise StagingFileDamaged(str(path), f"line {count + 1} is too long", task)
            if end := rest.rfind(b"\n") + 1:
                count += rest.count(b"\n")
                yield rest[: end - 1]
                rest = rest[end:]
    if rest or count != part.rows or digest.hexdigest() != part.sha256:
        reason = f"{count} rows, expected {part.rows} with sha256 {part.sha256}"
        raise StagingFileDamaged(str(path), reason, task)


def read_rows(path: StagingPath, parts: TableParts, part: Part, task: str = "") -> Iterator[Row]:
    """Yield the rows of a part, each value checked; they are counted over all parts.

    Raises: as read_blocks(), also where a line is no row because the file is not what was written; BadRow,
    where it is.
    """
    blocks = read_blocks(path, part, task)
    rows_before = sum(each.rows for each in parts.parts[: parts.parts.index(part)])
    lines = (line for block in blocks for line in block.split(b"\n"))
    try:
        yield from rows_of(parts.table, lines, rows_before)
    except BadRow:
        for _ in blocks:
            pass  # its hash is known at the end
        raise


def is_copy_text(block: bytes) -> bool:
    """Tell whether bytes are UTF-8 without what COPY escapes, but for tab and line end; quickly."""
    if any(byte in block for byte in _ESCAPED_ALWAYS):
        return False
    with suppress(UnicodeDecodeError):
        return block.isascii() or bool(block.decode())
    return False


def rows_of(table: StagedTable, lines: Iterable[bytes], rows_before: int = 0) -> Iterator[Row]:
    """Yield the rows of lines, each value checked. Raises: BadRow for the first that does not fit."""
    for number, line in enumerate(lines, rows_before + 1):
        yield _row_of(table, line, number)


def first_bad_row(table: StagedTable, lines: Iterable[bytes], rows_before: int = 0) -> BadRow | None:
    """Return what is wrong with the first line that is not as a row is written; None if all are."""
    try:
        for _ in rows_of(table, lines, rows_before):
            pass
    except BadRow as bad:
        return bad
    return None


def _row_of(table: StagedTable, line: bytes, number: int) -> Row:
    if (longest := len(line)) > LONGEST_LINE:
        raise BadRow(table.name, number, _ALL, f"the line has {longest} bytes, more than {LONGEST_LINE}")
    fields = line.split(b"\t")
    if len(fields) != len(table.columns):
        reason = f"{len(fields)} columns, expected {len(table.columns)}, got {safe_repr(line[:200])}"
        raise BadRow(table.name, number, _ALL, reason)
    values = []
    for field, (column, kind) in zip(fields, table.columns.items(), strict=True):
        try:
            text = field.decode()
            values.append(value_of(kind, text))
        except UnicodeDecodeError:
            raise BadRow(table.name, number, column, f"no UTF-8, got {safe_repr(field)}") from None
        except ValueError as error:
            raise BadRow(table.name, number, column, f"{error}, got {safe_repr(text)}") from None
    return tuple(values)


def _lines(table: StagedTable, rows: list[Row]) -> list[bytes]:
    columns = zip(table.columns.values(), zip(*rows, strict=True), strict=True)
    written_columns = [texts(kind, values) for kind, values in columns]
    return "\n".join(map("\t".join, zip(*written_columns, strict=True))).encode().split(b"\n")
