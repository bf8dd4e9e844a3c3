"""Lists of which an item is odd: no owner, no committer, the year 0, a number beyond its column.

GitHub's own description allows some of that. Such an item is left out and told; the others count. What is odd
once may be a fault on the way, so an answer is asked for once more before it is believed.
Source: https://github.com/github/rest-api-description (`nullable-simple-user`, `nullable-git-user`)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from include.github.api.models import Commit, Repository, SearchPage, read_commits
from include.github.api.reading import Doubtful
from include.text import first_problem, safe_repr

FEWEST_ODD = 3  # fewer say nothing about a page, however short it is

T = TypeVar("T")


class SoundRepositories(NamedTuple):
    """A page of a search. Attributes: page, of the items that are sound; odd, the others and why."""

    page: SearchPage
    odd: tuple[str, ...] = ()


class SoundCommits(NamedTuple):
    """A page of commits. Attributes: commits that are sound; odd, the others and why."""

    commits: list[Commit]
    odd: tuple[str, ...] = ()


def sound_repositories(
    read: Callable[[JsonValue], SearchPage],
) -> Callable[[JsonValue], SoundRepositories]:
    """Return what reads the answers to one request as `read` does, and leaves out what is odd a second time.

    It raises ValueError as `read` does, also where most of a page is odd: that is no list of repositories.
    """

    def leave_out(value: JsonValue) -> SoundRepositories:
        items = value.get("items") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(items, list):
            return SoundRepositories(read(value))
        sound, odd = _sorted_out(items, Repository, "full_name")
        if len(odd) >= FEWEST_ODD and len(odd) * 2 > len(items):
            raise ValueError(f"{len(odd)} of {len(items)} items are odd, the first: {odd[0]}")
        return SoundRepositories(read(value | {"items": sound}), odd)

    return at_second_look(lambda value: SoundRepositories(read(value)), leave_out)


def sound_commits() -> Callable[[JsonValue], SoundCommits]:
    """Return what reads the answers to one request, and leaves out what is odd a second time."""

    def leave_out(value: JsonValue) -> SoundCommits:
        if not isinstance(value, list):
            return SoundCommits(read_commits(value))
        sound, odd = _sorted_out(value, Commit, "sha")
        return SoundCommits(read_commits(sound), odd)

    return at_second_look(lambda value: SoundCommits(read_commits(value)), leave_out)


def at_second_look(
    read: Callable[[JsonValue], T], leave_out: Callable[[JsonValue], T]
) -> Callable[[JsonValue], T]:
    """Return what reads the answers to one request by `read`; what that refuses twice, by `leave_out`.

    It raises Doubtful the first time: one request more for each answer, which is no retry of the budget.
    """
    doubted = False

    def look(value: JsonValue) -> T:
        nonlocal doubted
        try:
            return read(value)
        except ValueError as error:
            if not doubted:
                doubted = True
                raise Doubtful(str(error)) from error
            return leave_out(value)

    return look


def _sorted_out(
    items: list[JsonValue], model: type[BaseModel], name: str
) -> tuple[list[JsonValue], tuple[str, ...]]:
    """Return the items that are sound, and of each other one its name and what is wrong with it."""
    sound, odd = list[JsonValue](), []
    for item in items:
        try:
            model.model_validate(item)
        except ValidationError as error:
            named = item.get(name) if isinstance(item, dict) else item
            odd.append(f"{safe_repr(named)}: {first_problem(error)}")
        else:
            sound.append(item)
    return sound, tuple(odd)
