"""The rows of a file, called: faults of the API and of PostgreSQL, resumed by the next try."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest
from aiohttp import web
from filelock import FileLock

from include.api_calls import progress
from include.api_calls.calls import MOST_UNKNOWN
from include.api_calls.errors import MarksAway, UnreadableRow
from include.api_calls.sender import ApiAway
from include.http.errors import RateLimitedUntil
from tests.clock import now
from tests.integration.api_calls.place import POSTS, Place
from tests.servers.counting_api import CountingApi
from tests.servers.free_port import free_ports
from tests.servers.postgres import PostgresServer

KEYED = POSTS + '[idempotency]\nheader = "Idempotency-Key"\nhours = 24.0\n'
A_MOMENT = KEYED.replace("24.0", "0.0001")  # a key is known for 0.36 s


def status(code: int, text: str = "", **headers: str):
    """Make a maker of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=code, text=text, headers=named)


async def test_all_rows_are_called_once(place: Place, api: CountingApi):
    """At most so many at a time, within the rate; the progress is told."""
    place.deliver(60)
    manifest = await place.call(rate=50)
    assert set(place.outcomes(manifest)) == {"ok"}
    assert set(api.done.values()) == {1}
    assert max(sum(begin <= at < begin + 1 for at in api.at) for begin in api.at) <= 50
    told = json.loads(place.progress.read_text())
    assert (told["state"], told["done"], told["ok"], told["seconds_left"]) == ("called", 60, 60, None)
    before = len(api.log)
    assert (await place.call()).facts["outcomes"] == manifest.facts["outcomes"]
    assert len(api.log) == before


async def test_the_embedded_engine_is_free_while_rows_are_called(place: Place, api: CountingApi):
    """Another run publishes meanwhile: calls take hours, and the engine takes one process at a time."""
    place.deliver(40)
    calling = asyncio.create_task(place.call(rate=20))
    while not (api.log or calling.done()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not calling.done(), calling
    with FileLock(f"{place.directory / 'chdb'}.lock", timeout=0.2):
        assert not calling.done(), calling
    assert set(place.outcomes(await calling)) == {"ok"}


@pytest.mark.parametrize(
    ("code", "outcome", "seen"),
    [
        (400, "failed", 1),
        (404, "failed", 1),
        (408, "unknown", 1),
        (409, "failed", 1),
        (202, "unknown", 1),
        (302, "unknown", 1),
        (303, "unknown", 1),
        (500, "unknown", 1),
        (503, "unknown", 1),
        (599, "unknown", 1),
    ],
)
async def test_what_an_answer_to_a_post_means(
    place: Place, api: CountingApi, code: int, outcome: str, seen: int
):
    """It is sent once, whatever the answer is."""
    place.deliver(1, POSTS.replace("[columns]", "ok_statuses = [201]\n[columns]", 1))
    api.answer = lambda *_: status(code, "told", location="/posts")
    (row,) = place.rows(await place.call(max_failed=1))
    assert (row["outcome"], row["requests"]) == (outcome, seen)
    assert api.seen["t1"] == seen
    assert row["status"] == (0 if code == 599 else code)
    assert row["reason"]


@pytest.mark.parametrize("code", [429, 503])
async def test_a_status_that_says_that_nothing_was_done(place: Place, api: CountingApi, code: int):
    """The row goes again, as often as a request is tried."""
    place.deliver(2, POSTS.replace("[columns]", "not_done = [503]\n[columns]", 1))
    api.answer = lambda _title, before: status(code, retry_after="1") if before < 1 else None
    manifest = await place.call()
    assert set(place.outcomes(manifest)) == {"ok"}
    assert [row["requests"] for row in place.rows(manifest)] == [2, 2]


async def test_a_get_is_asked_again(place: Place, api: CountingApi):
    """After a 5xx, and after an answer that is no JSON; a 404 is the answer."""
    recipe = 'method = "GET"\npath = "/items/{title}"\n[columns]\ntitle = {}\n[keep]\nt = "title"\n'
    place.deliver("title\na\nb\nc\n", recipe)
    answers = {"a": status(500), "b": status(200, "<html>"), "c": status(404, "none")}
    api.answer = lambda title, before: answers[title] if before == 0 else None
    rows = place.rows(await place.call(max_failed=1))
    assert [(row["outcome"], row["requests"]) for row in rows] == [("ok", 2), ("ok", 2), ("failed", 1)]
    assert rows[0]["answer"] == '{"t": "a"}'


async def test_a_redirect_of_a_get(place: Place, api: CountingApi):
    """Is followed on the API's own origin, and nowhere else."""
    recipe = 'method = "GET"\npath = "/items/{title}"\n[columns]\ntitle = {}\n[keep]\nt = "title"\n'
    place.deliver("title\na\nb\n", recipe)
    (elsewhere,) = free_ports(1)
    moved = {"a": "/items/moved", "b": f"http://127.0.0.1:{elsewhere}/items/b"}
    api.answer = lambda title, _: status(302, location=moved[title]) if title in moved else None
    rows = place.rows(await place.call(max_failed=1))
    assert [(row["outcome"], row["requests"]) for row in rows] == [("ok", 2), ("failed", 1)]
    assert rows[0]["answer"] == '{"t": "moved"}'
    assert "not followed" in rows[1]["reason"]


@pytest.mark.parametrize("recipe", [POSTS, KEYED], ids=["plain", "key"])
async def test_a_redirect_of_a_post(place: Place, api: CountingApi, recipe: str):
    """Is not followed, with a key neither: whether the row was carried out, it does not say."""
    place.deliver("title\na\nb\n", recipe)
    moved = {"a": "/posts/1", "b": "https://evil.example/"}
    api.answer = lambda title, _: status(302, location=moved[title])
    rows = place.rows(await place.call())
    assert [(row["outcome"], row["status"], row["requests"]) for row in rows] == [("unknown", 302, 1)] * 2
    assert ["not followed" in row["reason"] for row in rows] == [True, True]
    assert len(api.log) == 2


@pytest.mark.parametrize("recipe", [POSTS, KEYED], ids=["plain", "key"])
async def test_done_with_an_answer_that_cannot_be_read(place: Place, api: CountingApi, recipe: str):
    """A POST is done all the same, and the reason says what lacks."""
    place.deliver(2, recipe)
    api.answer = lambda title, _: (
        status(201, "<html>") if title == "t1" else status(201, json.dumps({"id": "x" * 70_000}))
    )
    rows = place.rows(await place.call())
    assert [row["outcome"] for row in rows] == ["ok", "ok"]
    assert [row["requests"] for row in rows] == [1, 1]
    assert "no JSON" in rows[0]["reason"]
    assert "more than 65536" in rows[1]["reason"]


@pytest.mark.parametrize(
    ("later", "outcome"),
    [([409, 409], "ok"), ([409] * 9, "unknown"), ([503] * 9, "unknown"), ([422], "failed")],
    ids=["at work, then done", "at work for long", "not done", "refused"],
)
async def test_an_answer_that_was_lost_and_a_key(
    place: Place, api: CountingApi, later: Sequence[int], outcome: str
):
    """409 then says that the first request is still at work; of a later one no status tells of the first."""
    place.deliver(1, KEYED.replace("[columns]", "not_done = [503]\n[columns]", 1))
    codes = [599, *later]
    api.answer = lambda _, before: status(codes[before]) if before < len(codes) else None
    (row,) = place.rows(await place.call(max_failed=1))
    assert (row["outcome"], row["requests"]) == (outcome, api.seen["t1"])


async def test_a_conflict_is_the_answer_where_nothing_was_lost(place: Place, api: CountingApi):
    """With a key, too."""
    place.deliver(1, KEYED)
    api.answer = lambda *_: status(409, "there is one")
    (row,) = place.rows(await place.call(max_failed=1))
    assert (row["outcome"], row["requests"]) == ("failed", 1)


async def test_a_long_limit(place: Place, api: CountingApi):
    """The try gives up its slot and says until when; rows that met the limit were not carried out."""
    place.deliver(20)
    limited = time.monotonic() + 3
    api.answer = lambda *_: status(429, retry_after="3") if time.monotonic() < limited else None
    with pytest.raises(RateLimitedUntil):
        await place.call()
    assert json.loads(place.progress.read_text())["state"] == "waiting"
    refused = len(api.log)
    with pytest.raises(RateLimitedUntil):
        await place.call()
    assert len(api.log) == refused
    time.sleep(max(0.0, limited + 1.5 - time.monotonic()))  # noqa: ASYNC251 - nothing else runs here
    manifest = await place.call()
    assert set(place.outcomes(manifest)) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_a_run_whose_time_is_over(place: Place, api: CountingApi):
    """It stops, so that what is known is published, and goes on when it is cleared."""
    place.deliver(60)
    stopped = await place.call(rate=20, ends_at=now() + timedelta(seconds=1))
    assert "no more time" in str(stopped.facts["stopped"])
    assert set(place.outcomes(stopped)) == {"ok", "not_sent"}
    assert set(place.outcomes(await place.call())) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_a_limit_that_lasts_longer_than_the_run(place: Place, api: CountingApi):
    """Is not waited for: the run would end before it has published anything."""
    place.deliver(5)
    api.answer = lambda *_: status(429, retry_after="3600")
    stopped = await place.call(ends_at=now() + timedelta(minutes=10))
    assert "rate limit" in str(stopped.facts["stopped"])
    assert set(place.outcomes(stopped)) == {"not_sent"}


async def test_progress_that_is_slow_to_tell(place: Place, api: CountingApi, monkeypatch: pytest.MonkeyPatch):
    """As on an object store that answers late: the requests go on."""
    monkeypatch.setattr(progress, "write_progress", lambda *_: time.sleep(0.5))
    place.deliver(60)
    await place.call(rate=50)
    assert max(after - before for before, after in pairwise(api.at)) < 0.3


async def test_an_api_that_is_down(place: Place, api: CountingApi):
    """No row is failed by it; the next try sends them all, the last one publishes what is known."""
    place.deliver(20)
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ApiAway):
        await place.call(url=nobody)
    manifest = await place.call(url=nobody, last_try=True)
    assert set(place.outcomes(manifest)) == {"not_sent"}
    assert "cannot be reached" in str(manifest.facts["stopped"])
    manifest = await place.call()
    assert set(place.outcomes(manifest)) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_an_api_that_loses_every_answer(place: Place, api: CountingApi):
    """No more rows are sent than it takes to see that; when it is well again the same run sends the rest."""
    place.deliver(100)
    api.answer = lambda title, _: status(503, "down") if int(title[1:]) > 10 else None
    stopped = await place.call()
    said = r"^20 rows in a row became unknown, the last one by: 503, 'down'\. Next: see whether"
    assert re.match(said, str(stopped.facts["stopped"]))
    outcomes = Counter(place.outcomes(stopped))
    assert outcomes["ok"] == 10
    assert MOST_UNKNOWN <= outcomes["unknown"] < MOST_UNKNOWN + 10  # those in flight before and after
    assert outcomes["not_sent"] == 90 - outcomes["unknown"]
    api.answer = lambda *_: None
    assert Counter(place.outcomes(await place.call())) == {
        "unknown": outcomes["unknown"],
        "ok": 100 - outcomes["unknown"],
    }
    assert set(api.done.values()) == {1}


async def test_answers_that_are_lost_here_and_there(place: Place, api: CountingApi):
    """Do not stop a run, however many they are."""
    place.deliver(90)
    api.answer = lambda title, _: status(500) if int(title[1:]) % 3 else None
    manifest = await place.call(workers=1)
    assert not manifest.facts["stopped"]
    assert Counter(place.outcomes(manifest)) == {"ok": 30, "unknown": 60}


async def test_rows_with_a_key_that_the_api_does_not_tell_of(place: Place, api: CountingApi):
    """Are sent all the same: they may go again."""
    place.deliver(30, KEYED.replace("[columns]", "ok_statuses = [201]\n[columns]", 1))
    api.answer = lambda *_: status(202)
    assert set(place.outcomes(await place.call())) == {"unknown"}


async def test_access_that_is_refused_and_mended(place: Place, api: CountingApi):
    """The same run goes on where it stopped."""
    place.deliver(20)
    refused = {"t7"}
    api.answer = lambda title, _: status(403, "no") if title in refused else None
    stopped = await place.call()
    assert stopped.facts["stopped"]
    assert "failed" not in place.outcomes(stopped)
    assert place.outcomes(stopped)[6] == "not_sent"
    refused.clear()
    assert set(place.outcomes(await place.call())) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_access_that_is_mended_when_keys_are_forgotten(place: Place, api: CountingApi):
    """Rows that were refused are sent; one whose first answer was lost is unknown."""
    place.deliver(40, A_MOMENT)
    said = {"t7": [599, 403], "t8": [403]}
    api.answer = lambda title, before: (
        status(said[title][before]) if before < len(said.get(title, ())) else None
    )
    stopped = await place.call()
    assert stopped.facts["stopped"]
    assert place.outcomes(stopped)[6:8] == ["unknown", "not_sent"]
    assert stopped.facts["outcomes"]["unknown"] == 1
    await asyncio.sleep(0.5)
    outcomes = place.outcomes(await place.call())
    assert [at for at, outcome in enumerate(outcomes, start=1) if outcome == "unknown"] == [7]
    assert outcomes.count("ok") == 39
    assert set(api.done.values()) == {1}


async def test_a_row_that_may_have_been_sent_by_an_earlier_try_is_not_given_back(
    place: Place, api: CountingApi
):
    """By a try that sends it once more by its key, and is refused."""
    place.deliver(20, A_MOMENT.replace("0.0001", "0.0006"))
    (place.staging / "run" / "answered").mkdir(parents=True)
    async with place.marks() as marks:
        await marks.take()
        await marks.mark(1, now())
    api.answer = lambda title, _: status(403) if title == "t1" else None
    stopped = await place.call()
    assert place.outcomes(stopped)[0] == "unknown"
    await asyncio.sleep(2.5)
    api.answer = lambda *_: None
    outcomes = place.outcomes(await place.call())
    assert outcomes[0] == "unknown"
    assert set(outcomes[1:]) == {"ok"}


async def test_marks_that_were_set_back(place: Place, api: CountingApi):
    """What they say of rows that were not sent is as old as they are."""
    place.deliver(300)
    refused = {"t7"}
    api.answer = lambda title, _: status(403) if title in refused else None
    await place.call()
    with psycopg.connect(**place.postgres) as connection:
        old = connection.execute("SELECT high, unsent FROM stagehouse_calls").fetchone()
        assert old is not None
        assert 7 in old[1]
    refused = {"t100"}
    await place.call()
    (place.staging / "run" / "answered" / "7.ndjson").unlink()  # as if it had been killed before
    with psycopg.connect(**place.postgres) as connection:
        connection.execute("UPDATE stagehouse_calls SET high = %s, unsent = %s", old)
    refused.clear()
    outcomes = place.outcomes(await place.call())
    assert outcomes[6] == "unknown"
    assert set(api.done.values()) == {1}


async def test_a_copy_that_cannot_be_read_any_more(place: Place, api: CountingApi):
    """The try ends; what was in flight is kept, and the next one copies the file anew."""
    place.deliver("title,more\n" + "".join(f"t{at},{'x' * 1000}\n" for at in range(1, 801)))
    copy = place.staging / "run" / "input" / "file"

    def answer(title: str, _before: int):
        if title == "t190":
            with copy.open("r+b") as file:
                file.seek(600_000)
                file.write(b"\0" * 1000)

    api.answer, api.latency_s = answer, 0.05
    with pytest.raises(UnreadableRow):
        await place.call()
    api.answer = lambda *_: None
    assert set(place.outcomes(await place.call())) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_marks_that_were_lost(place: Place, api: CountingApi):
    """Rows that may have been in flight are unknown; those before are as they were answered."""
    place.deliver(300)
    api.answer = lambda title, _: status(403) if title == "t50" else None
    await place.call()
    answered = set(api.done)
    with psycopg.connect(**place.postgres) as connection:
        connection.execute("DELETE FROM stagehouse_calls")
    api.answer = lambda *_: None
    manifest = await place.call()
    outcomes = place.outcomes(manifest)
    assert set(api.done.values()) == {1}
    last = max(int(title[1:]) for title in answered)
    assert [outcomes[int(title[1:]) - 1] for title in answered] == ["ok"] * len(answered)
    unsure = [at for at, outcome in enumerate(outcomes, start=1) if outcome == "unknown"]
    assert 50 in unsure
    assert max(unsure) == last + 100
    assert set(outcomes[last + 100 :]) == {"ok"}


async def test_postgres_goes_away(place: Place, api: CountingApi, postgres_server: PostgresServer):
    """What has no mark is not sent; the next try does the rest, and no row is carried out twice."""
    place.deliver(100)
    api.latency_s = 0.01

    def answer(title: str, _before: int):
        if title == "t30":
            postgres_server.stop()

    api.answer = answer
    try:
        with pytest.raises(MarksAway):
            await place.call()
        assert 30 <= len(api.log) <= 36
    finally:
        postgres_server.start()
    outcomes = place.outcomes(await place.call())
    assert set(api.done.values()) == {1}
    assert outcomes.count("unknown") <= 10
    assert outcomes.count("ok") + outcomes.count("unknown") == 100


async def test_a_lease_that_is_lost(place: Place, api: CountingApi):
    """The try ends by it; what was in flight is kept."""
    place.deliver(300)

    def check() -> None:
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError):
        await place.call(rate=100, check_lease=check)
    assert 0 < len(api.log) < 60
    assert set(place.outcomes(await place.call())) == {"ok"}
    assert set(api.done.values()) == {1}


async def test_rows_that_are_doubled_by_their_unique_columns(place: Place, api: CountingApi):
    """The first one is called, the others are rejected by its line."""
    place.deliver(
        "title,n\na,1\nb,1\na,2\nb,2\nc,1\n", POSTS.replace("[columns]", 'unique = ["title"]\n[columns]', 1)
    )
    rows = place.rows(await place.call(max_rejected=2))
    assert [row["outcome"] for row in rows] == ["ok", "ok", "rejected", "rejected", "ok"]
    assert "line 2 has the same" in rows[2]["reason"]
    assert api.done == {"a": 1, "b": 1, "c": 1}
