"""Asks for one page of many things in one request, and in smaller requests for what is too much at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from pydantic import JsonValue

from include.errors import facts_of
from include.github.api.answer_errors import Forbidden, Invalid, NotFound, Unexpected
from include.github.api.client import GitHubClient
from include.github.api.graphql_memory import GraphQLMemory
from include.github.api.graphql_responses import Refusal
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost

Item = TypeVar("Item")
Page = TypeVar("Page")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueryTemplate(Generic[Item, Page]):
    """The query of a batch of items.

    Attributes: text, of the query for so many; variables, of these; read, turns an answer and the number of
    `aliases` into a page or a refusal of each, in their order; ValueError where asking again may help.
    """

    text: Callable[[int], str]
    variables: Callable[[Sequence[Item]], dict[str, JsonValue]]
    read: Callable[..., list[Page | Refusal]]


class QueryBatcher(Generic[Item, Page]):
    """Asks one query, of as many items in a request as GitHub was seen to answer in its 10 s.

    Where GraphQL is not there, or takes no such query, it is not asked again. The first request goes
    alone, so that this is found out once.

    Args: limit, items in a request at most. memory: whether it is there at all.
    """

    def __init__(
        self,
        client: GitHubClient,
        template: QueryTemplate[Item, Page],
        limit: int,
        memory: GraphQLMemory | None = None,
    ) -> None:
        self._client, self._template, self._limit = client, template, limit
        self._memory = memory or GraphQLMemory()
        self._fits = limit
        self._useless: Refusal | None = None
        self._answered, self._first = False, asyncio.Lock()

    async def ask(self, items: Sequence[Item], cost: RequestCost) -> list[Page | Refusal]:
        """Return a page or a refusal of each, `overload` only where an item is too much by itself.

        Raises: as GitHubClient.query, but for what GraphQL refuses as a whole.
        """
        answers: list[Page | Refusal] = []
        while left := items[len(answers) :]:
            answers += await self._ask_some(left[: self._fits], cost)
        return answers

    async def _ask_some(self, items: Sequence[Item], cost: RequestCost) -> list[Page | Refusal]:
        answers = None if self._answered else await self._ask_first(items, cost)
        answers = answers or await self._ask_if_useful(items, cost)
        overloaded = [n for n, answer in enumerate(answers) if _is_overload(answer)]
        if not overloaded:
            self._fits = min(self._limit, self._fits + (len(items) == self._fits))
        elif len(items) > 1:
            self._fits = max(1, len(items) // 2)
            log.warning("%d at once are too much for GraphQL: asking for %d", len(items), self._fits)
            again = await self.ask([items[n] for n in overloaded], cost)
            for n, answer in zip(overloaded, again, strict=True):
                answers[n] = answer
        return answers

    async def _ask_first(self, items: Sequence[Item], cost: RequestCost) -> list[Page | Refusal] | None:
        """Ask before anybody else does; None where somebody has done that."""
        async with self._first:
            if self._answered:
                return None
            if absent := await asyncio.to_thread(self._memory.recall):
                log.info("this run knows that there is no GraphQL, so REST is asked: %s", absent)
                self._useless = Refusal("useless", absent)
            answers = await self._ask_if_useful(items, cost)
            self._answered = True
            return answers

    async def _ask_if_useful(self, items: Sequence[Item], cost: RequestCost) -> list[Page | Refusal]:
        if self._useless:
            return [self._useless] * len(items)
        answers = await self._ask_once(items, cost)
        if isinstance(first := answers[0], Refusal) and first.kind == "useless" and not self._useless:
            self._useless = first
            log.warning("GraphQL takes no such query, so REST is asked until this try ends: %s", first.reason)
        return answers

    def _read(self, value: JsonValue, *, aliases: int) -> list[Page | Refusal]:
        """Read an answer; its errors become reasons, which are told, and cut: secrets go before that."""
        if isinstance(value, dict) and isinstance(errors := value.get("errors"), list):
            value = value | {"errors": [self._without_secrets(error) for error in errors]}
        return self._template.read(value, aliases=aliases)

    def _without_secrets(self, error: JsonValue) -> JsonValue:
        if not isinstance(error, dict):
            return error
        hidden = self._client.without_secrets
        return {name: hidden(told) if isinstance(told, str) else told for name, told in error.items()}

    async def _ask_once(self, items: Sequence[Item], cost: RequestCost) -> list[Page | Refusal]:
        count, template = len(items), self._template
        try:
            variables, read = template.variables(items), partial(self._read, aliases=count)
            # Of what fails twice, half is asked for, not all of it again: most likely it takes too long.
            attempts = 2 if count > 1 else None
            return await self._client.query(template.text(count), variables, read, cost, attempts=attempts)
        except RequestFailed as error:
            if not error.overloaded:
                raise
            return [Refusal("overload", facts_of(error))] * count
        except (NotFound, Unexpected) as error:  # a GitHub Enterprise without it, another forge
            await asyncio.to_thread(self._memory.remember, facts_of(error))
            return [Refusal("useless", facts_of(error))] * count
        except (Forbidden, Invalid) as error:  # a token without the right: REST says what is wrong
            return [Refusal("useless", facts_of(error))] * count


def _is_overload(answer: object) -> bool:
    return isinstance(answer, Refusal) and answer.kind == "overload"
