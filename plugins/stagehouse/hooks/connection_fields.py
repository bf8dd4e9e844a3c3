"""Reading an Airflow connection so that every mistake in it is one line: connection, field, reason."""

from __future__ import annotations

import json
import os
from typing import Any, TypeVar

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret, redact  # type: ignore[attr-defined]  # as the providers do
from attrs import define
from pydantic import BaseModel, Field, ValidationError

from include.errors import PermanentError
from include.text import safe_repr, secret_encodings
from stagehouse.hooks.connection_grammar import NO_HOST, NO_NAME, is_host, is_name

Options = TypeVar("Options", bound=BaseModel)
TEXTS = {"host": 512, "login": 512, "password": 20_000, "schema": 512, "extra": 1_000_000}  # and the longest
FIELDS = {"conn_type", "description", "host", "login", "password", "schema", "port", "extra"}


@define(slots=False)
class BadConnection(ValueError, PermanentError):
    """A connection cannot be used as it is written down.

    Attributes: connection, its id; field, as in the UI's form or the JSON ("extra.sslmode" for one option);
    reason, without any value of a password; next_step.
    """

    connection: str
    field: str
    reason: str
    next_step: str = "correct the connection under Admin > Connections, or where else it is defined"

    def __str__(self) -> str:
        # The name of an option is text from outside too.
        where = f"connection {self.connection!r}, {ascii(self.field)[1:-1][:80]}"
        return f"{where}: {self.reason}. Next: {self.next_step}"


def read_connection(conn_id: str) -> Connection:
    """Return the connection `conn_id` from wherever Airflow finds it first; logs hide its secrets then.

    They are the password, and what in `extra` is a key or has a name that Airflow takes for a secret's.

    Raises: BadConnection: there is none, or its environment variable cannot be read, which Airflow itself
        reports as "isn't defined".
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise _unreadable(conn_id) from None
    except RecursionError:
        raise BadConnection(conn_id, "JSON", "nested too deep") from None
    _require_text(connection)
    secrets = [connection.password or "", *_secrets_in_extra(connection)]
    # By itself Airflow hides the password as it is, and of extra nothing but the whole.
    mask_secret([form for secret in secrets for form in secret_encodings(secret)])
    return connection


def read_extra(connection: Connection) -> dict[str, object]:
    """Return the options of `extra`; Airflow would log a mistake in them and go on without any.

    Raises: BadConnection: not JSON, or not an object.
    """
    try:
        extra = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError) as error:
        raise BadConnection(connection.conn_id, "extra", f"not JSON: {error}") from None
    if not isinstance(extra, dict):
        raise BadConnection(connection.conn_id, "extra", 'not a JSON object like {"name": "value"}')
    return extra


def read_options(connection: Connection, model: type[Options]) -> Options:
    """Return `extra` as `model`; an empty field, which the UI's form saves as null or "", is its default.

    Raises: BadConnection: not known to the model, or not what it allows.
    """
    given = {name: value for name, value in read_extra(connection).items() if value not in (None, "")}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        if problem["type"] == "extra_forbidden":
            reason = f"not known; known: {', '.join(model.model_fields)}"
        else:
            reason = f"{_without_texts(problem['input'])}: {problem['msg'].removeprefix('Value error, ')}"
            if hint := model.model_fields[str(problem["loc"][0])].description:
                reason += f" ({hint})"
        raise BadConnection(connection.conn_id, f"extra.{str(problem['loc'][0])[:80]}", reason) from None


def no_bool(value: object) -> object:
    """Refuse what Python takes for the numbers 0 and 1; before pydantic looks at an option."""
    if isinstance(value, bool):
        raise ValueError("Input should be a number")  # noqa: TRY004 - what pydantic turns into an answer
    return value


def number_option(default: float, at_least: float, at_most: float, hint: str | None = None) -> Any:
    """Return the field of an option that is a finite number within bounds."""
    return Field(default=default, ge=at_least, le=at_most, allow_inf_nan=False, description=hint)


def read_port(connection: Connection, default: int) -> int:
    """Return the port, or `default` where the field is empty.

    Raises: BadConnection: not between 1 and 65535.
    """
    port = default if connection.port is None else connection.port
    if not 1 <= port <= 65535:  # noqa: PLR2004 - the range of a TCP port
        raise BadConnection(connection.conn_id, "port", f"{port} is not between 1 and 65535")
    return port


def require_host(connection: Connection) -> None:
    """Raise BadConnection unless it is a host's name or address; it may be a URL with a password."""
    if not is_host(connection.host or ""):
        raise BadConnection(connection.conn_id, "host", NO_HOST)


def require_names(connection: Connection) -> None:
    """Raise BadConnection where login or schema, which servers repeat in errors, are no names."""
    for field in ("login", "schema"):
        if (text := getattr(connection, field)) and not is_name(text):
            raise BadConnection(connection.conn_id, field, NO_NAME)


def _secrets_in_extra(connection: Connection) -> list[str]:
    """Return the texts whose name, or whose parent's name, is a secret's; none if the extra is not JSON."""
    try:
        found: list[tuple[str, object]] = [("", json.loads(connection.extra or "{}"))]
    except (ValueError, RecursionError):
        return []
    secrets = []
    while found:
        name, value = found.pop()
        if isinstance(value, dict):
            found += [(f"{name}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, list):
            found += [(name, inner) for inner in value]
        elif isinstance(value, str) and (name.endswith("_key") or redact("-", name) != "-"):
            secrets.append(value)
    return secrets


def _require_text(connection: Connection) -> None:
    """Raise BadConnection for what the drivers would fail on, each in words of its own, or show in a log."""
    for field, longest in TEXTS.items():
        value: object = getattr(connection, field)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > longest or not is_plain(value):
            reason = f"no text of at most {longest} characters, all of them whole and none a NUL"
            raise BadConnection(connection.conn_id, field, reason)
    port: object = connection.port
    if port is not None and type(port) is not int:
        raise BadConnection(connection.conn_id, "port", f"{_without_texts(port)} is not a number")


def is_plain(text: str) -> bool:
    """Tell whether a text can be sent and be the name of a file: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _unreadable(conn_id: str) -> BadConnection:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = os.environ.get(variable)
    if text is None:
        next_step = f"add it under Admin > Connections, or set {variable}"
        return BadConnection(conn_id, "id", "not defined", next_step)
    if not text.lstrip().startswith("{"):
        # No part of the text is shown: a password with an unescaped "/" turns up where the port should be.
        reason = f"{variable} is no URI: its port is no number, or a character needs percent-encoding"
        return BadConnection(conn_id, "port", reason)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        return BadConnection(conn_id, "JSON", f"{variable} is not JSON: {error}")
    if unknown := sorted(set(fields) - FIELDS):
        reason = f"{variable} has this unknown field; known: {', '.join(sorted(FIELDS))}"
        return BadConnection(conn_id, unknown[0], reason)
    return BadConnection(conn_id, "port", f"{_without_texts(fields.get('port'))} is not a number")


def _without_texts(value: object) -> str:
    """Show a value, unless it may be a secret in a wrong place."""
    return safe_repr(value) if isinstance(value, int | float | None) else "what is there"
