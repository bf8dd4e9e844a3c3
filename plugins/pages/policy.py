"""What a page that carries its own style and script may do in a browser."""

from __future__ import annotations

import base64
import hashlib
import re


def content_security_policy(html: bytes) -> str:
    """Return a policy that allows the page's own inline style and script."""

    def hashes(tag: bytes) -> str:
        found = re.findall(rb"<" + tag + rb"(?:\s[^>]*)?>(.*?)</" + tag + rb">", html, re.DOTALL)
        return " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in found
        )

    return (
        f"default-src 'none'; style-src {hashes(b'style') or chr(39) + 'none' + chr(39)}; "
        f"script-src {hashes(b'script') or chr(39) + 'none' + chr(39)}; img-src data:; "
        "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    )
