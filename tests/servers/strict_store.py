"""moto's server of S3, as stores are that take no checksums in headers and no lists of what to delete.

`python3 -m tests.servers.strict_store -H HOST -p PORT`, as `python3 -m moto.server`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{}</Code><Message>{}</Message></Error>"
CHECKSUM = ("HTTP_X_AMZ_CHECKSUM", "HTTP_X_AMZ_SDK_CHECKSUM", "HTTP_X_AMZ_TRAILER")


class StrictStore:
    """What stands before the store."""

    def __init__(self) -> None:
        self._store = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request of WSGI."""
        if any(name.startswith(CHECKSUM) for name in environ):
            refusal = "400 Bad Request", "InvalidArgument", "Unsupported header received for this API call."
        elif environ["REQUEST_METHOD"] == "POST" and environ.get("QUERY_STRING") == "delete":
            refusal = "501 Not Implemented", "NotImplemented", "This is not implemented."
        else:
            return self._store(environ, start_response)
        status, code, message = refusal
        body = ERROR.format(code, message).encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]


if __name__ == "__main__":
    _, _, host, _, port = sys.argv
    run_simple(host, int(port), StrictStore(), threaded=True)
