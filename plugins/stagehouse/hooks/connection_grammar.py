"""The grammar of a connection's texts: others may be secrets in a wrong place, and are not shown."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_HOST = re.compile(r"[\w.-]+")
_NAME = re.compile(r"[\w.$@\\+#:() -]+")  # of a database or a login, also "me@tenant" and "DOMAIN\me"
_PLAIN = re.compile(r"[\w./:,;=@~*!\\+$()\" -]*")  # of options, but of no generated password for long
_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~/-]*)?", re.IGNORECASE)

NO_HOST = "is no name or address of a host; not shown, a secret may be in it"
NO_URL = "is no URL of scheme, name, port and path only; not shown, a secret may be in it"
_UNSEEN = "are allowed; not shown, it may be a secret"
NO_NAME = f"is no name: letters, digits, spaces and . _ - $ @ + # : ( ) \\ {_UNSEEN}"
NO_REGION = f"is no name of a region: letters, digits and . _ - {_UNSEEN}"
NOT_PLAIN = f'has another sign: letters, digits, spaces and . _ - / : , ; = @ ~ * ! + $ ( ) " \\ {_UNSEEN}'


def is_host(text: str) -> bool:
    """Tell whether a text is the name of a host, or an address."""
    if _HOST.fullmatch(text):
        return True
    try:
        return "%" not in str(ip_address(text))  # "::1%anything" is an address, too
    except ValueError:
        return False


def is_name(text: str) -> bool:
    """Tell whether a text may be the name of a database or a login."""
    return bool(_NAME.fullmatch(text))


def is_option(text: str) -> bool:
    """Tell whether a text may be the value of an option that is no secret."""
    return bool(_PLAIN.fullmatch(text))


def is_url(text: str) -> bool:
    """Tell whether a text is the root of an HTTP API: scheme, host, perhaps a port and a path."""
    if not _URL.fullmatch(text):
        return False
    try:
        url = urlsplit(text)
        name = (url.hostname or "").encode("idna")  # an empty part, or one of more than 63 characters
        return bool(name) and url.port != 0 and not url.netloc.endswith(":")
    except ValueError:
        return False
