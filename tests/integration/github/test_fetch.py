"""A whole day against the stand-in: outcomes, resuming, staging."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest

from include.github.commits.rest import RestCommits
from include.github.errors import MostlyGone, WrongRanking
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.github_stand_in.app import FAULTS, REQUEST_LOG
from include.github_stand_in.faults import Fault
from include.github_stand_in.quota import Quota
from include.github_stand_in.sample import Sample
from include.http.errors import RateLimitedUntil, RequestFailed
from include.staging.manifest import StagedBy, read_manifest
from include.staging.ndjson_parts import read_batches
from tests.clock import now

RUN = {"dag_id": "github_top_repositories", "run_id": "manual__1", "now": now}


async def run(client, request, directory, **options):
    """Rank and fetch, as the DAG does."""
    async with client:
        ranking = await rank(client, RestSearch(client), request, directory, now())
        return await fetch(client, RestCommits(client), ranking, request, directory, **RUN | options)


def rows(directory, manifest, table):
    """Read a staged table back."""
    parts = manifest.tables[table]
    return [
        row
        for part in parts.parts
        for batch in read_batches(directory / part.file, parts.table, part, 1000)
        for row in batch
    ]


def asked(app):
    """Count the commit requests of each repository, its later pages aside."""
    paths = (request.path_qs.partition("?")[0] for request in app[REQUEST_LOG].requests)
    return Counter(path for path in paths if path.startswith("/repos/"))


def true_authors(day, ranked):
    """Read the same day out of the sample itself, in another way."""
    sample, authors = Sample(), Counter()
    by_name = {repository.full_name: repository for repository in sample.repositories}
    for name in ranked:
        repository = by_name[name]
        if repository.standing.value not in ("present", "moved"):
            continue
        end = now().replace(year=day.year, month=day.month, day=day.day, hour=23, minute=59, second=59)
        begin = end.replace(hour=0, minute=0, second=0, microsecond=0)
        commits, _ = sample.commits(repository, begin, end.replace(microsecond=0), slice(0, 10_000))
        for commit in commits:
            person = commit.author
            names = [
                commit.author_account and commit.author_account.login,
                person and person.name,
                person and person.email,
            ]
            author = next((text for text in names if text and text.strip()), "(unknown)")
            authors[name, author] += 1
    return authors


async def test_a_day_is_exact(stand_in, make_client, tmp_path, yesterday):
    """Authors, outcomes, positions and repositories are those of the sample, with no request too many."""
    app, url = await stand_in()
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    manifest = await run(make_client(url), request, tmp_path)
    positions = rows(tmp_path, manifest, "repositories_positions")
    assert [row[2] for row in positions] == list(range(1, 101))
    ranked = [row[1] for row in positions]
    authors = {(row[1], row[2]): row[3] for row in rows(tmp_path, manifest, "repositories_authors_commits")}
    assert authors == true_authors(yesterday, ranked)
    outcomes = rows(tmp_path, manifest, "repositories_outcomes")
    assert {row[1] for row in outcomes} == set(ranked)
    assert {"ok", "unpushed", "empty", "gone", "blocked", "moved"} == {row[2] for row in outcomes}
    assert sum(row[4] for row in outcomes) + 1 == len(app[REQUEST_LOG].requests) == manifest.facts["requests"]
    unpushed = {row[1] for row in outcomes if row[2] == "unpushed"}
    assert not {f"/repos/{name}/commits" for name in unpushed} & set(asked(app))
    assert all(row[4] == 0 for row in outcomes if row[1] in unpushed)
    assert manifest.facts["outcomes"] == Counter(row[2] for row in outcomes)
    assert len(rows(tmp_path, manifest, "repositories")) == 100
    staged_by = StagedBy(RUN["dag_id"], RUN["run_id"], yesterday, "fetch")
    assert read_manifest(tmp_path, staged_by) == manifest


async def test_the_outcomes_cost_what_they_must(stand_in, make_client, tmp_path, yesterday):
    """Empty and blocked: one request; gone: a second look; moved: the redirect and what it leads to."""
    _, url = await stand_in()
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    manifest = await run(make_client(url), request, tmp_path)
    cost = {row[2]: row[4] for row in rows(tmp_path, manifest, "repositories_outcomes")}
    assert (cost["empty"], cost["blocked"], cost["gone"]) == (1, 1, 2)
    assert cost["moved"] >= 2


async def test_a_second_call_sends_nothing(stand_in, make_client, tmp_path, top20):
    """The manifest is the answer; a lost part makes it staged again, still without a request."""
    app, url = await stand_in()
    manifest = await run(make_client(url), top20, tmp_path)
    before = len(app[REQUEST_LOG].requests)
    assert await run(make_client(url), top20, tmp_path) == manifest
    part = manifest.tables["repositories_outcomes"].parts[0].file
    for harm in (lambda path: path.unlink(), lambda path: path.write_bytes(b"[]\n")):
        harm(tmp_path / part)
        again = await run(make_client(url), top20, tmp_path)
        assert again.tables == manifest.tables
        assert len(rows(tmp_path, again, "repositories_outcomes")) == 20
    assert len(app[REQUEST_LOG].requests) == before


async def test_a_failed_try_is_resumed(stand_in, make_client, tmp_path, top20):
    """What was finished before the failure is asked once only; the rows are those of an untroubled run."""
    app, url = await stand_in()
    calm = await run(make_client(url), top20, tmp_path / "calm")
    app[REQUEST_LOG].clear()
    last = [row for row in rows(tmp_path / "calm", calm, "repositories_outcomes") if row[2] == "ok"][-1]
    app[FAULTS].add(Fault(f"/repos/{last[1]}/commits", times=None, status=500))
    with pytest.raises(RequestFailed, match=last[1]) as failure:
        await run(make_client(url, attempts=2), top20, tmp_path / "run")
    assert f"repository {last[1]}" in failure.value.__notes__[0]
    finished = {json.loads(path.read_text())["repo"] for path in (tmp_path / "run" / "fetched").iterdir()}
    assert finished
    first_try = asked(app)
    app[FAULTS].clear()
    manifest = await run(make_client(url), top20, tmp_path / "run")
    for name in finished:
        assert asked(app)[f"/repos/{name}/commits"] == first_try[f"/repos/{name}/commits"]
    for table in ("repositories_authors_commits", "repositories_positions"):
        assert rows(tmp_path / "run", manifest, table) == rows(tmp_path / "calm", calm, table)


async def test_torn_and_foreign_records_are_not_believed(stand_in, make_client, tmp_path, top20, caplog):
    """Half a record, a record of another day and a stray file: told, and their repositories asked again."""
    app, url = await stand_in()
    manifest = await run(make_client(url), top20, tmp_path)
    records = sorted((tmp_path / "fetched").iterdir())[:3]
    records[0].write_bytes(records[0].read_bytes()[:40])
    content = json.loads(records[1].read_text())
    records[1].write_text(json.dumps(content | {"day": "2001-01-01"}))
    records[2].write_text(records[2].read_text().replace('"commits":', '"commits":1'))
    (tmp_path / "fetched" / "readme.txt").write_text("hello")
    (tmp_path / "manifest.json").unlink()
    app[REQUEST_LOG].clear()
    again = await run(make_client(url), top20, tmp_path)
    assert {name: parts.checksum for name, parts in again.tables.items()} == {
        name: parts.checksum for name, parts in manifest.tables.items()
    }
    assert len(asked(app)) == 3
    assert "not readable" in caplog.text
    assert "2001-01-01" in caplog.text
    assert "readme.txt" in caplog.text


async def test_a_backfill_stores_no_stars(stand_in, make_client, tmp_path, yesterday):
    """Commits and outcomes of an older day, and no table that would lie."""
    _, url = await stand_in()
    request = TopRepositoriesRequest(top=5, query="stars:>1", day=yesterday - timedelta(days=3))
    manifest = await run(make_client(url), request, tmp_path)
    assert set(manifest.tables) == {"repositories_authors_commits", "repositories_outcomes"}
    assert manifest.facts["is_current"] is False


async def test_a_long_limit_keeps_what_is_finished(stand_in, make_client, tmp_path, top20):
    """The hour is spent in the middle: finished repositories stay, the next try asks for the rest only."""
    skew = {"ahead": timedelta()}
    clock = lambda: now() + skew["ahead"]  # noqa: E731
    app, url = await stand_in(clock=clock, anonymous=Quota(core_per_hour=6, search_per_minute=30))
    with pytest.raises(RateLimitedUntil) as limit:
        await run(make_client(url, clock=clock), top20, tmp_path)
    first = asked(app)
    assert len(app[REQUEST_LOG].requests) == 7  # the search has its own limit
    finished = [json.loads(path.read_text())["repo"] for path in (tmp_path / "fetched").iterdir()]
    assert finished
    while True:
        skew["ahead"] = limit.value.until - now() + timedelta(seconds=1)
        try:
            await run(make_client(url, clock=clock), top20, tmp_path)
            break
        except RateLimitedUntil as again:
            limit = pytest.ExceptionInfo.from_exception(again)
    assert {request.status for request in app[REQUEST_LOG].requests} <= {200, 301, 404, 409, 451}
    for repo in finished:
        assert asked(app)[f"/repos/{repo}/commits"] == first[f"/repos/{repo}/commits"]


async def test_mostly_gone_fails_and_is_not_believed_later(stand_in, make_client, tmp_path, top20):
    """A token that sees nothing must not become a day without commits, nor stay in the records."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/commits", times=None, status=404, body=b'{"message": "Not Found"}'))
    with pytest.raises(MostlyGone, match="token"):
        await run(make_client(url), top20, tmp_path)
    app[FAULTS].clear()
    manifest = await run(make_client(url), top20, tmp_path)
    assert manifest.facts["outcomes"]["ok"] > 10
    assert "gone" not in manifest.facts["outcomes"]


async def test_a_token_that_sees_nothing_is_found_out_early(stand_in, make_client, tmp_path, yesterday):
    """By the first hundred, of however many."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/commits", times=None, status=404, body=b'{"message": "Not Found"}'))
    request = TopRepositoriesRequest(top=300, query="stars:>1", day=yesterday)
    with pytest.raises(MostlyGone, match="51 of 100 repositories"):
        await run(make_client(url, concurrent=1), request, tmp_path)
    assert len(asked(app)) == 51


class Together(RestCommits):
    """Asks for seven repositories in a batch."""

    batch = 7

    async def fetch(self, ranked, day):
        """Yield all of them at once."""
        yield [record async for records in super().fetch(ranked, day) for record in records]


async def together(client, request, directory):
    """Rank and fetch in batches."""
    async with client:
        ranking = await rank(client, RestSearch(client), request, directory, now())
        return await fetch(client, Together(client), ranking, request, directory, **RUN)


async def test_batches_give_the_same_rows_in_the_same_order(stand_in, make_client, tmp_path, yesterday):
    """One file each; what another source finished, one by one, is taken over."""
    _, url = await stand_in()
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=yesterday)
    single = await run(make_client(url), request, tmp_path / "single")
    files = len(list((tmp_path / "single" / "fetched").iterdir()))
    batched = await together(make_client(url), request, tmp_path / "batched")
    assert len(list((tmp_path / "batched" / "fetched").iterdir())) == -(-files // 7)
    for each in list((tmp_path / "single" / "fetched").iterdir())[::3]:
        each.unlink()
    (tmp_path / "single" / "manifest.json").unlink()
    mixed = await together(make_client(url), request, tmp_path / "single")
    for table in ("repositories_authors_commits", "repositories_positions"):
        expected = rows(tmp_path / "single", single, table)
        assert rows(tmp_path / "batched", batched, table) == expected
        assert rows(tmp_path / "single", mixed, table) == expected


async def test_of_mostly_gone_batches_the_rest_is_kept(stand_in, make_client, tmp_path, top20):
    """Only those that were not found are asked for again."""
    app, url = await stand_in()
    fault = Fault("/repos/.*/commits", times=None, after=4, status=404, body=b'{"message": "Not Found"}')
    app[FAULTS].add(fault)
    with pytest.raises(MostlyGone):
        await together(make_client(url, concurrent=1), top20, tmp_path)
    kept = [json.loads(line) for path in (tmp_path / "fetched").iterdir() for line in path.open()]
    assert len(kept) == 4
    assert "gone" not in {record["outcome"] for record in kept}
    app[FAULTS].clear()
    app[REQUEST_LOG].clear()
    manifest = await together(make_client(url), top20, tmp_path)
    assert "gone" not in manifest.facts["outcomes"]
    assert not {f"/repos/{record['repo']}/commits" for record in kept} & set(asked(app))


async def test_a_passing_404_is_no_loss(stand_in, make_client, tmp_path, top20):
    """A replica that lags answers 404 once; the second look finds the repository."""
    app, url = await stand_in()
    app[FAULTS].add(Fault("/commits", times=1, status=404, body=b'{"message": "Not Found"}'))
    manifest = await run(make_client(url), top20, tmp_path)
    assert "gone" not in manifest.facts["outcomes"]


async def test_a_lost_lease_ends_the_fetch(stand_in, make_client, tmp_path, top20):
    """What check_lease raises comes out at once; finished records stay."""
    app, url = await stand_in(latency_s=0.05)
    ticks = 0

    def check():
        nonlocal ticks
        ticks += 1
        if ticks == 4:
            raise PermissionError("lease lost")

    with pytest.raises(PermissionError, match="lease lost"):
        await run(make_client(url, concurrent=1), top20, tmp_path, check_lease=check, tick_s=0.1)
    await asyncio.sleep(0.2)
    sent = len(app[REQUEST_LOG].requests)
    assert 2 <= sent < 15
    await asyncio.sleep(0.2)
    assert len(app[REQUEST_LOG].requests) == sent
    assert list((tmp_path / "fetched").iterdir())


async def test_progress_is_told(stand_in, make_client, tmp_path, top20, caplog):
    """A line every tick and one at the end: done of total, requests, rate, waits, time left."""
    caplog.set_level("INFO", "include.github.progress")
    _, url = await stand_in(latency_s=0.05)
    await run(make_client(url, rps=20), top20, tmp_path, tick_s=0.2)
    lines = [record.getMessage() for record in caplog.records if record.name == "include.github.progress"]
    assert len(lines) >= 4
    assert "s left" in lines[-2]
    assert lines[-1].startswith("20 of 20 repositories, ")
    assert "waited 0 s for rate limits, finished in" in lines[-1]


async def test_a_ranking_of_another_request_is_refused(stand_in, make_client, tmp_path, top20):
    """Nothing is asked when list and request differ."""
    app, url = await stand_in()
    async with make_client(url) as client:
        ranking = await rank(client, RestSearch(client), top20, tmp_path, now())
        other = top20.model_copy(update={"top": 5})
        with pytest.raises(WrongRanking):
            await fetch(client, RestCommits(client), ranking, other, tmp_path, **RUN)
    assert len(app[REQUEST_LOG].requests) == 1
