"""The cost of requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RequestCost:
    """The cost of one piece of work.

    Attributes: requests sent; retries among them; points, where the API has prices; unchanged, requests
    whose answer was known already, which cost no quota.
    """

    requests: int = 0
    retries: int = 0
    points: int = 0
    unchanged: int = 0
