"""A committer's clock that is ahead: what is pushed before midnight may be dated after it."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from include.github.api.models import Repository
from include.github.apis import commits_by, search_by
from include.github.commits.checkpoint import is_unpushed
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github_stand_in.sample import Sample
from tests.clock import DAY, now
from tests.servers.github_schema import SCHEMA_IF_THERE, needs_schema

MIDNIGHT = datetime.combine(DAY, time(), UTC)
AHEAD = MIDNIGHT + timedelta(minutes=10)


class ClockAhead(Sample):
    """The best repository was pushed to ten minutes before midnight, with a commit dated ten after it."""

    def pushed_at(self, repository, as_of):
        """Return when."""
        if repository == self.repositories[0]:
            return MIDNIGHT - timedelta(minutes=10)
        return super().pushed_at(repository, as_of)

    def commits(self, repository, since, until, page):
        """Return that commit where it is asked for."""
        if repository != self.repositories[0]:
            return super().commits(repository, since, until, page)
        (newest,), _ = super().commits(repository, None, MIDNIGHT, slice(0, 1))
        commit = replace(newest, committer=replace(newest.committer, at=AHEAD))
        found = [commit] if (since is None or since <= AHEAD) and until >= AHEAD else []
        return found[page], len(found)


@pytest.mark.parametrize("api", ["rest", pytest.param("graphql", marks=needs_schema)])
async def test_a_commit_dated_after_its_push_counts_on_its_day(stand_in, make_client, tmp_path, api):
    """Not on the day of the push, but on the next one, which no later push is needed for."""
    _, url = await stand_in(ClockAhead(), graphql_schema=SCHEMA_IF_THERE)
    commits = []
    for day in (DAY - timedelta(days=1), DAY):
        request = TopRepositoriesRequest(top=1, query="stars:>1", day=day)
        async with make_client(url, tokens=("token-of-the-test",)) as client:
            ranking = await rank(client, search_by(api, client), request, tmp_path / f"{day}", now())
            source = commits_by(api, client)
            run = {"dag_id": "d", "run_id": "r", "now": now}
            manifest = await fetch(client, source, ranking, request, tmp_path / f"{day}", **run)
        assert manifest.facts["outcomes"] == {"ok": 1}
        commits.append(manifest.facts["commits"])
    assert commits == [0, 1]


def test_the_margin_is_an_hour():
    """A push that was earlier costs no request; where the push is not known, it is asked."""
    pushed = lambda moment: Repository.model_construct(pushed_at=moment)  # noqa: E731
    assert not is_unpushed(pushed(MIDNIGHT - timedelta(hours=1)), DAY)
    assert is_unpushed(pushed(MIDNIGHT - timedelta(hours=1, seconds=1)), DAY)
    assert not is_unpushed(pushed(MIDNIGHT), DAY)
    assert not is_unpushed(pushed(None), DAY)
