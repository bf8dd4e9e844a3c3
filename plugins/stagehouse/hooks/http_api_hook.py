"""The connection of an HTTP API with a rate limit: root, secret and limits, turned into a transport."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from include.api_calls.rules import CallRules
    from include.http.bounds import Bounds
    from include.http.pacing import Pace
    from include.http.transport import Transport
    from include.postgres.lease import Lease
    from include.staging.files import StagingPath

LIMITS = ".limits"  # the folder of the staging root that remembers closed rate limits
_SECRET = re.compile(r"[\x21-\x7e]+")
_NAME = r"^([A-Za-z][A-Za-z0-9._-]{0,99})?$"
_PATH = r"^(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500})?$"
# They would change where a request goes, or how its body is read.
_NO_HEADERS = (
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "cookie",
    "expect",
)


class HttpApiOptions(BaseModel):
    """`extra` of the connection. Text is taken too: the URI form of a connection knows nothing else.

    Attributes: requests_per_second, kept as the server sees them; max_concurrent_requests of a process;
    timeout_s of one request; processes, how many may ask at the same time, at one pace; header or
    query_parameter, that holds the secret where it is no bearer token; test_path, below the root, that the
    Test button asks for by GET.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    requests_per_second: Annotated[float, BeforeValidator(no_bool)] = number_option(7.0, 0.01, 1000)
    max_concurrent_requests: Annotated[int, BeforeValidator(no_bool)] = Field(default=5, ge=1, le=100)
    timeout_s: Annotated[float, BeforeValidator(no_bool)] = number_option(60.0, 0.1, 3600)
    processes: Annotated[int, BeforeValidator(no_bool)] = Field(default=1, ge=1, le=20)
    header: str = Field(default="", pattern=_NAME, description="the name of a header")
    query_parameter: str = Field(default="", pattern=_NAME, description="the name of a query parameter")
    test_path: str = Field(default="", pattern=_PATH, description="a path below the root, such as /me")


class HttpApiHook(BaseHook):
    """Makes transports to the API of a connection: host = its root, password = its secret or empty."""

    conn_name_attr = "http_api_conn_id"
    default_conn_name = "http_api_default"
    conn_type = "http_api"
    hook_name = "HTTP API with a rate limit"

    def __init__(self, http_api_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.http_api_conn_id = http_api_conn_id

    @property
    def options(self) -> HttpApiOptions:
        """The connection's settings beside host and password. Raises: BadConnection."""
        return _options(self._connection())

    @property
    def base_url(self) -> str:
        """The root of the API. Raises: BadConnection."""
        return _host(self._connection())

    def require_usable(self) -> None:
        """Read all of the connection, and the way there, sending nothing.

        Raises: BadConnection; BadEnvironment.
        """
        connection = self._connection()
        _options(connection)
        _secret(connection)
        route_to(_host(connection))

    @property
    def has_secret(self) -> bool:
        """Tell whether the connection has a secret. Raises: BadConnection."""
        return bool(_secret(self._connection()))

    def rules(self, not_done: Collection[int] = ()) -> CallRules:
        """Return how the API is asked. Args: not_done, statuses that say that nothing was done."""
        from include.api_calls.rules import CallRules

        options = self.options
        return CallRules(self.http_api_conn_id, options.header, options.query_parameter, not_done)

    def lease_name(self) -> str:
        """Return the name of the lease of the account. Raises: BadConnection."""
        from include.http.tokens import Token

        connection = self._connection()
        return Token(_secret(connection)).account(self.conn_type, _host(connection))

    def lease(self) -> AbstractContextManager[Lease]:
        """Return the lease of the account: of all that use it one asks at a time, or `processes`."""
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        return StagehousePostgresHook().lease(self.lease_name(), places=self.options.processes)

    def transport(
        self,
        limits: StagingPath,
        not_done: Collection[int] = (),
        *,
        bounds: Bounds | None = None,
        alone: bool = False,
    ) -> Transport:
        """Return a transport that is not open yet: enter it inside the event loop. Nothing is sent here.

        Args: limits, the folder that remembers closed rate limits; not_done, as for rules(); bounds, of waits
            and retries; alone, at a pace of its own, whatever `processes` says.
        Raises: BadConnection, which names the connection and the field.
        """
        import stamina
        from yarl import URL

        from include.api_calls.sender import MAX_ANSWER_BYTES
        from include.http.bounds import Bounds
        from include.http.cooldown_store import CooldownStore
        from include.http.tokens import Token
        from include.http.transport import Transport

        # Our client logs each retry, with the reason; once is enough.
        stamina.instrumentation.set_on_retry_hooks([])
        connection = self._connection()
        options, host = _options(connection), _host(connection)
        token = Token(_secret(connection))
        return Transport(
            URL(host),
            self.rules(not_done),
            {token: token.account(self.conn_type, host)},
            cooldowns=CooldownStore(limits),
            now=now,
            bounds=bounds or Bounds(),
            reserve=0.0,
            pace=self._pace(options, alone),
            max_concurrent_requests=options.max_concurrent_requests,
            timeout_s=options.timeout_s,
            silence_s=options.timeout_s,
            max_body_bytes=MAX_ANSWER_BYTES,
            route=route_to(host),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the path that the connection names as harmless: what the UI's Test button shows."""
        try:
            return asyncio.run(self._ask_test_path())
        except Exception as error:  # noqa: BLE001 - whatever it is, the button shows it
            return False, str(error) or type(error).__name__

    async def _ask_test_path(self) -> tuple[bool, str]:
        from yarl import URL

        from include.http.answers import excerpt
        from include.http.bounds import Bounds
        from include.http.request import Request
        from include.http.request_cost import RequestCost

        options, host = self.options, self.base_url
        has_secret = self.has_secret
        if not options.test_path:
            told = "the fields are well formed; nothing was asked: extra.test_path names no harmless path"
            return True, told
        with tempfile.TemporaryDirectory() as directory:
            async with self.transport(Path(directory), bounds=Bounds(max_sleep_s=0), alone=True) as transport:
                request = Request(URL(f"{host}{options.test_path}"), "test")
                try:
                    answer = (await transport.ask(request, RequestCost())).answer
                except Exception as error:  # noqa: BLE001 - it may show the address that was asked
                    return False, transport.without_secrets(str(error) or type(error).__name__)
        asked = f"GET {options.test_path} was answered with {answer.status}"
        if 200 <= answer.status < 300:  # noqa: PLR2004
            return True, f"{asked}{'' if has_secret else '; the connection has no secret'}"
        return False, f"{asked}: {excerpt(answer)}"

    def _connection(self) -> Connection:
        connection = read_connection(self.http_api_conn_id)
        if (connection.conn_type or "").replace("-", "_") != self.conn_type:
            reason = f"is not {self.conn_type}, and a recipe may name that type only"
            raise BadConnection(connection.conn_id, "conn_type", reason)
        return connection

    def _pace(self, options: HttpApiOptions, alone: bool) -> Callable[[], Pace]:
        """Return what keeps the pace: of one process alone, or of all together."""
        from functools import partial

        from include.http.pacing import GUARD, Pacer
        from stagehouse.hooks.postgres_hook import StagehousePostgresHook

        if alone or options.processes == 1:
            return partial(Pacer, options.requests_per_second)
        distance_s = GUARD / options.requests_per_second
        return StagehousePostgresHook().pace(self.lease_name(), distance_s, options.processes)


def _options(connection: Connection) -> HttpApiOptions:
    options = read_options(connection, HttpApiOptions)
    if options.header and options.query_parameter:
        reason = "the secret goes into one place: a header, or a query parameter"
        raise BadConnection(connection.conn_id, "extra.query_parameter", reason)
    if options.header.lower() in _NO_HEADERS:
        reason = "this header cannot hold a secret"
        raise BadConnection(connection.conn_id, "extra.header", reason)
    return options


def _host(connection: Connection) -> str:
    """Return the root of the API, without a slash at the end."""
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        raise BadConnection(connection.conn_id, "host", "is empty: the root of the API, https://name/path")
    if not is_url(host):
        raise BadConnection(connection.conn_id, "host", f"{NO_URL}; https://api.example.com/v1 is one")
    if connection.port is not None:
        raise BadConnection(
            connection.conn_id, "port", "is not used: write it into the host, https://name:port"
        )
    return host


def _secret(connection: Connection) -> str:
    """Return the password; logs hide it in all its forms."""
    secret = (connection.password or "").strip()
    if secret and not _SECRET.fullmatch(secret):
        reason = "holds a space or a character that is not ASCII: no secret of an HTTP header"
        raise BadConnection(connection.conn_id, "password", reason)
    mask_secret([*secret_encodings(secret)])
    return secret
