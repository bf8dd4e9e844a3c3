"""The commits of a day: every page, each commit once, the day exactly."""

from datetime import date

import pytest
from aiohttp import web

from include.github.api.errors import TooManyPages
from include.github.commits.rest import count_commits
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost
from tests.integration.http.server import answers, ok

DAY = date(2026, 8, 20)


def commit(number, at="2026-08-20T12:00:00Z", login="mona"):
    """Make a commit as GitHub sends it."""
    signature = {"name": "Mona", "email": "m@x", "date": "2001-01-01T00:00:00Z"}
    return {
        "sha": f"{number:040x}",
        "author": login and {"login": login},
        "commit": {"author": signature, "committer": {"date": at}},
    }


class Pages:
    """Serves these pages; links only to the next one, under a name that nobody could guess."""

    def __init__(self, *pages):
        self.pages = pages

    async def __call__(self, request):
        """Serve the page named in the path."""
        number = int(request.path.rpartition("-")[2]) if "secret" in request.path else 0
        more = number + 1 < len(self.pages)
        link = f'</repositories/5/secret-{number + 1}>; rel="next", <http://x/>; rel="last"'
        return web.json_response(self.pages[number], headers={"Link": link} if more else {})


async def count(client):
    """Count the commits of DAY in o/n."""
    cost = RequestCost()
    async with client:
        return await count_commits(client, "o", "n", DAY, cost), cost


async def test_every_page_by_the_link_alone(serve, make_client):
    """Follows `next` as given, to its end, and counts each author."""
    pages = [
        [commit(n) for n in range(100)],
        [commit(n, login="hubot") for n in range(100, 150)],
        [commit(200)],
    ]
    server = await serve(Pages(*pages))
    counted, cost = await count(make_client(server.url))
    assert counted.authors == {"mona": 101, "hubot": 50}
    assert cost.requests == 3
    assert server.seen.paths == [
        "/repos/o/n/commits?since=2026-08-20T00:00:00Z&until=2026-08-20T23:59:59Z&per_page=100",
        "/repositories/5/secret-1",
        "/repositories/5/secret-2",
    ]


async def test_a_full_page_without_link_is_the_last(serve, make_client):
    """A day of exactly 100 commits is one page: no second request, no error."""
    server = await serve(Pages([commit(n) for n in range(100)]))
    counted, cost = await count(make_client(server.url))
    assert (counted.authors.total(), cost.requests) == (100, 1)


async def test_the_day_is_half_open_and_by_committer_date(serve, make_client):
    """00:00:00 is in, 23:59:59 is in, the next midnight is out, other years are out; offsets are UTC'd."""
    dates = {
        "2026-08-19T23:59:59Z": 0,
        "2026-08-20T00:00:00Z": 1,
        "2026-08-20T23:59:59Z": 1,
        "2026-08-20T23:59:59.999999Z": 1,
        "2026-08-21T00:00:00Z": 0,
        "2026-08-21T01:59:59+02:00": 1,
        "2026-08-20T00:00:00+02:00": 0,
        "1970-01-01T00:00:00Z": 0,
        "2099-01-01T00:00:00Z": 0,
    }
    server = await serve(Pages([commit(n, at) for n, at in enumerate(dates)]))
    counted, _ = await count(make_client(server.url))
    assert (counted.authors.total(), counted.outside) == (
        sum(dates.values()),
        len(dates) - sum(dates.values()),
    )


async def test_a_commit_on_two_pages_counts_once(serve, make_client):
    """A push between two pages shifts the list: the repeated commit is the same one."""
    server = await serve(Pages([commit(1), commit(2)], [commit(2), commit(3)]))
    counted, _ = await count(make_client(server.url))
    assert counted.authors == {"mona": 3}


async def test_authors_that_no_table_takes_are_cleaned_and_counted(serve, make_client):
    """Lone surrogates become U+FFFD, NUL goes, 100,000 characters are cut; outside the day nothing counts."""
    names = ["Mona", "\ud83d", "a\0b", "A" * 100_000, " עדי "]
    page = [commit(n, login=name) for n, name in enumerate(names)]
    server = await serve(Pages([*page, commit(99, "2026-08-21T00:00:00Z", "c\0")]))
    counted, _ = await count(make_client(server.url))
    assert counted.authors == dict.fromkeys(["Mona", "\ufffd", "ab", "A" * 20_000, " עדי "], 1)
    assert (counted.cleaned, counted.outside) == (3, 1)


async def test_an_empty_page_before_the_last_is_asked_again(serve, make_client):
    """An empty page with a `next` is no page: retried, then an error, never a shorter day."""
    server = await serve(Pages([], [commit(1)]))
    with pytest.raises(RequestFailed, match="an empty page that is not the last"):
        await count(make_client(server.url, attempts=2))


@pytest.mark.parametrize("pages", [3, 100])
async def test_a_list_without_end_fails(serve, make_client, pages):
    """A circle of links, or more pages than the ceiling: an error, not a cut."""

    async def endless(request):
        number = int(request.path.rpartition("/")[2]) if request.path.startswith("/p/") else 0
        link = f'<{request.url.origin()}/p/{number % pages + 1}>; rel="next"'
        return web.json_response([commit(number)], headers={"Link": link})

    server = await serve(endless)
    with pytest.raises(TooManyPages):
        await count(make_client(server.url, pages=10))
    assert server.seen.count == min(pages + 1, 10)


@pytest.mark.parametrize("fits", [50, 25])
async def test_an_overloaded_server_is_asked_for_smaller_pages(serve, make_client, fits):
    """After the attempts of a page size are spent on 5xx, the repository begins again with smaller pages."""
    good = [commit(n) for n in range(30)]

    async def heavy(request):
        if int(request.query["per_page"]) > fits:
            return web.Response(status=502, text="<html>Unicorn!</html>")
        return web.json_response(good)

    server = await serve(heavy)
    counted, cost = await count(make_client(server.url, attempts=2))
    assert counted.authors == {"mona": 30}
    assert cost.requests == server.seen.count == {50: 3, 25: 5}[fits]


async def test_a_server_that_stays_overloaded_fails(serve, make_client):
    """Smaller pages end at 25."""
    server = await serve(lambda _request: _unwell())
    with pytest.raises(RequestFailed, match="per_page=25"):
        await count(make_client(server.url, attempts=2))
    assert server.seen.count == 6


async def _unwell():
    return web.Response(status=500)


async def test_a_failure_that_is_not_load_does_not_shrink_pages(serve, make_client):
    """Broken JSON is as broken in smaller pages."""
    server = await serve(answers(ok({"not": "a list"})))
    with pytest.raises(RequestFailed, match="per_page=100"):
        await count(make_client(server.url, attempts=2))
    assert server.seen.count == 2
