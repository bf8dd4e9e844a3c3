"""The GitHub connection: root of the API, token and limits, turned into a client."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import mask_secret
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from include.text import secret_encodings
from stagehouse.clock import now
from stagehouse.hooks.connection_fields import (
    BadConnection,
    no_bool,
    number_option,
    read_connection,
    read_options,
)
from stagehouse.hooks.connection_grammar import NO_URL, is_url
from stagehouse.hooks.network_environment import route_to

if TYPE_CHECKING:
    from include.github.api.client import GitHubClient
    from include.http.pacing import Pace
    from include.postgres.lease import Lease
    from include.staging.files import StagingPath

_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
MOST_TOKENS = 20  # more is hardly a list of tokens: a key, a text that was pasted
LIMITS = ".limits"  # the folder of the staging root that remembers closed rate limits
ANSWERS = ".answers"  # and that of pages, which GitHub says for nothing to be the same still


class GitHubOptions(BaseModel):
    """`extra` of the connection. Text is taken too: the URI form of a connection knows nothing else.

    Attributes: requests_per_second, of all tokens, kept as the server sees them (GitHub itself allows 15);
    max_concurrent_requests of a process (GitHub: 100); timeout_s of one request; reserve, share of each
    token's limits that is left to others who use it; processes, how many may ask at the same time, at
    one pace where their connections hold the same list of tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    requests_per_second: Annotated[float, BeforeValidator(no_bool)] = number_option(10.0, 0.01, 1000)
    max_concurrent_requests: Annotated[int, BeforeValidator(no_bool)] = Field(default=5, ge=1, le=100)
    timeout_s: Annotated[float, BeforeValidator(no_bool)] = number_option(60.0, 0.1, 3600)
    reserve: Annotated[float, BeforeValidator(no_bool)] = number_option(0.1, 0, 0.9, "a share: 0.1 is 10 %")
    processes: Annotated[int, BeforeValidator(no_bool)] = Field(default=1, ge=1, le=20)


class GitHubHook(BaseHook):
    """Makes a GitHubClient of a connection: host = root of the API, password = tokens (may be empty).

    Several tokens are separated by whitespace, commas or line ends: the one with the most left is used.

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

        Raises: BadConnection, which names the connection and the field; BadEnvironment.
        """
        if self._staging_root is None:
            raise ValueError(
                "GitHubHook(staging_root=...) is needed: closed rate limits are remembered there"
            )
        return self._client(self._staging_root)

    def require_usable(self) -> bool:
        """Read all of the connection, and the way there, sending nothing; tell whether it has a token.

        Raises: BadConnection; BadEnvironment.
        """
        connection = read_connection(self.github_conn_id)
        route_to(_host(connection))
        read_options(connection, GitHubOptions)
        return bool(_tokens(connection))

    def lease(self) -> AbstractContextManager[Lease]:
        """Return the leases that guard the budgets, one a token, to be held all together.

        So of all that use one of these tokens, or none on the same host, one asks at a time, or `processes`.
        """
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        processes = read_options(read_connection(self.github_conn_id), GitHubOptions).processes
        return StagehousePostgresHook().lease(*self.lease_names(), places=processes)

    def lease_names(self) -> tuple[str, ...]:
        """Return the names of these leases, in the order in which everybody takes them."""
        from include.github.api.rules import account_of
        from include.http.tokens import numbered

        connection = read_connection(self.github_conn_id)
        host = _host(connection)
        return tuple(sorted(account_of(token, host) for token in numbered(_tokens(connection))))

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
        connection = read_connection(self.github_conn_id)
        tokens = _tokens(connection)
        for place, token in enumerate(tokens, start=1):
            await self._ask_root_with((token,), f"token {place} of {len(tokens)}: " if tokens[1:] else "")
        if not tokens:
            await self._ask_root_with((), "")
        accepted = "the token is accepted" if len(tokens) == 1 else f"all {len(tokens)} tokens are accepted"
        return f"{_host(connection)} is a GitHub API; {accepted if tokens else 'asked without a token'}"

    async def _ask_root_with(self, tokens: tuple[str, ...], whose: str) -> None:
        from include.github.api.answer_errors import Unauthorized
        from include.github.api.bounds import GitHubBounds
        from include.http.request_cost import RequestCost

        bounds = GitHubBounds(attempts=2, retry_first_s=0.2, retry_jitter_s=0.1, max_sleep_s=2)
        with tempfile.TemporaryDirectory() as directory:
            try:
                options = {"tokens": tokens, "bounds": bounds, "pace": None}
                async with self._client(Path(directory), **options) as client:
                    await client.get(client.base_url, _require_root, RequestCost())
            except Unauthorized as error:
                raise ValueError(f"{whose}{error}") from None

    def _client(self, staging_root: StagingPath, **options: Any) -> GitHubClient:
        import stamina

        # Our client logs each retry, with the reason; once is enough.
        stamina.instrumentation.set_on_retry_hooks([])
        # Imported here: aiohttp would slow down the parsing of every DAG file that names this hook.
        from include.github.api.client import GitHubClient
        from include.github.api.page_cache import PageCache
        from include.http.cooldown_store import CooldownStore

        connection = read_connection(self.github_conn_id)
        wanted = read_options(connection, GitHubOptions)
        arguments = {
            "tokens": _tokens(connection),
            "pace": self._shared_pace(wanted),
            **wanted.model_dump(exclude={"processes"}),
            "limits": CooldownStore(staging_root / LIMITS),
            "kept": PageCache(staging_root / ANSWERS, now),
            "now": now,
            "route": route_to(_host(connection)),
        }
        return GitHubClient(_host(connection), **arguments | options)

    def _shared_pace(self, wanted: GitHubOptions) -> Callable[[], Pace] | None:
        """Return what keeps one pace for all processes; None where one process asks alone."""
        from include.http.pacing import GUARD
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        if wanted.processes == 1:
            return None
        name, distance_s = ", ".join(self.lease_names()), GUARD / wanted.requests_per_second
        return StagehousePostgresHook().pace(name, distance_s, wanted.processes)


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


def _tokens(connection: Connection) -> tuple[str, ...]:
    """Return the tokens in the password; logs hide each, as read_connection() has them hide the whole."""
    from include.http.tokens import split_tokens

    tokens = split_tokens(connection.password or "")
    if not all(_TOKEN.fullmatch(token) for token in tokens):
        reason = "tokens are separated by whitespace or commas, and have letters, digits and _ . - only"
        raise BadConnection(connection.conn_id, "password", reason)
    if len(tokens) > MOST_TOKENS:
        reason = f"holds more than {MOST_TOKENS} words, which whitespace and commas separate"
        raise BadConnection(connection.conn_id, "password", reason)
    mask_secret([form for token in tokens for form in secret_encodings(token)])
    return tokens


def _require_root(value: object) -> None:
    if not isinstance(value, dict) or "repository_search_url" not in value:
        raise ValueError("this is not the root of a GitHub API: it names no repository_search_url")
