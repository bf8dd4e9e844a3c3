"""Rank and fetch of the main job, as its tasks do it, against a stand-in."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.github.api.client import GitHubClient
from include.github.apis import commits_by, search_by
from include.github.fetch import fetch
from include.github.rank import rank
from include.github.request import Api, TopRepositoriesRequest
from include.http.cooldown_store import CooldownStore
from include.staging.manifest import Manifest

SCHEMA = Path(__file__).resolve().parents[2] / ".venv" / "github.graphql"  # of npm, if that is here
CONCURRENCY = 5
NAMED = {"dag_id": "bench", "run_id": "bench"}


async def rank_and_fetch(
    url: str, top: int, directory: Path, *, rate: float, api: Api = "rest", tokens: Sequence[str] = ()
) -> Manifest:
    """Stage yesterday."""
    request = TopRepositoriesRequest(top=top, query="stars:>1", day=yesterday())
    client = GitHubClient(
        url,
        tokens=tokens,
        requests_per_second=rate,
        max_concurrent_requests=CONCURRENCY,
        timeout_s=30,
        limits=CooldownStore(directory / "limits"),
        now=now,
    )
    async with client:
        ranking = await rank(client, search_by(api, client), request, directory, now())
        return await fetch(client, commits_by(api, client), ranking, request, directory, **NAMED, now=now)


def graphql_options() -> tuple[str, ...]:
    """Return the options of a stand-in that has GraphQL; none without GitHub's schema."""
    return ("--graphql-schema", str(SCHEMA)) if SCHEMA.exists() else ()


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def yesterday() -> date:
    """The day that is fetched."""
    return now().date() - timedelta(days=1)
