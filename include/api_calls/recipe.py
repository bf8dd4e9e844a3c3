"""Recipes: how a row of a file becomes a request. A TOML file, read strictly.

No text is a template. A value of a row is one whole value of the body, one whole segment of the path, or one
whole value of the query: it cannot add a key, a segment, a header or a host.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import jmespath  # type: ignore[import-untyped]
from jmespath.functions import Functions  # type: ignore[import-untyped]
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from include.api_calls.columns import Column
from include.api_calls.errors import BadRecipe
from include.staging.files import StagingPath
from include.text import safe_repr

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
ENDING = ".toml"
MAX_BYTES = 100_000
DEFAULT_CONNECTION = "http_api_default"
REPEATABLE = ("GET", "HEAD")
_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@-]+")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def _query_value(value: object) -> object:
    if not isinstance(value, str | int):
        raise ValueError(f"{safe_repr(value)} is not a text, a whole number, true or false")  # noqa: TRY004
    return value


# A key in one of them would not arrive, or change where the request goes and how its body is read.
_NO_KEYS = re.compile(
    "accept|authorization|connection|content-(length|type)|cookie|expect|host|transfer-encoding|user-agent",
    re.IGNORECASE,
)
Status = Annotated[int, Field(ge=200, le=599)]
KeptName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class Idempotency(BaseModel):
    """A header by which the API knows a request again.

    Attributes: header, its name; hours, for which the API remembers; quoted, as the draft of the IETF has it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    header: str = Field(pattern="^[A-Za-z][A-Za-z0-9-]{0,99}$")
    hours: float = Field(gt=0, le=24 * 365)
    quoted: bool = False


class Recipe(BaseModel):
    """A recipe: how rows become requests, and which answers count as ok.

    Attributes: connection, of type http_api; method; path, query and body, with placeholders; columns, of the
    file; keep, JMESPath over the answer by name; ok_statuses, any 2xx where empty; not_done, statuses that
    say for sure that nothing was done; repeatable, whether it does no harm to send a request twice, by the
    method unless told; idempotency; unique, columns that make a row, where a file has no row twice.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    connection: str = Field(default=DEFAULT_CONNECTION, pattern=r"^[\w.-]{1,200}$")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: str = Field(max_length=2000)
    query: dict[str, Annotated[str | int | bool, BeforeValidator(_query_value)]] = {}
    columns: dict[str, Column] = Field(min_length=1)
    body: JsonValue = None
    keep: dict[KeptName, str] = {}
    ok_statuses: list[Status] = []
    not_done: list[Status] = []
    repeatable: bool | None = None
    idempotency: Idempotency | None = None
    unique: list[str] = []

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        self._check_path()
        self._check_placeholders()
        for name, expression in self.keep.items():
            try:
                _check_functions(jmespath.compile(expression).parsed)
            except (ValueError, RecursionError) as error:
                said = " ".join(str(error).split())[:300]
                raise ValueError(f"keep.{name}: {safe_repr(expression)} is no JMESPath: {said}") from None
        if self.method in REPEATABLE and self.body is not None:
            raise ValueError(f"body: a {self.method} has none")
        if self.method == "HEAD" and self.keep:
            raise ValueError("keep: the answer to a HEAD has no body")
        if self.idempotency and _NO_KEYS.fullmatch(self.idempotency.header):
            raise ValueError(f"idempotency.header: {self.idempotency.header} has a meaning of HTTP's own")
        if both := sorted(set(self.ok_statuses) & set(self.not_done)):
            raise ValueError(f"not_done: {both[0]} is in ok_statuses too")
        if stray := next((name for name in self.unique if name not in self.columns), None):
            raise ValueError(f"unique: {safe_repr(stray)} is not in [columns]")
        return self

    @property
    def is_repeatable(self) -> bool:
        """Tell whether it does no harm to send a request twice."""
        return self.method in REPEATABLE if self.repeatable is None else self.repeatable

    @cached_property
    def kept(self) -> dict[str, Any]:
        """The expressions to keep, compiled, by name."""
        return {name: jmespath.compile(expression) for name, expression in self.keep.items()}

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The segments of the path."""
        return tuple(self.path.split("/")[1:])

    def is_ok(self, status: int) -> bool:
        """Tell whether a status says that the call is done."""
        return status in self.ok_statuses if self.ok_statuses else 200 <= status < 300  # noqa: PLR2004

    def _check_path(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError("path: it begins with '/', below the host of the connection")
        for place, segment in enumerate(self.segments):
            if segment == "" and place == len(self.segments) - 1:
                continue
            if column := column_of(segment):
                if column in self.columns and not self.columns[column].required:
                    raise ValueError(f"path: column {safe_repr(column)} is not required, and a segment is")
            elif not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
                raise ValueError(
                    f"path: segment {safe_repr(segment)} is neither plain text nor a whole {{column}}"
                )

    def _check_placeholders(self) -> None:
        leaves: list[tuple[str, JsonValue]] = [("path", segment) for segment in self.segments]
        leaves += [(f"query.{name}", value) for name, value in self.query.items()]
        leaves += _leaves("body", self.body)
        for key, leaf in leaves:
            if not isinstance(leaf, str):
                continue
            column = column_of(leaf)
            if column is not None and column not in self.columns:
                known = ", ".join(self.columns)
                raise ValueError(f"{key}: {safe_repr(leaf)} is no column of [columns]: {known[:200]}")
            if column is None and any(name in self.columns for name in _PLACEHOLDER.findall(leaf)):
                raise ValueError(
                    f"{key}: {safe_repr(leaf)} has a column beside text: a value is one of the two"
                )


def _check_functions(node: Mapping[str, Any]) -> None:
    """Require that the functions of an expression exist and get their values: a row would tell too late."""
    for inner in node["children"]:
        if isinstance(inner, dict):  # of a slice they are numbers
            _check_functions(inner)
    if node["type"] != "function_expression":
        return
    name, given, known = node["value"], len(node["children"]), Functions.FUNCTION_TABLE
    if name not in known:
        raise ValueError(f"no function {name}; known: {', '.join(sorted(known))}")
    takes = known[name]["signature"]
    if given < len(takes) or (given > len(takes) and not takes[-1].get("variadic")):
        raise ValueError(f"function {name} takes {len(takes)} values, and has {given}")


def column_of(leaf: object) -> str | None:
    """Return the column that a value of a recipe names, None where it is a value of its own."""
    found = _PLACEHOLDER.fullmatch(leaf) if isinstance(leaf, str) else None
    return found[1] if found else None


def read_recipe(root: StagingPath, name: str) -> tuple[Recipe, str]:
    """Return the recipe `name` below `root`, and its text. Raises: BadRecipe."""
    file = f"{name}{ENDING}"
    if not re.fullmatch(NAME, name):
        raise BadRecipe(
            ascii(file)[1:-1][:120], "", "no name of a recipe: letters, digits and _ . - are allowed"
        )
    try:
        data = (root / file).read_bytes()
    except FileNotFoundError:
        raise BadRecipe(
            file, "", f"there is none of that name in {root}, the variable recipes_root"
        ) from None
    if len(data) > MAX_BYTES:
        raise BadRecipe(file, "", f"longer than {MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadRecipe(file, "", "it is no text in UTF-8") from None
    return parse_recipe(file, text), text


def parse_recipe(file: str, text: str) -> Recipe:
    """Return what the text of a recipe says. Raises: BadRecipe, by file, key and what is allowed."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe(file, "", f"it is no TOML: {error}") from None
    except RecursionError:
        raise BadRecipe(file, "", "nested too deep") from None
    except ValidationError as error:
        raise _refused(file, error) from None


def _refused(file: str, error: ValidationError) -> BadRecipe:
    problem = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    if problem["type"] == "extra_forbidden":
        model: Any = {"columns": Column, "idempotency": Idempotency}.get(place[0], Recipe)
        reason = f"not known; known: {', '.join(model.model_fields)}"
    elif problem["type"] == "value_error":
        said = problem["msg"].removeprefix("Value error, ")
        key, colon, rest = said.partition(": ")
        if not place and colon:
            return BadRecipe(file, key, rest)
        reason = said
    elif problem["type"] == "missing":
        reason = "is missing"
    else:
        reason = f"is {safe_repr(problem['input'])}: {problem['msg']}"
    key = ascii(".".join(place))[1:-1][:120]
    return BadRecipe(file, key, reason)


def _leaves(key: str, node: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _leaves(f"{key}.{name}", value)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _leaves(f"{key}.{place}", value)
    else:
        if isinstance(node, float) and not math.isfinite(node):
            raise ValueError(f"{key}: {node} is no number of JSON")
        if isinstance(node, int) and not -(2**63) <= node < 2**64:
            raise ValueError(f"{key}: {safe_repr(node)} is no integer of 64 bits")
        yield key, node
