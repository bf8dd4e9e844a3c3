"""How a repository moved between two days, and what cannot be known."""

import pytest

from include.github.movement import Movement, RankedList, Standing


def ranked(*repos: str, stars: int = 100) -> RankedList:
    """A list of these repositories, best first; the id follows from the name."""
    return RankedList(standing(n, repo, stars) for n, repo in enumerate(repos, start=1))


def standing(position: int, repo: str, stars: int = 100) -> Standing:
    """A repository at a position."""
    return Standing(position, repo, sum(repo.encode()), stars)


EARLIER = ranked("a/a", "b/b", "c/c")


@pytest.mark.parametrize(
    ("now", "movement"),
    [
        (standing(1, "c/c", 130), Movement("up", 2, 30)),
        (standing(3, "a/a", 90), Movement("down", -2, -10)),
        (standing(2, "b/b", 100), Movement("same", 0, 0)),
        (standing(3, "d/d", 500), Movement("new")),
        (standing(4, "d/d", 500), Movement("unknown")),
    ],
)
def test_movement(now: Standing, movement: Movement):
    """Up, down, same, new; unknown for a position beyond the end of the earlier list."""
    assert EARLIER.movement(now) == movement


def test_a_day_that_is_not_stored():
    """Nothing is known, and nobody is new or gone."""
    assert RankedList().movement(standing(1, "a/a")) == Movement("unknown")
    assert EARLIER.left_since(RankedList()) == ()


def test_a_renamed_repository_is_the_same():
    """It is found by its id, and is neither new nor gone."""
    renamed = Standing(1, "new/name", standing(2, "b/b").id, 100)
    assert EARLIER.movement(renamed) == Movement("up", 1, 0)
    assert RankedList([renamed]).left_since(ranked("b/b")) == ()


def test_a_name_that_another_repository_took_over():
    """The new bearer of an old name has no past."""
    assert EARLIER.movement(Standing(1, "b/b", 987654, 100)) == Movement("new")


def test_who_left():
    """Those not in the list any more, under their old names, up to the end of a list that is shorter."""
    assert ranked("x/x", "c/c").left_since(EARLIER) == ("a/a", "b/b")
    assert ranked("c/c").left_since(EARLIER) == ("a/a",)
