"""The memory of limits that outlives a process."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from include.staging.files import StagingPath, write_atomically

log = logging.getLogger(__name__)


class Cooldown(BaseModel):
    """A resource is closed. Attributes: since and until, by our clock; reason; strikes, refusals in a row."""

    model_config = ConfigDict(frozen=True)
    since: AwareDatetime
    until: AwareDatetime
    reason: str
    strikes: int = 0

    def by(self, now: datetime) -> Cooldown:
        """Return it by a clock that was set back since: it lasts no longer than it did, from now."""
        wait = self.until - self.since
        return self if self.since <= now else self.model_copy(update={"since": now, "until": now + wait})


_COOLDOWNS = TypeAdapter(dict[str, Cooldown])


class CooldownStore:
    """Closed resources in a small JSON file for each account: the next try or run does not ask either.

    An account is a token on one API, named `<service>:<host>:<digest>`. Several processes may hold its lease
    at a time: whoever writes has merged it with what the others wrote. Of two that write at the same moment
    one may lose what it met, and the next process meets it again.
    """

    def __init__(self, folder: StagingPath) -> None:
        self._folder = folder

    def read(self, account: str) -> dict[str, Cooldown]:
        """Return the cooldowns by resource, past ones too; none where the file is absent or not readable."""
        path = self._path(account)
        try:
            return _COOLDOWNS.validate_json(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError:
            log.warning("%s is not readable: going on as if no rate limit were known", path)
            return {}

    def write(self, account: str, cooldowns: dict[str, Cooldown]) -> None:
        """Replace the cooldowns of an account."""
        write_atomically(self._path(account), _COOLDOWNS.dump_json(cooldowns))

    def _path(self, account: str) -> StagingPath:
        service = account.partition(":")[0]
        return self._folder / f"{service}-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"


def merged(one: dict[str, Cooldown], other: dict[str, Cooldown]) -> dict[str, Cooldown]:
    """Return the cooldowns of both; of one resource that which ends later."""
    later = {name: c for name, c in other.items() if name not in one or c.until > one[name].until}
    return one | later


def longest(cooldowns: list[Cooldown], now: datetime) -> Cooldown | None:
    """Return the cooldown that ends last, of those not over yet."""
    return max((c for c in cooldowns if c.until > now), key=lambda c: c.until, default=None)
