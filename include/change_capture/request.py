"""What a run is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict, field_validator

from include.params import BadParam, checked, refuse_unknown_params
from include.text import safe_repr

MAX_NAMES = 1000
_TABLES = "a list of tables that the DAG file lists, each once"
_ALLOWED = {
    "full_check": "true or false",
    "strict": "true or false",
    "accept_shrink": _TABLES,
    "reread": _TABLES,
    "accept_dropped": f"a list of table.column, at most {MAX_NAMES}, of tables that the DAG file lists",
}


class SyncRequest(BaseModel):
    """The params of a run.

    Attributes: full_check: compare all values, not only once a day. strict: what would be a warning is an
    error. accept_shrink: tables that may lose more than half of their rows. reread: tables to be read whole.
    accept_dropped: columns of the source, as table.column, that may be gone.
    """

    model_config = ConfigDict(frozen=True, strict=True)
    full_check: bool = False
    strict: bool = False
    accept_shrink: tuple[str, ...] = ()
    reread: tuple[str, ...] = ()
    accept_dropped: tuple[str, ...] = ()

    @field_validator("accept_shrink", "reread", "accept_dropped", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        if value is None:
            return ()
        if isinstance(value, list | tuple) and len(set(map(str, value))) == len(value) <= MAX_NAMES:
            return tuple(value)
        raise ValueError("not a list without doubles")


def read_request(params: Mapping[str, object], tables: Collection[str]) -> SyncRequest:
    """Turn the params of a run into a request. Args: tables, that there are. Raises: BadParam."""
    refuse_unknown_params(params, tuple(_ALLOWED))
    request = checked(SyncRequest, params, _ALLOWED)
    named = {"accept_shrink": request.accept_shrink, "reread": request.reread}
    for param, names in named.items():
        for name in names:
            _require(name in tables, param, name, tables)
    for name in request.accept_dropped:
        table, dot, column = name.partition(".")
        _require(bool(table in tables and dot and column), "accept_dropped", name, tables)
    return request


def _require(is_known: bool, param: str, name: str, tables: Collection[str]) -> None:
    if not is_known:
        raise BadParam(param, safe_repr(name), f"{_ALLOWED[param]}: {', '.join(tables)}")
