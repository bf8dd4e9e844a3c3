"""The origin of a URL: scheme, host and port, however they are written."""

from __future__ import annotations

from yarl import URL


def origin_of(url: URL) -> URL:
    """Return the root of an address's server; a default port that is written out says nothing (RFC 6454).

    Raises: ValueError: no host.
    """
    origin = url.origin()
    return origin.with_port(None) if origin.is_default_port() else origin
