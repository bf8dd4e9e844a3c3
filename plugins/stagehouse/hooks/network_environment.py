"""The way to a server, as the environment of this process has it: proxies, and certificates that are trusted.

Names and rules are those of requests, which Airflow's own hooks ask with: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY,
NO_PROXY (also networks), REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE; and OpenSSL's SSL_CERT_FILE. aiohttp would read
the proxies itself (`trust_env`), but then also logins from ~/.netrc, which nobody gave us for this server.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow.sdk.log import mask_secret
from attrs import define

from include.errors import PermanentError
from include.text import safe_repr, secret_encodings

if TYPE_CHECKING:
    from include.http.route import Route

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # the first that is set counts
NO_PROXY_URL = "is no URL of an HTTP proxy; not shown, a secret may be in it"
PROXY_URL = "set it to http://name:port, or http://login:password@name:port with percent-encoded signs"

log = logging.getLogger(__name__)


@define(slots=False)
class BadEnvironment(ValueError, PermanentError):
    """A variable of this process's environment cannot be used. Attributes: variable; reason; next_step."""

    variable: str
    reason: str
    next_step: str

    def __str__(self) -> str:
        return f"environment variable {self.variable}: {self.reason}. Next: {self.next_step}"


def route_to(url: str) -> Route:
    """Return the way to the server of `url`; logs hide the password of its proxy from then on.

    Raises: BadEnvironment.
    """
    import requests.utils
    from yarl import URL

    from include.http.route import PROXY_SCHEMES, Route

    text = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not text:
        authorities, trusted_in = _authorities(URL(url).scheme)
        return Route(authorities=authorities, trusted_in=trusted_in)
    variable = _variable_of(url)
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
        usable = proxy.scheme in PROXY_SCHEMES and bool(proxy.host) and bool(proxy.port)
    except ValueError:
        usable = False
    if not usable:
        raise BadEnvironment(variable, NO_PROXY_URL, PROXY_URL)
    authorities, trusted_in = _authorities(URL(url).scheme, proxy.scheme)
    password = unquote(proxy.raw_password or "")
    secrets = (password, proxy.raw_password or "")
    mask_secret([form for secret in secrets if secret for form in secret_encodings(secret)])
    return Route(proxy.origin(), proxy.user or "", password, authorities, variable, trusted_in)


def _variable_of(url: str) -> str:
    """Return the variable that names the proxy, as it is written here."""
    named = (f"{url.partition(':')[0]}_proxy".lower(), "all_proxy")
    set_ = [name for each in named for name in (each, each.upper()) if os.environ.get(name)]
    return set_[0] if set_ else named[0].upper()


def _authorities(*schemes: str) -> tuple[ssl.SSLContext | None, str]:
    """Return the certificates to trust, None for Python's own, and the variable that names them, or may.

    Args: schemes: of what is connected to; without TLS no bundle is read.
    """
    variable = next((name for name in BUNDLES if os.environ.get(name)), "")
    if not variable or "https" not in schemes:
        return None, f"{BUNDLES[0]} or {BUNDLES[-1]}"
    path = Path(os.environ[variable])
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path), variable
        return ssl.create_default_context(cafile=path), variable
    except (OSError, ValueError) as error:  # also ssl.SSLError: no certificate in it
        reason = f"{safe_repr(str(path))} is no bundle of certificates ({error})"
        if variable == BUNDLES[-1] and not isinstance(error, ssl.SSLError | ValueError):
            log.warning("environment variable %s: ignored, as OpenSSL does: %s", variable, reason)
            return None, variable
        raise BadEnvironment(variable, reason, "set it to a PEM file of certificates") from None
