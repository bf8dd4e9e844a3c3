"""The forms in which a secret may turn up in a text that others wrote."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from html import escape
from itertools import product
from urllib.parse import quote, quote_plus


def secret_forms(secret: str) -> list[str]:
    """Return a secret as it is, and as URLs, JSON, Python, HTML and base64 write it; the longest first."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escape(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], ascii(secret)[1:-1]}
    for before, encode in product(range(3), (b64encode, urlsafe_b64encode)):
        # In base64 "name:secret" looks unlike "secret": it depends on how many bytes stand before it.
        first, last = -(-before * 8 // 6), (before + len(secret.encode())) * 8 // 6
        forms.add(encode(b"\0" * before + secret.encode())[first:last].decode())
    return sorted(forms - {""}, key=len, reverse=True)
