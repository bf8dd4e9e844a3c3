"""The tables of a source, as its catalog describes them, and those that cannot be captured, by name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from include.change_capture.columns import KeptColumn, SourceColumn, kept_columns, may_be_key
from include.change_capture.errors import SourceRefused
from include.staging.tables import StagedTable

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

SQL = Path(__file__).with_name("catalog.sql").read_text()
OLDEST_SERVER = 130000
VERSION, DELETED = "_version", "_deleted"
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,62}")
_KINDS = {
    "v": "a view, which has no transactions of its own",
    "m": "a materialized view",
    "f": "a foreign table, which has no transactions of its own",
}
_RENAME = "rename it in the source, or leave the table out of the list in the DAG file"


class SourceTable(BaseModel):
    """A table that can be captured.

    Attributes: name_space, its schema; name; prefix of our tables; oid; leaves, oids of the partitions that
    have rows; columns in their order; key, names of columns; is_utf8, the encoding of the database.
    """

    model_config = ConfigDict(frozen=True)
    name_space: str
    name: str
    prefix: str
    oid: int
    leaves: tuple[int, ...]
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]
    is_utf8: bool = True

    @property
    def full_name(self) -> str:
        """Schema and name, for people."""
        return f"{self.name_space}.{self.name}"

    @property
    def quoted(self) -> str:
        """Schema and name in SQL of Postgres."""
        return quoted_table(self.name_space, self.name)

    @property
    def versions(self) -> str:
        """The table of ours that has all versions of its rows."""
        return f"{self.prefix}_{self.name}_versions"

    @property
    def view(self) -> str:
        """The view of ours that shows its rows."""
        return f"{self.prefix}_{self.name}"

    @property
    def oids(self) -> tuple[int, ...]:
        """What it is made of: another set of them holds other rows, whatever their transactions."""
        return (self.oid, *self.leaves)

    @property
    def schema_hash(self) -> str:
        """A text that changes with columns, types and key: old rows may read otherwise then."""
        facts = [[c.number, c.name, c.type, c.meaning] for c in self.columns]
        return hashlib.sha256(json.dumps([facts, self.key]).encode()).hexdigest()[:16]

    @cached_property
    def kept(self) -> tuple[KeptColumn, ...]:
        """Our columns, in the order of the source's."""
        return tuple(kept for column in self.columns for kept in kept_columns(column))

    @cached_property
    def kept_key(self) -> tuple[KeptColumn, ...]:
        """Our columns that are the key, in its order."""
        by_name = {column.name: column for column in self.columns}
        return tuple(kept_columns(by_name[name])[-1] for name in self.key)

    @cached_property
    def ordered(self) -> tuple[KeptColumn, ...]:
        """Our columns as they are staged: the key first, so that it is found in a line."""
        return (*self.kept_key, *(column for column in self.kept if column not in self.kept_key))

    def kind_of(self, column: KeptColumn) -> str:
        """Return the type of a column of ours."""
        return column.kind if column in self.kept_key else f"Nullable({column.kind})"

    @cached_property
    def staged(self) -> StagedTable:
        """What rows are staged for."""
        columns = {column.name: self.kind_of(column) for column in self.ordered}
        return StagedTable(
            name=self.versions,
            columns=columns | {VERSION: "UInt64", DELETED: "UInt8"},
            key=tuple(column.name for column in self.kept_key),
            day_column=None,
            version_column=VERSION,
            form="text",
        )

    @cached_property
    def staged_key(self) -> StagedTable:
        """The key alone, as a line of text has it."""
        columns = {column.name: column.kind for column in self.kept_key}
        return StagedTable(
            name=self.versions, columns=columns, key=tuple(columns), day_column=None, form="text"
        )


def read_catalog(
    using: cursor, connection: str, name_space: str, names: Sequence[str], prefix: str
) -> list[SourceTable]:
    """Return the tables of a list, in its order.

    Args: connection, its id, for errors; name_space, the schema; prefix of our tables.
    Raises: SourceRefused, for the first that cannot be captured, before anything is read of any.
    """
    using.execute(SQL, {"names": list(names), "schema": name_space})
    facts = [column.name for column in using.description or ()]
    return [
        _table(connection, name_space, prefix, dict(zip(facts, row, strict=True))) for row in using.fetchall()
    ]


def quoted_table(name_space: str, name: str) -> str:
    """Return the name of a table in SQL of Postgres."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in (name_space, name))


def _table(connection: str, name_space: str, prefix: str, facts: dict[str, Any]) -> SourceTable:
    name = facts["name"]
    for reason, next_step in _refusals(name_space, facts):
        raise SourceRefused(connection, f"{name_space}.{name}", reason, next_step)
    table = SourceTable(
        name_space=name_space,
        name=name,
        prefix=prefix,
        oid=facts["oid"],
        leaves=facts["leaves"],
        columns=facts["columns"],
        key=facts["key"],
        is_utf8=facts["encoding"] == "UTF8",
    )
    for reason in _unkept(table):
        raise SourceRefused(connection, table.full_name, reason, _RENAME)
    return table


def _refusals(name_space: str, facts: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a table, and what to do about it; the first counts."""
    yield from _refused_server(facts)
    yield from _refused_rights(name_space, facts)
    leave_out = "leave it out of the list of tables in the DAG file"
    if facts["oid"] is None:
        yield "there is no such table", f"correct the connection's schema (the database), or {leave_out}"
    elif facts["kind"] not in ("r", "p"):
        yield f"it is {_KINDS.get(facts['kind'], 'no table')}", f"name the table below it, or {leave_out}"
    if not facts["key"]:
        yield "it has no primary key", f"add one, or {leave_out}"
    if facts["foreign_leaf"]:
        yield "one of its partitions is a foreign table, which has no transactions of its own", leave_out
    if facts["has_children"]:
        yield "other tables inherit from it, so its key is not unique", leave_out


def _refused_server(facts: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if facts["server_version"] < OLDEST_SERVER:
        yield "PostgreSQL is older than 13", "upgrade the source"
    if facts["encoding"] == "SQL_ASCII":
        yield "the database is SQL_ASCII: nobody knows what its texts are", "give the database an encoding"


def _refused_rights(name_space: str, facts: dict[str, Any]) -> Iterable[tuple[str, str]]:
    role, table = facts["role"], quoted_table(name_space, facts["name"])
    if not facts["may_use_schema"]:
        yield f"role {role} may not use the schema", f'run GRANT USAGE ON SCHEMA "{name_space}" TO "{role}"'
    if not facts["may_read"]:
        readable = ", ".join(column["name"] for column in facts["columns"] if column["may_read"])
        has = f"only columns {readable}" if readable else "none of its columns"
        yield f"role {role} may read {has}; xmin is needed too", f'run GRANT SELECT ON {table} TO "{role}"'
    if facts["row_security"]:
        hides = f"row security hides rows from role {role}"
        yield hides, f'run ALTER ROLE "{role}" BYPASSRLS, or let another role read'


def _unkept(table: SourceTable) -> Iterable[str]:
    names = [column.name for column in table.kept] + [VERSION, DELETED]
    if not _NAME.fullmatch(table.versions):
        yield f"a name such as {table.versions} cannot be kept"
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"a column of the name {name!r} cannot be kept"
        if names.count(name) > 1:
            yield f"there would be two columns {name}: one of the source, and one made beside another"
    for column in table.columns:
        if column.name in table.key and not may_be_key(column):
            yield f"column {column.name} of its key is {column.type}: equal numbers are not always the same"
