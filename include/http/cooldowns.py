"""Cooldowns: the resources of each token that are closed, and until when; other processes' are remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial

from include.http.cooldown_store import Cooldown, CooldownStore, longest, merged
from include.http.limits import EVERYTHING
from include.http.tokens import Token


class Cooldowns:
    """The cooldowns of each token. A limit that is on everything is on all tokens.

    Args: memory: where they outlive the process. accounts: the name there of each token. now: our clock.
    """

    def __init__(
        self, memory: CooldownStore, accounts: Mapping[Token, str], now: Callable[[], datetime]
    ) -> None:
        self._memory, self._accounts, self._now = memory, accounts, now
        self._cooldowns: dict[Token, dict[str, Cooldown]] = {token: {} for token in accounts}

    def recall(self) -> None:
        """Take up the limits that earlier processes met."""
        self._cooldowns = {token: self._memory.read(account) for token, account in self._accounts.items()}
        known = [cooldowns[EVERYTHING] for cooldowns in self._cooldowns.values() if EVERYTHING in cooldowns]
        for cooldowns in self._cooldowns.values() if known else ():
            cooldowns[EVERYTHING] = max(known, key=lambda cooldown: cooldown.until)

    def of(self, token: Token, resource: str) -> Cooldown | None:
        """Return what closes a resource of a token now."""
        now, mine = self._now(), self._cooldowns[token]
        righted = {name: cooldown.by(now) for name, cooldown in mine.items()}
        if righted != mine:  # or every later process would begin to wait anew
            self._change(token, lambda known: {name: cooldown.by(now) for name, cooldown in known.items()})
        named = [righted[name] for name in (resource, EVERYTHING) if name in righted]
        return longest(named, now)

    def last(self, token: Token, resource: str) -> Cooldown | None:
        """Return the last cooldown of just this resource, also one that is over."""
        return self._cooldowns[token].get(resource)

    def close(self, token: Token, resource: str, cooldown: Cooldown) -> None:
        """Put a cooldown in the place of the one before."""
        for closed in self._cooldowns if resource == EVERYTHING else (token,):
            self._change(closed, lambda known: merged(known, {resource: cooldown}))

    def forget_lifted(self, token: Token, resource: str, since: datetime) -> None:
        """Drop what was over when a request of a resource set out that was answered: its strikes end."""
        for lifted in self._cooldowns:
            proven = (resource, EVERYTHING) if lifted == token else (EVERYTHING,)
            over = [name for name in proven if (c := self._cooldowns[lifted].get(name)) and c.until <= since]
            if over:
                self._change(lifted, partial(_without, over, since))

    def _change(self, token: Token, change: Callable[[dict[str, Cooldown]], dict[str, Cooldown]]) -> None:
        """Change what is known now: other processes may have met limits of the account too."""
        known = merged(self._cooldowns[token], self._memory.read(self._accounts[token]))
        self._cooldowns[token] = change(known)
        self._memory.write(self._accounts[token], self._cooldowns[token])


def _without(names: Collection[str], since: datetime, known: Mapping[str, Cooldown]) -> dict[str, Cooldown]:
    return {name: c for name, c in known.items() if name not in names or since < c.until}
