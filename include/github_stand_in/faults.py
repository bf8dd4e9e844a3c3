"""Scripted misbehaviour: what a test makes the stand-in do to chosen requests.

Example: a secondary limit on the third commit request, then a page that ends in the middle::

    app[FAULTS].add(Fault(r"/commits", after=2, status=403, headers={"Retry-After": "1"}, body=SECONDARY))
    app[FAULTS].add(Fault(r"page=2", cut_to=100))
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour, for some of the requests whose URL matches.

    Attributes:
        url: regular expression, searched in the path with its query as sent.
        times: how many requests it hits; None for all.
        after: how many matching requests pass untouched before that.
        status: replaces the status of the true answer.
        headers: replace those of the true answer; None removes one.
        body: replaces the body, or makes the new body from the true one.
        delay_s: seconds to wait before anything is sent.
        drop: close the connection without an answer.
        cut_to: announce the whole body, send this many bytes of it, close the connection.
        reset: where the connection is closed, reset it, as a server does that died.
        drip_s: send a blank, wait so many seconds, and so on: a body without an end.
        token: hits only requests that carry it; None: those of any token, and of none.
    """

    url: str
    times: int | None = 1
    after: int = 0
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes | Callable[[bytes], bytes] | None = None
    delay_s: float = 0.0
    drop: bool = False
    cut_to: int | None = None
    reset: bool = False
    drip_s: float | None = None
    token: str | None = None

    def rewrite(self, body: bytes) -> bytes:
        """Return the body to send instead of the true one."""
        if self.body is None:
            return body
        return self.body(body) if callable(self.body) else self.body


class Faults:
    """The faults of one server. The first that applies to a request wins."""

    def __init__(self) -> None:
        self._script: list[Fault] = []
        self._seen: list[int] = []

    def add(self, *faults: Fault) -> None:
        """Append faults; each counts the requests from now on."""
        self._script += faults
        self._seen += [0] * len(faults)

    def clear(self) -> None:
        """Forget all faults: the server is well again."""
        self._script.clear()
        self._seen.clear()

    def take(self, path_qs: str, token: str | None = None) -> Fault | None:
        """Count the request and return the fault that it meets, if any. Args: token: that it carries."""
        for index, fault in enumerate(self._script):
            if re.search(fault.url, path_qs) is None or fault.token not in (None, token):
                continue
            self._seen[index] += 1
            hits = self._seen[index] - fault.after
            if hits > 0 and (fault.times is None or hits <= fault.times):
                return fault
        return None
