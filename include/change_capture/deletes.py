"""Keys that readers see and the source has no longer, found by counting.

What readers see, without the keys that are sent now, has all other keys of the source: each of them was
published before, or it would be sent now. So where a bucket has as many of both, it has the same; only in
the others keys are compared one by one, some at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from include.change_capture.buckets import Bucket, Buckets, KeyBuckets
from include.change_capture.catalog import DELETED, VERSION
from include.clickhouse.client import ClickHouse, quoted
from include.clickhouse.text_lines import line_text, select_lines
from include.postgres.copy_out import copy_out

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

log = logging.getLogger(__name__)

KEYS_AT_ONCE = 1_000_000
_SENT, _THERE = "_sent", "_there"


class SentKeys:
    """Passes lines on, and keeps the first fields of each: the keys of what is sent.

    Args: write: takes the lines. fields: of a key. Attributes: blocks of keys, as lines.
    """

    def __init__(self, write: Callable[[memoryview], int], fields: int) -> None:
        self._write, self._fields, self._rest = write, fields, b""
        self.blocks: list[bytes] = []

    def write(self, data: memoryview) -> int:
        """Take some bytes, of whole lines or not."""
        whole = self._rest + data
        end = whole.rfind(b"\n") + 1
        self._rest = whole[end:]
        if end:
            lines = whole[: end - 1].split(b"\n")
            self.blocks.append(
                b"\n".join(b"\t".join(line.split(b"\t", self._fields)[: self._fields]) for line in lines)
            )
        return self._write(data)


def unlike_buckets(
    clickhouse: ClickHouse, buckets: KeyBuckets, source: Buckets, sent: SentKeys, seen: Buckets
) -> list[str]:
    """Return the buckets in which what readers see is not what the source has beside what is sent.

    Args: seen: rows that readers see.
    """
    known, none = _known(clickhouse, buckets, sent), Bucket()
    unlike = []
    for name in sorted(source.keys() | seen.keys()):
        there = source.get(name, none)
        rest, wanted = seen.get(name, none).rows - known.get(name, 0), there.rows - there.changed
        if rest != wanted:
            unlike.append(name)
        if rest < wanted:
            log.warning(
                "table %s, bucket %s: rows are missing that were published: quality will tell",
                buckets.table.versions,
                name,
            )
    return unlike


def _known(clickhouse: ClickHouse, buckets: KeyBuckets, sent: SentKeys) -> dict[str, int]:
    """Count by bucket the keys that are sent and that readers see already.

    Their rows alone are grouped: to find the newest of all keys, with FINAL, takes several times as long.
    """
    if not sent.blocks:
        return {}
    names = ", ".join(quoted(column.name) for column in buckets.table.kept_key)
    rows = f"SELECT {names} FROM {quoted(buckets.table.versions)} WHERE {_in(buckets, _SENT)}"
    found = clickhouse.execute(
        f"SELECT {buckets.in_destination}, count() "
        f"FROM ({rows} GROUP BY {names} HAVING argMax({DELETED}, {VERSION}) = 0) "
        f"GROUP BY {buckets.in_destination}",
        external_tables=_lines({_SENT: sent.blocks}),
    )
    return {str(name): rows for name, rows in found}


def gone_keys(
    clickhouse: ClickHouse,
    using: cursor,
    buckets: KeyBuckets,
    source: Buckets,
    sent: SentKeys,
    unlike: list[str],
) -> Iterator[str]:
    """Yield the keys, as lines of text, that readers see in `unlike` buckets and that the source has not."""
    table = buckets.table
    keys = ", ".join(column.select for column in table.kept_key)
    for names in _some_at_a_time(unlike, source):
        there: list[bytes] = []
        query = f"SELECT {keys} FROM {table.quoted} WHERE {buckets.source_condition(names)}"
        copy_out(using, query, lambda data, there=there: there.append(bytes(data)) or len(data))  # type: ignore[misc]
        blocks = _whole_lines(there)
        conditions = [f"{DELETED} = 0", buckets.destination_condition(names)]
        conditions += [_in(buckets, _SENT, "NOT IN")] if sent.blocks else []
        conditions += [_in(buckets, _THERE, "NOT IN")] if blocks else []
        rows = f"{quoted(table.versions)} FINAL WHERE {' AND '.join(conditions)}"
        found = clickhouse.execute(
            f"SELECT {line_text(table.staged_key)} FROM {rows}",
            external_tables=_lines({_SENT: sent.blocks, _THERE: blocks}),
        )
        yield from (line for (line,) in found)


def _in(buckets: KeyBuckets, lines: str, operator: str = "IN") -> str:
    names = ", ".join(quoted(column.name) for column in buckets.table.kept_key)
    return f"({names}) GLOBAL {operator} ({select_lines(buckets.table.staged_key, lines)})"


def _lines(tables: Mapping[str, list[bytes]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "structure": [("text", "String")], "data": [{"text": block} for block in blocks]}
        for name, blocks in tables.items()
        if blocks
    ]


def _some_at_a_time(names: list[str], source: Buckets) -> Iterator[list[str]]:
    """Yield names of buckets, of KEYS_AT_ONCE keys or of one bucket; neighbours together."""
    some, keys = list[str](), 0
    for name in sorted(names, key=lambda name: (len(name), name)):
        rows = source[name].rows if name in source else 0
        if some and keys + rows > KEYS_AT_ONCE:
            yield some
            some, keys = [], 0
        some.append(name)
        keys += rows
    if some:
        yield some


def _whole_lines(pieces: list[bytes]) -> list[bytes]:
    blocks, rest = list[bytes](), b""
    for piece in pieces:
        whole = rest + piece
        end = whole.rfind(b"\n") + 1
        if end:
            blocks.append(whole[: end - 1])
        rest = whole[end:]
    return blocks
