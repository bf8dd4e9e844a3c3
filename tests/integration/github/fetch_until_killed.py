"""A process of its own that ranks and fetches: `python -m ... URL DIRECTORY DAY [TOP]`. Tests kill it."""

import asyncio
import sys
from datetime import date
from pathlib import Path

from include.github.api.client import GitHubClient
from include.github.commits.rest import RestCommits
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import TopRepositoriesRequest
from include.github.search.rest import RestSearch
from include.http.cooldown_store import CooldownStore
from tests.clock import now


async def main(url: str, directory: Path, day: date, top: int = 60) -> None:
    """Do what the DAG's tasks rank and fetch do."""
    request = TopRepositoriesRequest(top=top, query="stars:>1", day=day)
    client = GitHubClient(
        url,
        tokens=(),
        requests_per_second=100,
        max_concurrent_requests=5,
        timeout_s=5,
        limits=CooldownStore(directory / "limits"),
        now=now,
    )
    async with client:
        ranking = await rank(client, RestSearch(client), request, directory, now())
        source = RestCommits(client)
        await fetch(client, source, ranking, request, directory, dag_id="d", run_id="r", now=now)


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3]), *map(int, sys.argv[4:]))
    )
