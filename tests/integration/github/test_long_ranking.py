"""Lists longer than search shows: exact, whole, and no request sent twice."""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta

import pytest

from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.errors import ListCutShort, SliceTooLarge
from include.github.search.rest import RestSearch
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.http.errors import RateLimitedUntil, RetryBudgetSpent
from include.postgres.errors import LeaseLost
from tests.clock import now
from tests.integration.github.crowd import EARLY, MODEL, asked, crowd, expected, like_github, ranked


async def test_a_hundred_thousand_are_ranked_exactly(serve_crowd, rank_top, tmp_path):
    """Each once, by stars, of equal stars by id; hardly more requests than pages; nothing is left behind."""
    dataset = crowd(like_github(110_000))
    app, url = await serve_crowd(dataset)
    ranking = await rank_top(url, 100_000)
    assert ranked(ranking) == expected(dataset.repositories, 100_000)
    assert len(asked(app)) == len(set(asked(app))) == ranking.requests <= 1_150
    left = [path.name for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert left == ["ranking.ndjson"]


@pytest.mark.parametrize(
    "stars",
    [
        [7] * 2600 + [9] * 300 + [8] * 1100,  # more alike than search shows; the border among them
        [number * 1000 for number in range(2, 902)] + [3] * 2700,
        [400_000] * 1500 + [2] * 2000,
        range(5000, 9000),
    ],
    ids=["ties", "sparse, then dense", "two heaps", "even"],
)
async def test_any_distribution(serve_crowd, rank_top, stars):
    """The same whatever the stars are like; many of the same stars are told apart by their creation."""
    dataset = crowd(list(stars))
    app, url = await serve_crowd(dataset)
    assert ranked(await rank_top(url, 3200)) == expected(dataset.repositories, 3200)
    assert len(asked(app)) == len(set(asked(app))) <= 100


class Wide(RestSearch):
    """Asks for small slices, ten of them together, as GraphQL does."""

    wanted = 80
    width = 10


async def test_many_slices_together(serve_crowd, make_client, tmp_path, yesterday):
    """The same list; those that turn out too large, or longer than a page, are gone on with beside others."""
    dataset = crowd([900_000 - number for number in range(300)] + [5000] * 1300 + [*range(10, 1010)] * 2)
    app, url = await serve_crowd(dataset)
    request = TopRepositoriesRequest(top=3000, query="stars:>1", day=yesterday)
    async with make_client(url, rps=2000) as client:
        ranking = await rank(client, Wide(client), request, tmp_path, now())
    assert ranked(ranking) == expected(dataset.repositories, 3000)
    assert len(asked(app)) == len(set(asked(app))) <= 200


async def test_slices_stay_within_the_query(serve_crowd, rank_top, caplog):
    """Its own range of stars bounds them, its other words stay; where the list ends, that is told."""
    dataset = crowd(range(1, 4001))
    _, url = await serve_crowd(dataset)
    found = await rank_top(url, 2500, "stars:500..2900 r language:" + MODEL.language.replace(" ", "-"))
    within = [repository for repository in dataset.repositories if 500 <= repository.stars <= 2900]
    assert ranked(found) == expected(within, 2500)
    assert "only 2401 repositories match" in caplog.text


async def test_what_cannot_be_cut_is_an_error(serve_crowd, rank_top):
    """More of the same stars and the same second than search shows; or creation is in the query already."""
    _, url = await serve_crowd(crowd([5] * 1200, created=lambda _: EARLY))
    with pytest.raises(
        SliceTooLarge,
        match=r"stars:.*created:.* has 1200 results.*Next: start a new run with a narrower param query",
    ):
        await rank_top(url, 1100)
    _, url = await serve_crowd(crowd([5] * 1200))
    with pytest.raises(SliceTooLarge, match="or without created: in it"):
        await rank_top(url, 1100, "stars:>1 created:>2015-01-01")


async def test_an_incomplete_slice_is_halved(serve_crowd, rank_top):
    """It is not asked again as it was; a server whose answers never are whole ends it by a name."""

    def incomplete(body):
        return json.dumps(json.loads(body) | {"incomplete_results": True}).encode()

    dataset = crowd(range(1, 2601))
    app, url = await serve_crowd(dataset)
    app[FAULTS].add(
        Fault("/search/.*page=1$", after=1, body=incomplete), Fault("/search/.*page=3$", body=incomplete)
    )
    assert ranked(await rank_top(url, 2000)) == expected(dataset.repositories, 2000)
    assert len(asked(app)) == len(set(asked(app)))


async def test_incomplete_for_ever(serve_crowd, rank_top):
    """Ends by its name before many are asked."""

    def incomplete(body):
        return json.dumps(json.loads(body) | {"incomplete_results": True}).encode()

    app, url = await serve_crowd(crowd(range(1, 2601)))
    app[FAULTS].add(Fault("/search/", times=None, body=incomplete))
    with pytest.raises(RetryBudgetSpent, match="incomplete_results of"):
        await rank_top(url, 2000)
    assert len(asked(app)) < 30


async def test_a_dropped_link_is_no_end(serve_crowd, rank_top):
    """A proxy that drops the Link header must not make a short list of a long one."""
    app, url = await serve_crowd(crowd(range(1, 2601)))
    app[FAULTS].add(Fault("/search/", times=None, headers={"Link": None}))
    with pytest.raises(ListCutShort, match=r"stars:.*drop the Link header"):
        await rank_top(url, 2000)


async def test_the_limit_of_searches_costs_no_request(serve_crowd, rank_top):
    """Ten a minute: each try goes on where the one before gave its slot back, in the middle of a slice."""
    skew = {"ahead": timedelta()}
    clock = lambda: now() + skew["ahead"]  # noqa: E731
    dataset = crowd(range(1, 3001))
    app, url = await serve_crowd(dataset, now=clock, anonymous=Quota(60, 10))
    tries = 0
    while True:
        tries += 1
        try:
            ranking = await rank_top(url, 2500, clock=clock)
            break
        except RateLimitedUntil as limit:
            skew["ahead"] = limit.until - now() + timedelta(seconds=1)
    assert ranked(ranking) == expected(dataset.repositories, 2500)
    assert len(asked(app)) == len(set(asked(app))) == ranking.requests
    assert tries >= 3
    assert {request.status for request in app[REQUEST_LOG].requests} == {200}


async def test_a_lost_lease_ends_the_reading(serve_crowd, rank_top):
    """Before the next page; the next try goes on after what was read."""
    app, url = await serve_crowd(crowd(range(1, 2601)))

    def check_lease():
        if len(asked(app)) == 7:
            raise LeaseLost("github")

    with pytest.raises(LeaseLost):
        await rank_top(url, 2000, check_lease=check_lease)
    assert len(asked(app)) == 7
    await rank_top(url, 2000)
    assert len(asked(app)) == len(set(asked(app)))


async def test_damaged_answers_are_asked_for_again(serve_crowd, rank_top, tmp_path, caplog):
    """Half a file, an empty one, one of another API, a stray one: told, and only they are asked for again."""
    dataset = crowd(range(1, 2601))
    app, url = await serve_crowd(dataset)

    def check_lease():
        if len(asked(app)) == 12:
            raise LeaseLost("github")

    with pytest.raises(LeaseLost):
        await rank_top(url, 2000, check_lease=check_lease)
    kept = sorted((tmp_path / "run" / "searched").iterdir())
    kept[2].write_bytes(kept[2].read_bytes()[:9000])
    kept[3].write_bytes(b"")
    kept[5].write_text(kept[5].read_text().replace(str(url).rstrip("/"), "http://127.0.0.1:1", 1))
    (kept[5].parent / "readme.txt").write_text("hello")
    ranking = await rank_top(url, 2000)
    assert ranked(ranking) == expected(dataset.repositories, 2000)
    assert len(asked(app)) - len(set(asked(app))) == 3
    assert caplog.text.count("is not readable, asking GitHub again") == 2
    assert "is the answer to something else" in caplog.text


async def test_killed_in_the_middle(serve_crowd, tmp_path, yesterday):
    """SIGKILL three times: what was answered and kept is never asked for again, and the ranking is exact."""
    dataset = crowd(range(1, 4001))
    app, url = await serve_crowd(dataset, latency_s=0.01)
    command = [
        "-m",
        "tests.integration.github.fetch_until_killed",
        str(url),
        str(tmp_path),
        str(yesterday),
        "3000",
    ]
    searched = tmp_path / "searched"
    for kept in (4, 13, 25):
        process = await asyncio.create_subprocess_exec(sys.executable, *command, env=os.environ)
        async with asyncio.timeout(30):
            while not searched.exists() or len(list(searched.iterdir())) < kept:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    process = await asyncio.create_subprocess_exec(sys.executable, *command, env=os.environ)
    assert await process.wait() == 0
    lines = (tmp_path / "ranking.ndjson").read_text().splitlines()
    repositories = [json.loads(line) for line in lines[1:]]
    assert [(r["id"], r["stargazers_count"]) for r in repositories] == expected(dataset.repositories, 3000)
    searches = [path for path in asked(app) if path.startswith("/search/")]
    assert len(searches) - len(set(searches)) <= 3  # each kill may meet one that is on its way
