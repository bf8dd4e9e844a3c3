"""The settings that our SQL relies on: what it means must not depend on the profile of the connection's user.

A session is asked which of them it has otherwise, once, and only those are sent: other servers know fewer of
them, and a user who may only read may change none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from include.clickhouse.errors import WrongConnection
from include.errors import facts_of

_OVERFLOW_MODES = (
    "distinct_overflow_mode",
    "group_by_overflow_mode",
    "join_overflow_mode",
    "read_overflow_mode",
    "read_overflow_mode_leaf",
    "result_overflow_mode",
    "set_overflow_mode",
    "sort_overflow_mode",
    "timeout_overflow_mode",
    "timeout_overflow_mode_leaf",
    "transfer_overflow_mode",
)
RELIED_ON: Mapping[str, str] = {
    # What an aggregate of no rows is, what a type is, what a name means.
    "aggregate_functions_null_for_empty": "0",
    "data_type_default_nullable": "0",
    "empty_result_for_aggregation_by_empty_set": "0",
    "join_use_nulls": "0",
    "asterisk_include_alias_columns": "0",
    "asterisk_include_materialized_columns": "0",
    "asterisk_include_virtual_columns": "0",
    "prefer_column_name_to_alias": "0",
    "session_timezone": "",
    # All rows and no others, as they are now, once.
    "additional_result_filter": "",
    "additional_table_filters": "{}",
    "apply_deleted_mask": "1",
    "apply_patch_parts": "1",
    "distributed_group_by_no_merge": "0",
    "extremes": "0",
    "final": "0",
    "ignore_cold_parts_seconds": "0",
    "implicit_table_at_top_level": "",
    "limit": "0",
    "offset": "0",
    "optimize_trivial_approximate_count_query": "0",
    "skip_unavailable_shards": "0",
    "use_query_cache": "0",
    # A limit stays what it is, but one that is reached is an error: half a result is none.
    **dict.fromkeys(_OVERFLOW_MODES, "throw"),
    # Our own tables are read whole, and merging what is merged is no error.
    "force_data_skipping_indices": "",
    "force_index_by_date": "0",
    "force_optimize_projection": "0",
    "force_optimize_projection_name": "",
    "force_optimize_skip_unused_shards": "0",
    "force_primary_key": "0",
    "optimize_throw_if_noop": "0",
    # What is answered is done, whatever months its rows are of.
    "alter_sync": "1",
    "distributed_ddl_output_mode": "throw",
    "insert_shard_id": "0",
    "max_partitions_per_insert_block": "0",
    "replication_alter_partitions_sync": "1",
    "wait_for_async_insert": "1",
    # The driver reads and writes types as texts.
    "input_format_native_decode_types_in_binary_format": "0",
    "output_format_native_encode_types_in_binary_format": "0",
}
# A user who may only read is not held to these: they change no read.
OF_WRITES = frozenset(
    {
        "alter_sync",
        "async_insert_deduplicate",
        "data_type_default_nullable",
        "deduplicate_insert",
        "deduplicate_insert_select",
        "distributed_ddl_output_mode",
        "input_format_native_decode_types_in_binary_format",
        "insert_shard_id",
        "max_partitions_per_insert_block",
        "optimize_throw_if_noop",
        "replication_alter_partitions_sync",
        "wait_for_async_insert",
    }
)
# These are off where they were never set: engines refuse '' as no list of names.
OFF_BY_DEFAULT_ONLY = frozenset({"force_data_skipping_indices", "force_optimize_projection_name"})
# Options of the driver beside those of the server: they change what its client returns.
OF_THE_DRIVER = (
    "namedtuple_as_json",
    "server_side_params",
    "strings_as_bytes",
    "strings_encoding",
    "use_numpy",
)
LOOK = "SELECT name, value FROM system.settings WHERE name IN %(names)s OR name = 'readonly'"
# What would change the answer to that is sent in any case, also to a server that does not know all of it: it
# drops what is not marked as important, and the driver marks nothing, before it looks what the user may
# change. What the session has already is no change. Servers of 2018 take no marks, and get the first.
# Source: https://github.com/ClickHouse/ClickHouse/blob/master/src/Core/BaseSettings.h
# Source: https://github.com/ClickHouse/ClickHouse/blob/master/src/Access/SettingsConstraints.cpp
LOOKED_WITH = {
    "extremes": "0",
    "additional_result_filter": "",
    "limit": "0",
    "offset": "0",
    "result_overflow_mode": "throw",
    "use_query_cache": "0",
}
_SET = re.compile(r"\s*SET\s", re.IGNORECASE)


def unlike(relied_on: Mapping[str, str], found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those of the settings, as (name, value) of a session, whose value is another, as relied on."""
    session = dict(found)
    held_to = relied_on.keys() - OF_WRITES if session.get("readonly") == "1" else relied_on.keys()
    return {name: relied_on[name] for name in session if name in held_to and session[name] != relied_on[name]}


def to_send(where: str, relied_on: Mapping[str, str], found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what is unlike. Raises: WrongConnection for what no value turns off."""
    wanted = unlike(relied_on, found)
    if stuck := {name: value for name, value in wanted.items() if name in OFF_BY_DEFAULT_ONLY}:
        raise fixed(where, stuck)
    return wanted


def fixed(where: str, wanted: Mapping[str, str], error: Exception | None = None) -> WrongConnection:
    """Return the error of settings that may not be as relied on."""
    needed = ", ".join(f"{name} = {value or repr(value)}" for name, value in wanted.items())
    said = f" ({facts_of(error)})" if error else ""
    return WrongConnection(
        where,
        "login",
        f"the profile of this user, or extra.settings, does not let Stagehouse have {needed}, which its SQL "
        f"relies on{said}",
        "change them there, or allow to (readonly, constraints), or name a user of another profile",
    )


def changes_settings(statement: str) -> bool:
    """Tell whether the session has other settings after a statement."""
    return bool(_SET.match(statement))
