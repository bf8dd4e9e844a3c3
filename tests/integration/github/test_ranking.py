"""The list: as few requests as possible, in one total order, read once a run."""

import logging

import pytest
from aiohttp import web

from include.github.errors import NothingRanked, WrongRanking
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.errors import ListCutShort
from include.github.search.rest import RestSearch
from include.github_stand_in.app import REQUEST_LOG
from include.http.errors import RequestFailed
from include.postgres.errors import LeaseLost
from tests.clock import now


def item(id_, stars, name=None, owner="o"):
    """Make a repository as the search shows it."""
    return {
        "id": id_,
        "owner": {"login": owner},
        "name": name or f"r{id_}",
        "stargazers_count": stars,
        "watchers_count": stars,
        "forks_count": 1,
        "language": None,
        "updated_at": "2026-08-20T00:00:00Z",
        "pushed_at": None,
    }


class Search:
    """Serves lists of pages: a whole reading of the list each; the last one stays."""

    def __init__(self, *readings, incomplete=0):
        self.readings, self.incomplete = list(readings), incomplete
        self.pages = []

    async def __call__(self, request):
        """Serve a page; page 1 begins a reading."""
        number = int(request.query["page"])
        if number == 1:
            self.pages = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        items = self.pages[number - 1]
        next_url = request.url.update_query(page=number + 1)
        headers = {"Link": f'<{next_url}>; rel="next"'} if number < len(self.pages) else {}
        incomplete, self.incomplete = self.incomplete > 0, self.incomplete - 1
        body = {"total_count": sum(map(len, self.pages)), "incomplete_results": incomplete, "items": items}
        return web.json_response(body, headers=headers)


def request_for(top, day, query="stars:>1"):
    """Make a request."""
    return TopRepositoriesRequest(top=top, query=query, day=day)


@pytest.mark.parametrize(("top", "requests"), [(1, 1), (100, 1), (101, 2), (250, 3)])
async def test_as_few_requests_as_possible(stand_in, make_client, tmp_path, yesterday, top, requests):
    """A hundred a page, the Link header only, and exactly `top` of them, best first."""
    app, url = await stand_in()
    async with make_client(url) as client:
        ranking = await rank(client, RestSearch(client), request_for(top, yesterday), tmp_path, now())
    stars = [repository.stars for repository in ranking]
    assert (len(stars), stars) == (top, sorted(stars, reverse=True))
    assert len({repository.full_name for repository in ranking}) == top
    assert (len(app[REQUEST_LOG].requests), ranking.requests) == (requests, requests)


async def test_a_lost_lease_ends_the_reading_before_the_next_page(stand_in, make_client, tmp_path, yesterday):
    """Somebody else may be asking by then; nothing is saved."""
    app, url = await stand_in()
    asked = app[REQUEST_LOG].requests

    def check_lease() -> None:
        if asked:
            raise LeaseLost("github")

    async with make_client(url) as client:
        with pytest.raises(LeaseLost):
            await rank(client, RestSearch(client), request_for(1000, yesterday), tmp_path, now(), check_lease)
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == []


async def test_the_saved_list_is_used(stand_in, make_client, tmp_path, top20):
    """The second call of a run sends nothing and returns the same."""
    app, url = await stand_in()
    async with make_client(url) as client:
        first = await rank(client, RestSearch(client), top20, tmp_path, now())
        assert list(await rank(client, RestSearch(client), top20, tmp_path, now())) == list(first)
    assert len(app[REQUEST_LOG].requests) == 1


async def test_a_saved_list_of_another_request_is_refused(stand_in, make_client, tmp_path, top20):
    """Another query in the same directory is a mistake, and both are named."""
    _, url = await stand_in()
    async with make_client(url) as client:
        await rank(client, RestSearch(client), top20, tmp_path, now())
        with pytest.raises(WrongRanking, match=r"stars:>1.*stars:>9"):
            await rank(
                client, RestSearch(client), top20.model_copy(update={"query": "stars:>9"}), tmp_path, now()
            )


async def test_a_torn_list_is_read_again(stand_in, make_client, tmp_path, top20, caplog):
    """Half a file is not believed, and that is said."""
    app, url = await stand_in()
    async with make_client(url) as client:
        first = await rank(client, RestSearch(client), top20, tmp_path, now())
        path = tmp_path / "ranking.ndjson"
        path.write_bytes(path.read_bytes()[:500])
        again = await rank(client, RestSearch(client), top20, tmp_path, now())
    assert list(again) == list(first)
    assert "not readable" in caplog.text
    assert len(app[REQUEST_LOG].requests) == 2


async def test_a_list_of_an_older_version_is_read_again(stand_in, make_client, tmp_path, top20, caplog):
    """It was one JSON document; a run that began with it goes on."""
    app, url = await stand_in()
    (tmp_path / "ranking.json").write_text('{"repositories": []}')
    async with make_client(url) as client:
        assert len(await rank(client, RestSearch(client), top20, tmp_path, now())) == 20
    assert "is of an older version, asking GitHub again" in caplog.text
    assert len(app[REQUEST_LOG].requests) == 1


async def test_equal_stars_are_ordered_by_id(serve, make_client, tmp_path, yesterday):
    """No ties: of equal stars the smaller id comes first, whatever order GitHub gives."""
    server = await serve(Search([[item(3, 5), item(1, 5), item(2, 9)]]))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(3, yesterday), tmp_path, now())
    assert [repository.id for repository in ranking] == [2, 1, 3]


async def test_an_incomplete_answer_is_asked_again_then_fatal(serve, make_client, tmp_path, yesterday):
    """incomplete_results is no success: retried, and if it stays, the run fails and saves nothing."""
    server = await serve(Search([[item(1, 5)]], incomplete=2))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(1, yesterday), tmp_path / "a", now())
        assert (len(ranking), server.seen.count) == (1, 3)
        server.handler = Search([[item(1, 5)]], incomplete=99)
        with pytest.raises(RequestFailed, match="incomplete_results"):
            await rank(client, RestSearch(client), request_for(1, yesterday), tmp_path / "b", now())
    assert not (tmp_path / "b").exists()


async def test_a_list_that_moves_is_read_again(serve, make_client, tmp_path, yesterday):
    """An item on two pages means another on none: the second reading is whole."""
    moving = [[item(n, 1000 - n) for n in range(1, 101)], [item(100, 900), item(102, 898)]]
    still = [[item(n, 1000 - n) for n in range(1, 101)], [item(101, 899), item(102, 898)]]
    server = await serve(Search(moving, still))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(102, yesterday), tmp_path, now())
    assert [repository.id for repository in ranking] == list(range(1, 103))
    assert server.seen.count == 4


async def test_a_list_that_never_stands_still_is_filled_up(serve, make_client, tmp_path, yesterday, caplog):
    """After three readings the last is filled from further pages: no holes, no repeats, bounded requests."""
    pages = [[item(n, 1000 - n) for n in range(1, 101)], [item(100, 900)], [item(n, 1) for n in (200, 201)]]
    server = await serve(Search(pages))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(101, yesterday), tmp_path, now())
    assert [repository.id for repository in ranking] == [*range(1, 101), 200]
    assert server.seen.count == 2 + 2 + 3
    assert "the list moved" in caplog.text


@pytest.mark.parametrize("top", [1, 100, 300])
async def test_a_list_that_ends_too_early_is_refused(serve, make_client, tmp_path, yesterday, top):
    """A proxy that drops the Link header must not make a short list, or short days, of long ones."""

    async def one_page(request):
        items = [item(n, 1000 - n) for n in range(1, 1 + int(request.query["per_page"]))]
        return web.json_response({"total_count": 5000, "incomplete_results": False, "items": items})

    server = await serve(one_page)
    async with make_client(server.url) as client:
        with pytest.raises(ListCutShort, match=r"of the 1000 repositories.*drop the Link header"):
            await rank(client, RestSearch(client), request_for(top, yesterday), tmp_path, now())
    assert list(tmp_path.iterdir()) == []


async def test_an_empty_list_is_refused(serve, make_client, tmp_path, yesterday):
    """A typing mistake in the query must not empty a day: nothing is saved, the error shows the query."""
    server = await serve(Search([[]]))
    async with make_client(server.url) as client:
        with pytest.raises(NothingRanked, match="stars:>900000000"):
            await rank(
                client, RestSearch(client), request_for(10, yesterday, "stars:>900000000"), tmp_path, now()
            )
    assert list(tmp_path.iterdir()) == []


async def test_fewer_than_asked_for_is_no_error(serve, make_client, tmp_path, yesterday, caplog):
    """A narrow query has few matches; the log says so."""
    server = await serve(Search([[item(1, 5)]]))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(10, yesterday), tmp_path, now())
    assert len(ranking) == 1
    assert "only 1 repositories match" in caplog.text


async def test_two_ids_under_one_name(serve, make_client, tmp_path, yesterday, caplog):
    """The newer id answers to the name; the other is told and left out; same names of other owners stay."""
    caplog.set_level(logging.WARNING)
    items = [item(7, 9, "core", "a"), item(8, 5, "CORE", "A"), item(9, 3, "core", "b")]
    server = await serve(Search([items]))
    async with make_client(server.url) as client:
        ranking = await rank(client, RestSearch(client), request_for(3, yesterday), tmp_path, now())
    assert [repository.id for repository in ranking] == [8, 9]
    assert "a/core is listed with ids 7 and 8" in caplog.text
