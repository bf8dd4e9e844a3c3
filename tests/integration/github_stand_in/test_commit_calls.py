"""GET /repos/{owner}/{repo}/commits over HTTP."""

import pytest
from yarl import URL

from include.github_stand_in.sample import BUSY_RANKS, MIDNIGHT_RANK, STANDINGS, Sample
from tests.integration.github_stand_in.link_header import links

REPOSITORIES = Sample().repositories
DAY = {"since": "2026-08-20T00:00:00Z", "until": "2026-08-20T23:59:59Z"}


def repository(rank):
    """Return the repository at a rank."""
    return REPOSITORIES[rank - 1]


def standing(wanted):
    """Return the repository that answers so."""
    return repository(next(rank for rank, it_has in STANDINGS.items() if it_has == wanted))


def commits(of, **query):
    """Return the address of a repository's commits."""
    return URL(f"/repos/{of.full_name}/commits").with_query(query)


async def test_both_ends_of_the_range_are_included(sample):
    """[00:00:00, 23:59:59] has the first and the last second of a day; until 24:00 is one commit too many."""
    midnight = repository(MIDNIGHT_RANK)
    body, _ = await sample.get(commits(midnight, **DAY, per_page=100))
    dates = [entry["commit"]["committer"]["date"] for entry in body]
    assert (dates[0], dates[-1]) == ("2026-08-20T23:59:59Z", "2026-08-20T00:00:00Z")
    assert dates == sorted(dates, reverse=True)
    next_midnight = DAY | {"until": "2026-08-21T00:00:00Z"}
    longer, _ = await sample.get(commits(midnight, **next_midnight, per_page=100))
    assert longer[0]["commit"]["committer"]["date"] == "2026-08-21T00:00:00Z"
    assert longer[1:] == body


async def test_following_next_gives_each_commit_once(sample):
    """Pages of the busiest repository, linked by id, are the whole day."""
    busiest = repository(max(BUSY_RANKS, key=BUSY_RANKS.get))
    url, shas, urls = commits(busiest, **DAY, per_page=100), [], []
    while url:
        body, headers = await sample.get(url)
        shas += [entry["sha"] for entry in body]
        url = links(headers).get("next")
        urls += [url] if url else []
    assert [f"/repositories/{busiest.id}/commits"] * 2 == [url.path for url in urls]
    assert [dict(url.query) for url in urls] == [
        DAY | {"per_page": "100", "page": number} for number in ("2", "3")
    ]
    assert len(shas) == len(set(shas)) > 200


async def test_names_match_in_any_case(sample):
    """Owner and name are found whatever their case."""
    first = repository(1)
    expected, _ = await sample.get(commits(first, **DAY))
    shouted = URL(f"/repos/{first.full_name.upper()}/commits").with_query(DAY)
    assert (await sample.get(shouted))[0] == expected


@pytest.mark.parametrize("until", [None, "2026-08-30T00:00:00Z"])
async def test_the_future_is_not_known(sample, until):
    """No commit is younger than the server's now, whatever is asked for."""
    query = {"since": "2026-08-20T12:00:00Z"} | ({"until": until} if until else {})
    body, _ = await sample.get(commits(repository(20), **query))
    assert "2026-08-20T23:00:00Z" < body[0]["commit"]["committer"]["date"] <= "2026-08-21T00:30:00Z"


async def test_range_without_commits_is_an_empty_list(sample):
    """Before the first commit, and where since is after until, there is nothing, and no Link."""
    for query in ({"until": "1999-01-01T00:00:00Z"}, {"since": DAY["until"], "until": DAY["since"]}):
        body, headers = await sample.get(commits(repository(1), **query))
        assert body == []
        assert "Link" not in headers


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00"])
async def test_time_that_is_none_is_refused(sample, since):
    """A malformed time is a validation error that names the parameter."""
    body, _ = await sample.get(commits(repository(1), since=since), status=422)
    assert body["errors"] == [{"resource": "Commit", "field": "since", "code": "invalid"}]


async def test_filter_that_is_not_served_is_refused(sample):
    """A filter is never ignored."""
    body, _ = await sample.get(commits(repository(1), author="anouk"), status=422)
    assert body["errors"][0]["field"] == "author"


async def test_empty_repository(sample):
    """409 for its commits; the repository itself is there."""
    body, _ = await sample.get(commits(standing("empty"), **DAY), status=409)
    assert body["message"] == "Git Repository is empty."
    found, _ = await sample.get(f"/repos/{standing('empty').full_name}")
    assert found["size"] == 0


async def test_gone_repository(sample):
    """It is in the search results, and nowhere else."""
    gone = standing("gone")
    for url in (commits(gone), f"/repos/{gone.full_name}", f"/repositories/{gone.id}/commits"):
        body, _ = await sample.get(url, status=404)
        assert body["message"] == "Not Found"


async def test_blocked_repository(sample):
    """451 with the reason of the block."""
    body, _ = await sample.get(commits(standing("blocked")), status=451)
    assert body["message"] == "Repository access blocked"
    assert set(body["block"]) == {"reason", "created_at", "html_url"}


async def test_moved_repository(sample):
    """The old name leads to the address by id with the same query; there, the commits have the new name."""
    moved = standing("moved")
    body, headers = await sample.get(commits(moved, **DAY), status=301)
    target = URL(headers["Location"])
    assert target.path == f"/repositories/{moved.id}/commits"
    assert dict(target.query) == DAY
    assert body["url"] == headers["Location"]
    followed, _ = await sample.get(target)
    assert followed
    assert all(moved.moved_to in entry["url"] for entry in followed)
    by_new_name, _ = await sample.get(URL(f"/repos/{moved.moved_to}/commits").with_query(DAY))
    assert by_new_name == followed


async def test_moved_repository_itself(sample):
    """The old name of the repository leads to its id, where it has its new name."""
    moved = standing("moved")
    _, headers = await sample.get(f"/repos/{moved.full_name}", status=301)
    body, _ = await sample.get(URL(headers["Location"]))
    assert (moved.id, moved.moved_to) == (body["id"], body["full_name"])


@pytest.mark.parametrize(
    "url",
    ["/repos/a", "/repos/no/body", "/repositories/1", "/repositories/x/commits", "/repos/a/b/c"],
)
async def test_everything_else_is_not_found(sample, url):
    """An unknown address is 404 in JSON."""
    body, _ = await sample.get(url, status=404)
    assert body["message"] == "Not Found"


async def test_nothing_can_be_changed(sample):
    """Other methods than GET find nothing."""
    async with sample.session.post(f"/repos/{repository(1).full_name}") as answer:
        assert answer.status == 404
