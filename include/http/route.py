"""The way to a server: through which proxy, and whose certificates are trusted."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from include.http.errors import ProxyRefused, Untrusted

PROXY_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Route:
    """The way to the one server that a Transport asks.

    Attributes: proxy, without login and password, so that no error shows them; None: none. login; password;
    authorities, whose certificates are trusted, None: those of Python. asked_for_in, where people set the
    proxy, and trusted_in, where the authorities, for errors.
    """

    proxy: URL | None = None
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    authorities: ssl.SSLContext | None = None
    asked_for_in: str = "HTTPS_PROXY"
    trusted_in: str = "REQUESTS_CA_BUNDLE or SSL_CERT_FILE"

    @property
    def proxy_auth(self) -> aiohttp.BasicAuth | None:
        """The credentials for the proxy."""
        if not (self.login or self.password):
            return None
        return aiohttp.BasicAuth(self.login, self.password, "utf-8")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not be shown."""
        auth = self.proxy_auth
        return (self.password, auth.encode().removeprefix("Basic ")) if auth else ()


DIRECT = Route()


@contextmanager
def route_errors(route: Route, url: str) -> Iterator[None]:
    """Turn what no retry helps on the way into errors that say so. Raises: ProxyRefused; Untrusted."""
    try:
        yield
    except aiohttp.ClientHttpProxyError as error:
        if error.status >= 500 or error.status in (408, 429):  # noqa: PLR2004 - these pass by themselves
            raise
        raise proxy_refused(route, url, error.status) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise Untrusted(url, str(error.certificate_error), route.trusted_in) from error


def proxy_refused(route: Route, url: str, status: int) -> ProxyRefused:
    """Make the error of a proxy that lets nothing through."""
    return ProxyRefused(url, str(route.proxy), status, route.asked_for_in)
