"""The GitHub connection: root of the API, token and limits, turned into a client."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, Connection
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hooks.connection_fields import BadConnection, read_connection, read_options
from hooks.connection_grammar import NO_URL, is_url

if TYPE_CHECKING:
    from include.github.client import GitHubClient
    from include.staging.files import StagingPath

LIMITS = ".limits"  # the folder of the staging root that remembers closed rate limits


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("Input should be a number")  # noqa: TRY004 - what pydantic turns into an answer
    return value


def _option(default: float, at_least: float, at_most: float) -> Any:
    return Field(default=default, ge=at_least, le=at_most, allow_inf_nan=False)


class GitHubOptions(BaseModel):
    """`extra` of the connection. Text is taken too: the URI form of a connection knows nothing else.

    Attributes: requests_per_second, kept as the server sees them (GitHub itself allows 15);
    max_concurrent_requests (GitHub: 100); timeout_s of one request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    requests_per_second: Annotated[float, BeforeValidator(_no_bool)] = _option(10.0, 0.01, 1000)
    max_concurrent_requests: Annotated[int, BeforeValidator(_no_bool)] = Field(default=5, ge=1, le=100)
    timeout_s: Annotated[float, BeforeValidator(_no_bool)] = _option(60.0, 0.1, 3600)


class GitHubHook(BaseHook):
    """Makes a GitHubClient of a connection: host = root of the API, password = token (may be empty).

    Args: github_conn_id; staging_root, where the client remembers closed rate limits: get_conn needs it.
    """

    conn_name_attr = "github_conn_id"
    default_conn_name = "github_default"
    conn_type = "github"
    hook_name = "GitHub"

    def __init__(
        self, github_conn_id: str = default_conn_name, staging_root: StagingPath | None = None
    ) -> None:
        super().__init__()
        self.github_conn_id, self._staging_root = github_conn_id, staging_root

    def get_conn(self) -> GitHubClient:
        """Return a client that is not open yet: enter it inside the event loop. Nothing is sent here.

        Raises: BadConnection, which names the connection and the field.
        """
        if self._staging_root is None:
            raise ValueError(
                "GitHubHook(staging_root=...) is needed: closed rate limits are remembered there"
            )
        return self._client(self._staging_root)

    def lease_name(self) -> str:
        """Return the name of the lease that guards this account's budget: one holder asks at a time."""
        connection = read_connection(self.github_conn_id)
        token = hashlib.sha256(_token(connection).encode()).hexdigest()[:12]
        return f"github:{urlsplit(_host(connection)).netloc.lower()}:{token}"

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the root of the API, once more if need be: what the UI's Test button shows.

        Not /rate_limit, which a GitHub Enterprise without limits does not have. The root is a list of
        addresses that only a GitHub API has, and it refuses a bad token like any other address.
        """
        try:
            return True, asyncio.run(self._ask_root())
        except Exception as error:  # noqa: BLE001 - whatever it is, the button shows it
            return False, str(error) or type(error).__name__

    async def _ask_root(self) -> str:
        from include.github.budget import Tally
        from include.github.limits import Bounds

        with tempfile.TemporaryDirectory() as directory:
            bounds = Bounds(attempts=2, retry_first_s=0.2, retry_jitter_s=0.1, patience_s=2)
            async with self._client(Path(directory), bounds=bounds) as client:
                await client.get(client.base_url, _require_root, Tally())
        token = _token(read_connection(self.github_conn_id))
        account = "the token is accepted" if token else "asked without a token"
        return f"{client.base_url} is a GitHub API; {account}"

    def _client(self, staging_root: StagingPath, **options: Any) -> GitHubClient:
        import stamina

        # Our client logs each retry, with the reason; once is enough.
        stamina.instrumentation.set_on_retry_hooks([])
        # Imported here: aiohttp would slow down the parsing of every DAG file that names this hook.
        from include.github.client import GitHubClient
        from include.github.limits import LimitMemory

        connection = read_connection(self.github_conn_id)
        account = hashlib.sha256(self.lease_name().encode()).hexdigest()[:16]
        return GitHubClient(
            _host(connection),
            token=_token(connection) or None,
            **read_options(connection, GitHubOptions).model_dump(),
            limits=LimitMemory(staging_root / LIMITS / f"github-{account}.json"),
            now=partial(datetime.now, UTC),
            **options,
        )


def _host(connection: Connection) -> str:
    """Return the root of the API, without a slash at the end."""
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        raise BadConnection(
            connection.conn_id, "host", "is empty; https://api.github.com is GitHub's own API"
        )
    if not is_url(host):
        raise BadConnection(connection.conn_id, "host", f"{NO_URL}; https://api.github.com is one")
    if connection.port is not None:
        raise BadConnection(
            connection.conn_id, "port", "is not used: write it into the host, https://name:port"
        )
    return host


def _token(connection: Connection) -> str:
    token = connection.password or ""
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BadConnection(
            connection.conn_id, "password", "holds a space, a line end or no ASCII: no token does"
        )
    return token


def _require_root(value: object) -> None:
    if not isinstance(value, dict) or "repository_search_url" not in value:
        raise ValueError("this is not the root of a GitHub API: it names no repository_search_url")
