"""The log of requests at the server: the judge of every promise about rates and numbers of requests."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Enough for any test; a server left running for weeks must not grow.
KEPT_REQUESTS = 200_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request, written down when its answer was ready.

    Attributes:
        at_s: arrival, in seconds of the event loop's monotonic clock.
        path_qs: path and query as sent.
        status: of the answer; 0 when the connection was dropped or the client left.
        resource: whose quota it belongs to: core or search.
        in_flight: requests being answered when it arrived, itself included.
    """

    at_s: float
    method: str
    path_qs: str
    status: int
    resource: str
    in_flight: int


class RequestLog:
    """The requests of one server in the order of their answers. on_request: told of each as it is written."""

    def __init__(self, on_request: Callable[[LoggedRequest], None] | None = None) -> None:
        self.requests: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)
        self.in_flight = 0
        self.most_in_flight = 0
        self._on_request = on_request

    def arrive(self) -> int:
        """Count a request in; return how many are being answered now."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return self.in_flight

    def leave(self, request: LoggedRequest) -> None:
        """Count a request out and write it down."""
        self.in_flight -= 1
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)

    def clear(self) -> None:
        """Forget what was seen; requests in flight stay counted."""
        self.requests.clear()
        self.most_in_flight = self.in_flight
