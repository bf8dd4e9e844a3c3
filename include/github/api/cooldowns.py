"""Which resources of which token are closed, and until when; what other processes met is remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial

from include.github.api.cooldown_store import Closure, LimitMemory, longest, merged
from include.github.api.rate_limits import EVERYTHING
from include.github.api.tokens import Token


class Closures:
    """The closures of each token. A limit that is on everything is on all tokens."""

    def __init__(
        self, memory: LimitMemory, base_url: str, tokens: Collection[Token], now: Callable[[], datetime]
    ) -> None:
        self._memory, self._now = memory, now
        self._accounts = {token: token.account(base_url) for token in tokens}
        self._closures: dict[Token, dict[str, Closure]] = {token: {} for token in tokens}

    def recall(self) -> None:
        """Take up the limits that earlier processes met."""
        self._closures = {token: self._memory.read(account) for token, account in self._accounts.items()}
        known = [closures[EVERYTHING] for closures in self._closures.values() if EVERYTHING in closures]
        for closures in self._closures.values() if known else ():
            closures[EVERYTHING] = max(known, key=lambda closure: closure.until)

    def of(self, token: Token, resource: str) -> Closure | None:
        """Return what closes a resource of a token now."""
        now, mine = self._now(), self._closures[token]
        righted = {name: closure.by(now) for name, closure in mine.items()}
        if righted != mine:  # or every later process would begin to wait anew
            self._change(token, lambda known: {name: closure.by(now) for name, closure in known.items()})
        named = [righted[name] for name in (resource, EVERYTHING) if name in righted]
        return longest(named, now)

    def last(self, token: Token, resource: str) -> Closure | None:
        """Return the last closure of just this resource, also one that is over."""
        return self._closures[token].get(resource)

    def close(self, token: Token, resource: str, closure: Closure) -> None:
        """Put a closure in the place of the one before."""
        for closed in self._closures if resource == EVERYTHING else (token,):
            self._change(closed, lambda known: merged(known, {resource: closure}))

    def forget_lifted(self, token: Token, resource: str, since: datetime) -> None:
        """Drop what was over when a request of a resource set out that was answered: its strikes end."""
        for lifted in self._closures:
            proven = (resource, EVERYTHING) if lifted == token else (EVERYTHING,)
            over = [name for name in proven if (c := self._closures[lifted].get(name)) and c.until <= since]
            if over:
                self._change(lifted, partial(_without, over, since))

    def _change(self, token: Token, change: Callable[[dict[str, Closure]], dict[str, Closure]]) -> None:
        """Change what is known now: other processes may have met limits of the account too."""
        known = merged(self._closures[token], self._memory.read(self._accounts[token]))
        self._closures[token] = change(known)
        self._memory.write(self._accounts[token], self._closures[token])


def _without(names: Collection[str], since: datetime, known: Mapping[str, Closure]) -> dict[str, Closure]:
    return {name: c for name, c in known.items() if name not in names or since < c.until}
