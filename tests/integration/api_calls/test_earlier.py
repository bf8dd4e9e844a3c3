"""What a run knows of earlier ones of its file: rows that were sent again too, and under which key."""

from aiohttp import web

from tests.integration.api_calls.place import POSTS, Place
from tests.servers.counting_api import CountingApi

KEYED = POSTS + '[idempotency]\nheader = "Idempotency-Key"\nhours = 24.0\n'


async def test_a_run_that_sends_all_rows_is_an_earlier_one_too(place: Place, api: CountingApi):
    """Whether it was the first run of the file or not: what it did is skipped."""
    place.deliver(2)
    await place.publish(await place.call("first", resend="all"))
    manifest = await place.call("second")
    assert [(row["outcome"], row["reason"]) for row in place.rows(manifest)] == [
        ("skipped", "ok in run first")
    ] * 2
    assert set(api.done.values()) == {1}


async def test_what_failed_first_and_then_was_done(place: Place, api: CountingApi):
    """Is done, as the last run that sent it says."""
    place.deliver(1)
    api.answer = lambda _, before: web.Response(status=422) if before == 0 else None
    await place.publish(await place.call("first", max_failed=1))
    await place.publish(await place.call("second", resend="all"))
    (row,) = place.rows(await place.call("third"))
    assert (row["outcome"], row["reason"]) == ("skipped", "ok in run second")


async def test_an_unknown_row_is_sent_again_under_its_own_key(place: Place, api: CountingApi):
    """Also where the run that left it had sent all rows anew, by keys of its own; as often as it takes."""
    place.deliver(2, KEYED)
    lost = True

    def answer(title: str, _before: int) -> web.Response | None:
        if title == "t1" and lost:
            return web.Response(status=599)
        return web.Response(status=403) if title == "t2" and lost else None

    api.answer = answer
    await place.publish(await place.call("first", resend="all"))
    second = await place.call("second", retry_unknown=True)
    assert place.outcomes(second) == ["unknown", "not_sent"]
    await place.publish(await place.call("second", retry_unknown=True))  # another try of it
    lost = False
    third = await place.call("third", retry_unknown=True)
    assert place.outcomes(third) == ["ok", "ok"]
    keys = {headers["Idempotency-Key"] for _, _, headers, body in api.log if b"t1" in body}
    assert len(keys) == 1


async def test_all_rows_anew_have_keys_of_their_own(place: Place, api: CountingApi):
    """Else the API would take them for what it has done."""
    place.deliver(1, KEYED)
    await place.publish(await place.call("first"))
    await place.publish(await place.call("second", resend="all"))
    await place.call("third", resend="all")
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in api.log}) == 3
