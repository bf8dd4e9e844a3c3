"""GET /search/repositories over HTTP."""

from dataclasses import replace

import pytest
from yarl import URL

from include.github_stand_in.recorded import Recorded
from include.github_stand_in.sample import Sample
from tests.integration.github_stand_in.link_header import links

REPOSITORIES = Sample().repositories


@pytest.fixture(scope="module")
def many():
    """A data set of 2,500 repositories."""
    model = REPOSITORIES[0]
    repositories = [
        replace(model, id=number, name=f"many-{number}", stars=5000 - number) for number in range(2500)
    ]
    return Recorded(repositories, dict.fromkeys(range(2500), model.created_at), {})


async def test_following_next_gives_each_repository_once(sample):
    """Pages linked by `next` are the whole list, in order, and then there is no `next`."""
    url, names = URL("/search/repositories?q=stars:%3E1&sort=stars&per_page=70"), []
    while url:
        body, headers = await sample.get(url)
        names += [item["full_name"] for item in body["items"]]
        url = links(headers).get("next")
    assert names == [repository.full_name for repository in REPOSITORIES]


async def test_link_keeps_the_query(sample):
    """The next page is asked for with the same words, order and size, at the same host."""
    url = URL("/search/repositories").with_query(q="stars:>1 language:c++", sort="stars", per_page="3")
    _, headers = await sample.get(url)
    following = links(headers)["next"]
    assert dict(following.query) == dict(url.query) | {"page": "2"}
    assert following.origin() == sample.session._base_url.origin()


@pytest.mark.parametrize(("per_page", "pages"), [(100, 10), (30, 34), (7, 143)])
async def test_link_never_leads_past_the_thousandth_result(serve, many, per_page, pages):
    """total_count tells all matches, but the last page is the one with the thousandth."""
    served = await serve(many)
    url = f"/search/repositories?q=stars:%3E1&per_page={per_page}"
    body, headers = await served.get(url)
    assert body["total_count"] == 2500
    assert links(headers)["last"].query["page"] == str(pages)
    body, headers = await served.get(f"{url}&page={pages}")
    assert len(body["items"]) == 1000 - (pages - 1) * per_page
    assert set(links(headers)) == {"prev", "first"}
    body, _ = await served.get(f"{url}&page={pages + 1}", status=422)
    assert body["message"] == "Only the first 1000 search results are available"
    assert "errors" not in body


async def test_page_past_the_end_is_empty(sample):
    """Within the cap, a page after the last is an empty list."""
    body, headers = await sample.get("/search/repositories?q=stars:%3E1&per_page=100&page=5")
    assert (body["total_count"], body["items"]) == (300, [])
    assert set(links(headers)) == {"prev", "first"}


async def test_pushes_follow_the_clock(sample):
    """The last push is never after the server's now, and moves on with it."""
    url = "/search/repositories?q=stars:%3E1&per_page=100"
    before, _ = await sample.get(url)
    sample.clock.pass_s(6 * 3600)
    after, _ = await sample.get(url)
    moved = [a["pushed_at"] != b["pushed_at"] for a, b in zip(before["items"], after["items"], strict=True)]
    assert 10 < sum(moved) < 70
    assert max(item["pushed_at"] for item in before["items"]) <= "2026-08-21T00:30:00Z"
