"""The content security policy of a page that carries its own style and script."""

from __future__ import annotations

import base64
import hashlib
import re


def content_security_policy(html: bytes) -> str:
    """Return a policy under which `html` may use its own inline styles and scripts and nothing else.

    Source: https://www.w3.org/TR/CSP3/#grammardef-hash-source
    """
    return (
        f"default-src 'none'; style-src {_hashes(html, b'style')}; script-src {_hashes(html, b'script')}; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )


def _hashes(html: bytes, element: bytes) -> str:
    inline = re.findall(
        rb"<%b(?:\s[^>]*)?>(.*?)</%b\s*>" % (element, element), html, re.DOTALL | re.IGNORECASE
    )
    digests = (base64.b64encode(hashlib.sha256(text).digest()).decode() for text in inline)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
