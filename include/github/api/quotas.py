"""The rest of each token's quotas, by GET /rate_limit, which costs nothing.

Source: https://docs.github.com/en/rest/rate-limit/rate-limit
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, JsonValue, NonNegativeInt, ValidationError

from include.github.api.rate_limits import RESOURCES
from include.http.allowance import reserved
from include.http.limits import Quota, seconds_until
from include.http.tokens import Token
from include.text import first_problem


@dataclass(frozen=True)
class ResourceQuota:
    """A window of one resource. Attributes: reserved, of the limit, is not spent; reset_at, by our clock."""

    limit: int
    remaining: int
    reserved: int
    reset_at: datetime

    @property
    def available(self) -> int:
        """The rest of it that may be spent now."""
        return max(0, self.remaining - self.reserved)


@dataclass(frozen=True)
class TokenQuota:
    """The quotas of one token. Attributes: token, its name for people; resources, by name, those told."""

    token: str
    resources: Mapping[str, ResourceQuota]


class _Window(BaseModel):
    limit: NonNegativeInt
    remaining: NonNegativeInt
    reset: NonNegativeInt


class _RateLimit(BaseModel):
    resources: dict[str, JsonValue]


def read_quotas(value: JsonValue, headers: Mapping[str, str], now: datetime) -> dict[str, Quota]:
    """Return the quota of each resource that we ask for. Raises: ValueError: not what /rate_limit says."""
    try:
        told = _RateLimit.model_validate(value).resources
        windows = {name: _Window.model_validate(told[name]) for name in RESOURCES if name in told}
    except ValidationError as error:
        raise ValueError(f"not an answer of /rate_limit: {first_problem(error)}") from error
    return {
        name: Quota(window.remaining, seconds_until(window.reset, headers, now), window.limit)
        for name, window in windows.items()
    }


def token_quota(token: Token, quotas: Mapping[str, Quota], share: float, now: datetime) -> TokenQuota:
    """Return what a token may spend where `share` of each limit is not to be."""
    resources = {}
    for name, quota in quotas.items():
        reset_at = now + timedelta(seconds=quota.reset_in_s)
        limit = quota.limit or 0
        resources[name] = ResourceQuota(limit, quota.remaining, reserved(limit, share), reset_at)
    return TokenQuota(str(token), resources)
