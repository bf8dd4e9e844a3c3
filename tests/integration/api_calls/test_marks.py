"""Marks on a real PostgreSQL: fenced, durable, and told to the next run."""

import pytest

from include.api_calls.errors import Overtaken, Unpublished
from tests.clock import now
from tests.integration.api_calls.place import Place


async def test_an_overtaken_try_marks_nothing(place: Place):
    """As soon as another has taken the lease; what it marked before counts."""
    async with place.marks() as old, place.marks() as new:
        assert (await old.take()).high == 0
        await old.mark(1, now())
        await old.mark(3, now())
        await old.unmark([3])
        taken = await new.take()
        assert (taken.high, list(taken.unsent), taken.fence) == (3, [3], 2)
        assert taken.oldest_at is not None
        for change in (old.mark(4, now()), old.unmark([1])):
            with pytest.raises(Overtaken, match="later try"):
                await change
        await new.mark(3, now())
        assert list((await new.take()).unsent) == []


async def test_a_run_that_was_not_published_is_named(place: Place):
    """To another run of its recipe, until it is; a run that sent nothing is in nobody's way."""
    async with place.marks("first") as first, place.marks("second") as second:
        await first.take()
        await second.take()
        await first.mark(1, now())
        with pytest.raises(Unpublished, match="run first has sent rows"):
            await second.take()
        await second.take(beside_others=True)
        await first.published()
        await second.take()
        await first.mark(2, now())
        with pytest.raises(Unpublished):
            await second.take()


async def test_a_mark_is_on_the_disk(place: Place):
    """Although the server of these tests does not wait for it by default."""
    async with place.marks() as marks:
        await marks.take()
        connection = await marks._open()
        found = await (await connection.execute("SHOW synchronous_commit")).fetchone()
        assert found == ("off",)
        async with connection.transaction():
            await marks.mark(1, now())
            found = await (await connection.execute("SHOW synchronous_commit")).fetchone()
        assert found == ("on",)


async def test_a_connection_that_breaks_is_opened_anew(place: Place):
    """A mark is told once more then."""
    async with place.marks() as marks:
        await marks.take()
        connection = await marks._open()
        await connection.close()
        await marks.mark(7, now())
        assert (await marks.take()).high == 7
