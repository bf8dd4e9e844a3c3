"""A list longer than search shows, of a run whose staging is on an object store."""

import pytest
from aiohttp.test_utils import TestServer

from include.github.api.client import GitHubClient
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.github_stand_in.app import REQUEST_LOG, create_app
from include.http.cooldown_store import CooldownStore
from include.postgres.errors import LeaseLost
from stagehouse.hooks.storage_roots import staging_root
from tests.clock import DAY, now
from tests.integration.github.crowd import PLENTY, crowd, expected, ranked


async def test_a_long_list_is_gone_on_with(bucket, connect, set_variable, object_store, tmp_path):
    """After a try that ended in the middle; nothing is asked twice, and only the ranking stays."""
    connect()
    set_variable("staging_root", f"s3://{bucket}/staging")
    dataset = crowd(range(1, 1601))
    app = create_app(dataset, now=now, anonymous=PLENTY)
    request = TopRepositoriesRequest(top=1200, query="stars:>1", day=DAY)
    sent = app[REQUEST_LOG].requests

    def lost_once() -> None:
        if len(sent) == 5:
            raise LeaseLost("github")

    async with TestServer(app) as server:
        client = GitHubClient(
            str(server.make_url("/")),
            tokens=(),
            requests_per_second=500,
            max_concurrent_requests=5,
            timeout_s=10,
            limits=CooldownStore(tmp_path),
            now=now,
        )
        async with client:
            directory = staging_root() / "run"
            with pytest.raises(LeaseLost):
                await rank(client, RestSearch(client), request, directory, now(), lost_once)
            assert len(object_store.files(bucket, "staging/run/searched/")) == 5
            ranking = await rank(client, RestSearch(client), request, staging_root() / "run", now())
    assert ranked(ranking) == expected(dataset.repositories, 1200)
    assert len(sent) == len({each.path_qs for each in sent}) == ranking.requests
    assert set(object_store.files(bucket)) == {"staging/run/ranking.ndjson"}
