"""Pages asked for again: what did not change costs no quota, and is what it was."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from include.github.api.page_cache import CachedPage, PageCache
from include.github.api.rules import account_of
from include.github.commits.rest import RestCommits
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.search.rest import RestSearch
from include.github_stand_in.app import REQUEST_LOG
from include.github_stand_in.quota import Quota
from include.http.errors import RequestFailed
from include.http.request_cost import RequestCost
from include.http.tokens import Token
from tests.clock import now
from tests.integration.http.server import answers, json_answer, ok

TOKEN, OTHER = "ghp_0123456789abcdef", "ghp_fedcba9876543210"


def as_list(value):
    """Read a list."""
    if not isinstance(value, list):
        raise ValueError("a list was expected")  # noqa: TRY004
    return value


class Versions:
    """Serves a page that changes when told, with an ETag of its own for each token."""

    def __init__(self):
        self.version, self.seen = 1, []

    async def __call__(self, request):
        """Answer 304 where the condition holds."""
        token = request.headers.get("Authorization", "")[-3:]
        etag = f'W/"{self.version}{token}"'
        condition = request.headers.get("If-None-Match")
        self.seen.append((token, condition))
        headers = {"ETag": etag, "Link": '<?page=2>; rel="next"', "X-RateLimit-Remaining": "100"}
        if condition == etag:
            return web.Response(status=304, headers=headers)
        return web.json_response([self.version], headers=headers)


@pytest.fixture
def read_page(make_client, tmp_path):
    """Read the page in a process of its own, which knows what others kept; return what came, and its cost."""

    async def read(server, tokens=(TOKEN,), reader=as_list, **options):
        cost = RequestCost()
        async with make_client(server.url, tokens=tokens, kept=tmp_path / "answers", **options) as client:
            return await client.get(client.url("x"), reader, cost), cost

    return read


def files_of(directory):
    """Return the files that are kept."""
    return [path for path in (directory / "answers").rglob("*") if path.is_file()]


async def test_a_second_run_spends_nothing(stand_in, make_client, tmp_path, top20):
    """Of the same day, ranking and commits: every answer is a 304, and the rows are the same."""
    app, url = await stand_in(with_token=Quota(5000, 1000))
    rows = []
    for run in ("first", "second"):
        sent = len(app[REQUEST_LOG].requests)
        async with make_client(url, tokens=[TOKEN], kept=tmp_path / "answers") as client:
            ranking = await rank(client, RestSearch(client), top20, tmp_path / run, now())
            source, named = RestCommits(client), {"dag_id": "d", "run_id": run, "now": now}
            manifest = await fetch(client, source, ranking, top20, tmp_path / run, **named)
        rows.append([part.checksum for part in manifest.tables["repositories_authors_commits"].parts])
    assert {request.status for request in list(app[REQUEST_LOG].requests)[sent:]} == {304}
    assert rows[0] == rows[1]


async def test_a_page_that_did_not_change(serve, read_page):
    """Is what it was, with the page that follows; it is counted, and asked for again each time."""
    versions = Versions()
    server = await serve(versions)
    first, _ = await read_page(server)
    for _ in range(2):
        again, cost = await read_page(server)
        assert again == first
        assert (cost.requests, cost.unchanged) == (1, 1)
    assert first.next_url == (server.url / "x").with_query(page=2)
    versions.version = 2
    assert (await read_page(server))[0].value == [2]
    assert (await read_page(server))[1].unchanged == 1
    assert [condition for _, condition in versions.seen] == [None, *['W/"1def"'] * 3, 'W/"2def"']


async def test_an_etag_is_the_token_s(serve, read_page):
    """The token that has one asks, also where another has as much left; the other asks without."""
    versions = Versions()
    server = await serve(versions)
    await read_page(server)
    await read_page(server, tokens=(OTHER, TOKEN))
    await read_page(server, tokens=(OTHER,))
    assert versions.seen == [("def", None), ("def", 'W/"1def"'), ("210", None)]


async def test_nothing_is_kept_without_a_token(serve, read_page, tmp_path):
    """A 304 would cost as much as the page."""
    server = await serve(Versions())
    await read_page(server, tokens=())
    assert files_of(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"no gzip", None], ids=["empty", "other", "cut"])
async def test_a_damaged_file_is_no_answer(serve, read_page, tmp_path, caplog, damage):
    """The page is asked for as if it were new, with a warning that names the file; and kept anew."""
    versions = Versions()
    server = await serve(versions)
    await read_page(server)
    (file,) = files_of(tmp_path)
    file.write_bytes(file.read_bytes()[:-5] if damage is None else damage)
    page, cost = await read_page(server)
    assert (page.value, cost.unchanged, versions.seen[-1][1]) == ([1], 0, None)
    assert str(file) in caplog.text
    assert (await read_page(server))[1].unchanged == 1


async def test_a_kept_page_that_leads_elsewhere_is_no_answer(serve, read_page, tmp_path):
    """Whoever wrote it: no token goes to another server."""
    versions = Versions()
    server = await serve(versions)
    await read_page(server)
    kept = PageCache(tmp_path / "answers", now)
    kept.open()
    account, url = account_of(Token(TOKEN), str(server.url)), str(server.url / "x")
    kept.keep(kept.find(account, url).model_copy(update={"next_url": "https://evil.example/"}))
    assert (await read_page(server))[0].next_url.host == "127.0.0.1"
    assert versions.seen[-1][1] is None


async def test_a_304_that_nobody_asked_for(serve, read_page):
    """Is a bug of somebody on the way: the page is asked for again."""
    server = await serve(answers(lambda: web.Response(status=304), ok([1])))
    page, cost = await read_page(server)
    assert (page.value, cost.requests, cost.unchanged) == ([1], 2, 0)


async def test_a_kept_page_that_is_of_no_use(serve, read_page):
    """It is asked for without the condition: the reader may have changed since, or the file."""
    versions = Versions()
    server = await serve(versions)
    await read_page(server, reader=bool)
    refused = []

    def refuse_once(value):
        if not refused:
            refused.append(value)
            raise ValueError("no list of today")
        return value

    page, cost = await read_page(server, reader=refuse_once)
    assert (page.value, cost.requests, cost.retries) == ([1], 2, 1)
    assert [condition for _, condition in versions.seen] == [None, 'W/"1def"', None]


async def test_what_is_of_no_use_is_not_kept(serve, read_page, tmp_path):
    """A page that the reader refuses, any answer but a page, and one whose ETag is none."""
    server = await serve(answers(ok({}, ETag="a"), json_answer(502, [], ETag="b"), ok([1], ETag="two words")))
    with pytest.raises(RequestFailed):
        await read_page(server, attempts=2)
    await read_page(server)
    assert files_of(tmp_path) == []


async def test_nothing_is_kept_for_more_than_two_days(serve, read_page, tmp_path):
    """Files go with their day."""
    versions, days = Versions(), [datetime(2026, 8, day, 23, tzinfo=UTC) for day in (20, 21, 22)]
    server = await serve(versions)
    for day in days:
        await read_page(server, clock=lambda day=day: day)
    assert [condition for _, condition in versions.seen] == [None, 'W/"1def"', None]
    assert {file.parent.name for file in files_of(tmp_path)} == {"2026-08-22"}


def test_no_more_is_kept_than_there_is_room_for(tmp_path):
    """Of what is there already and what comes; nothing is cut."""
    noise = b"".join(bytes([n * n % 251]) for n in range(2000))
    for _ in range(2):
        kept = PageCache(tmp_path, now, most_bytes=1500)
        kept.open()
        for number in range(9):
            kept.keep(CachedPage(account="a", url=f"u{number}", etag="e", body=noise[number:]))
    sizes = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) <= 1500
    assert all(kept.find("a", f"u{number}").body == noise[number:] for number in range(len(sizes)))


def test_a_page_that_is_kept_anew_takes_no_more_room(tmp_path):
    """The file before it is gone."""
    kept = PageCache(tmp_path, now, most_bytes=1500)
    for number in range(50):
        kept.keep(CachedPage(account="a", url="u", etag=f"e{number}"))
    kept.keep(CachedPage(account="a", url="v", etag="e"))
    assert kept.find("a", "u").etag == "e49"
    assert kept.find("a", "v").etag == "e"


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path, caplog):
    """And stops nobody."""
    (tmp_path / "file").write_text("")
    kept = PageCache(tmp_path / "file", now)
    kept.open()
    kept.keep(CachedPage(account="a", url="u", etag="e"))
    assert kept.find("a", "u") is None
    assert "no more answers are kept" in caplog.text
