"""Roots of files: the Airflow variables `staging_root`, `reports_root`, `inbox_root` and `recipes_root`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from airflow.sdk import Connection, ObjectStoragePath, Variable
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # as the providers do
from attrs import define

from include.errors import PermanentError
from include.text import safe_repr
from stagehouse.hooks.connection_fields import BadConnection, read_connection, read_extra
from stagehouse.hooks.connection_grammar import NO_REGION, NO_URL, is_host, is_url

if TYPE_CHECKING:
    from include.staging.files import StagingPath

REPORTS_ROOT, INBOX_ROOT = "reports_root", "inbox_root"
AWS_CONNECTION = "aws_default"
MAX_ROOT = 512  # half of what an object store takes as the name of a file: the rest is ours
_AWS_SCHEMES = ("s3", "s3a", "s3n")
PATIENCE_S = 5.0  # of a page, with a store
# Of S3's client, which sends them always since 2025: a store other than Amazon's may refuse that.
_CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


@define(slots=False)
class BadVariable(ValueError, PermanentError):
    """An Airflow variable cannot be used as it is. Attributes: variable; reason; next_step."""

    variable: str
    reason: str
    next_step: str = "correct the variable under Admin > Variables, or where else it is defined"

    def __str__(self) -> str:
        return f"variable {self.variable!r}: {self.reason}. Next: {self.next_step}"


@define(slots=False)
class StorageAway(OSError):
    """A root's object store gives no usable answer just now. Attributes: variable; reason; next_step."""

    variable: str
    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"variable {self.variable!r}: {self.reason}. Next: {self.next_step}"


def staging_root() -> StagingPath:
    """Return the directory or object store prefix for staging files. Raises: BadVariable."""
    return _root("staging_root")


def reports_root() -> StagingPath:
    """Return the directory or object store prefix for rendered reports. Raises: BadVariable."""
    return _root(REPORTS_ROOT)


def inbox_root() -> StagingPath:
    """Return the directory or object store prefix that imports take their files from. Raises: BadVariable."""
    return _root(INBOX_ROOT)


def recipes_root() -> StagingPath:
    """Return the directory or object store prefix of the recipes of api_calls. Raises: BadVariable."""
    return _root("recipes_root")


def require_storage(*variables: str) -> None:
    """Look at the roots of these variables, so that a mistake in one is found before any work is done.

    A directory may still be missing: it is made by the first file.
    Raises: BadVariable, BadConnection; StorageAway, which may be over at the next try.
    """
    for variable in variables:
        root = _root(variable)
        if not isinstance(root, Path):
            names_below(variable, root)


def impatient(root: StagingPath) -> StagingPath:
    """Return `root`, whose store is asked once from now on, and for a few seconds: a person waits.

    S3's client would ask one that is silent for seven minutes. What the connection says of timeouts wins.
    """
    files: Any = getattr(root, "fs", None)
    if hasattr(files, "config_kwargs"):  # s3fs: all is read when the first request is made
        files.connect_timeout = files.read_timeout = PATIENCE_S
        files.retries = 1
        files.config_kwargs.setdefault("retries", {"total_max_attempts": 1})
    return root


def names_below(variable: str, directory: StagingPath) -> list[str]:
    """Return the names in `directory`, a place below the root of that variable; none where it is missing.

    Raises: BadVariable; StorageAway; OSError, of a disk.
    """
    if isinstance(directory, Path):
        try:
            return [path.name for path in directory.iterdir()]
        except FileNotFoundError:
            return []
    store: Any = directory
    with storage_errors(variable, directory):
        try:
            paths = store.fs.ls(store.path, detail=False)
        except FileNotFoundError as error:
            if error.__cause__:  # the store said so of the bucket; else nothing has this prefix yet
                raise
            return []
    return [path.rstrip("/").rpartition("/")[2] for path in paths]


@contextmanager
def storage_errors(variable: str, root: StagingPath) -> Iterator[None]:
    """Turn what the store of `root` says in its own words into an error with the variable and the next step.

    Raises: BadVariable; StorageAway.
    """
    if isinstance(root, Path):
        yield
        return
    try:
        yield
    except FileNotFoundError as error:
        reason = f"'{root}': {redact(str(error))}"
        raise BadVariable(variable, reason, "create the bucket, or correct the URL") from error
    except PermissionError as error:
        reason = f"'{root}': refused ({redact(str(error))})"
        next_step = f"check {_credentials(root)}, and what they may do there"
        raise BadVariable(variable, reason, next_step) from error
    except Exception as error:  # every store has errors of its own
        reason = f"'{root}': no usable answer ({redact(str(error))})"
        field = "verify" if "certificate verify failed" in str(error).lower() else "endpoint_url"
        next_step = f"see whether it is up; check {field} {_in_extra(root)}"
        raise StorageAway(variable, reason, next_step) from error


def _root(variable: str) -> StagingPath:
    text = str(Variable.get(variable, default="") or "").strip()
    if not text:
        next_step = f"set it under Admin > Variables, or AIRFLOW_VAR_{variable.upper()}"
        raise BadVariable(variable, "not set: a directory or a URL like s3://bucket/prefix", next_step)
    if len(text) > MAX_ROOT or not text.isprintable():
        reason = f"at most {MAX_ROOT} characters are allowed, none of them a control character"
        raise BadVariable(variable, reason)
    path = text.removeprefix("file://")
    if "://" in path:
        return _object_store(variable, path)
    if not Path(path).is_absolute():
        reason = "is no absolute path: tasks have no common working directory"
        raise BadVariable(variable, reason)
    # Not Airflow's wrapper around the same files: it is many times slower.
    return Path(path)


def _object_store(variable: str, url: str) -> StagingPath:
    # In a thread: Airflow's way to S3 runs an event loop of its own, and some tasks are inside one already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, _open, variable, url).result()


def _open(variable: str, url: str) -> StagingPath:
    connection = _connection(variable, url)
    try:
        store = ObjectStoragePath(url, conn_id=connection.conn_id if connection else None)
        files = store.fs  # a store whose provider is not installed is found here, not by the first file
    except (ValueError, ImportError) as error:
        raise BadVariable(variable, f"{safe_repr(url)} cannot be opened: {error}") from error
    # Other processes write there: what they wrote must be seen. Airflow itself gives the path its file system
    # only where there is a connection; without one, half of the path's methods would use another.
    files.dircache.use_listings_cache = False
    store.__wrapped__._fs_cached = files  # noqa: SLF001
    if getattr(files, "endpoint_url", None):
        for checksum in _CHECKSUMS:
            files.config_kwargs.setdefault(checksum, "when_required")
    verify = read_extra(connection).get("verify") if connection else None
    if verify not in (None, "") and hasattr(files, "client_kwargs"):  # Airflow hands it to its hooks only
        files.client_kwargs["verify"] = verify
    return cast("StagingPath", store)


def _connection(variable: str, url: str) -> Connection | None:
    """Return the connection in the URL, else AWS's default one where there is one.

    Airflow would go on without credentials if the one in the URL were missing, and ignores the default one.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # half an IPv6 address; not shown, for the same reason as below
        raise BadVariable(variable, "is no URL like s3://bucket/prefix") from None
    named, _, bucket = parts.netloc.rpartition("@")
    # Never shown. A secret key may hold a "/": then the "@" after it is not where one is looked for.
    if "@" in url.replace("@", "", bool(named)) or ":" in parts.netloc or (named and not is_host(named)):
        raise BadVariable(variable, "before '@' stands the id of a connection: credentials belong into that")
    if not bucket:
        raise BadVariable(variable, "names no bucket: s3://bucket/prefix does")
    if not named and parts.scheme not in _AWS_SCHEMES:
        return None
    try:
        connection = read_connection(named or AWS_CONNECTION)
    except BadConnection as error:
        if named or error.field != "id":
            raise
        return None
    _require_plain_extra(connection)
    return connection


def _require_plain_extra(connection: Connection) -> None:
    """Raise BadConnection for what AWS's client would repeat in an error, and may hold a secret."""
    extra = read_extra(connection)
    verify = extra.get("verify")
    if not (verify in (None, "") or isinstance(verify, bool) or _is_file(verify)):
        reason = "is neither true, false nor a file of certificates on this host; not shown"
        raise BadConnection(connection.conn_id, "extra.verify", reason)
    for name, is_right, reason in (("endpoint_url", is_url, NO_URL), ("region_name", is_host, NO_REGION)):
        value = extra.get(name)
        if value not in (None, "") and not (isinstance(value, str) and is_right(value)):
            raise BadConnection(connection.conn_id, f"extra.{name}", reason)


def _is_file(path: object) -> bool:
    try:
        return isinstance(path, str) and Path(path).is_file()
    except ValueError:  # a NUL
        return False


def _credentials(root: Any) -> str:
    if root.conn_id:
        return f"login and password of connection {root.conn_id!r}"
    return f"the credentials that the worker finds itself (there is no connection {AWS_CONNECTION!r})"


def _in_extra(root: Any) -> str:
    return f"in the extra of connection {root.conn_id or AWS_CONNECTION!r}"
