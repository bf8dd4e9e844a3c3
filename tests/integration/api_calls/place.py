"""What the tasks stage and call do, in this process or, as `python -m ... JSON`, in one that a test kills."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from yarl import URL

from include.api_calls.attempt import Api, RunId, call_file
from include.api_calls.marks import Marks
from include.api_calls.request import CallsRequest
from include.api_calls.rules import CallRules
from include.api_calls.staging import StagedFile, stage_file
from include.api_calls.table import API_CALLS
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.load import load_part
from include.clickhouse.publish import publish_day
from include.clickhouse.schema import migrate
from include.http.bounds import Bounds
from include.http.cooldown_store import CooldownStore
from include.http.pacing import GUARD, Pace, Pacer
from include.http.tokens import Token
from include.http.transport import Transport
from include.postgres.pace import SharedPacer
from include.staging.manifest import Manifest
from include.staging.ndjson_parts import read_batches
from tests.clock import DAY, now

POSTS = """
method = "POST"
path = "/posts"
[columns]
title = {}
[body]
title = "{title}"
[keep]
id = "id"
"""
ENDS_WITHIN_S = 300  # on a machine that is busy with other things
FAST = Bounds(max_sleep_s=2, retry_first_s=0.01, retry_most_s=0.05, retry_jitter_s=0.01)


class Place:
    """Directories, a database and an API. Attributes: directory; staging, of the run; progress."""

    def __init__(self, directory: Path, postgres: dict[str, Any], url: str) -> None:
        self.directory, self.postgres, self.url = directory, postgres, url
        self.staging, self.progress = directory / "staging", directory / "progress.json"
        self._connect = partial(psycopg.AsyncConnection.connect, **postgres, autocommit=True)
        (directory / "inbox").mkdir(exist_ok=True)
        (directory / "recipes").mkdir(exist_ok=True)

    def deliver(self, rows: int | str, recipe: str = POSTS) -> None:
        """Put a file of so many rows, or with this text, and a recipe where they belong."""
        text = rows if isinstance(rows, str) else "title\n" + "".join(f"t{at}\n" for at in range(1, rows + 1))
        (self.directory / "inbox" / "file.csv").write_text(text)
        (self.directory / "recipes" / "posts.toml").write_text(recipe)

    def marks(self, run_id: str = "run") -> Marks:
        """Return the marks of a run."""
        return Marks(self._connect, run_id, "posts")

    def stage(self, run_id: str = "run", **request: Any) -> StagedFile:
        """Stage the file."""
        wanted = CallsRequest(path="file.csv", recipe="posts", **request)
        return stage_file(
            self.directory / "inbox",
            self.directory / "recipes",
            wanted,
            self.staging / run_id,
            dag_id="d",
            run_id=run_id,
            day=DAY,
            host="h",
            now=now,
            tell_rejected=lambda _: "rejected",
        )

    async def call(
        self,
        run_id: str = "run",
        *,
        rate: float = 500,
        processes: int = 1,
        workers: int = 5,
        bounds: Bounds = FAST,
        url: str = "",
        last_try: bool = False,
        ends_at: datetime | None = None,
        check_lease: Any = lambda: None,
        **request: Any,
    ) -> Manifest:
        """Call what is left of the file; return the manifest. Args: processes, that share the rate."""
        staged = await asyncio.to_thread(partial(self.stage, run_id, **request))
        base_url = url or self.url
        token = Token("")
        transport = Transport(
            URL(base_url),
            CallRules("http_api_default", not_done=staged.recipe.not_done),
            {token: token.account("http_api", base_url)},
            cooldowns=CooldownStore(self.directory / "limits"),
            now=now,
            bounds=bounds,
            reserve=0.0,
            pace=self._pace(rate, processes),
            max_concurrent_requests=workers,
            timeout_s=5,
        )
        with EmbeddedClient("test", self.directory / "chdb", "stagehouse", wait_s=5) as clickhouse:
            migrate(clickhouse)
            async with asyncio.timeout(ENDS_WITHIN_S), self.marks(run_id) as marks:
                return await call_file(
                    staged,
                    CallsRequest(path="file.csv", recipe="posts", **request),
                    self.staging / run_id,
                    RunId("d", run_id, DAY, "h"),
                    Api(transport, base_url, "connection", workers, check_lease),
                    clickhouse,
                    marks=None if staged.recipe.is_repeatable else marks,
                    progress=self.progress,
                    now=now,
                    last_try=last_try,
                    ends_at=ends_at,
                    tick_s=0.05,
                )

    def _pace(self, rate: float, processes: int) -> Callable[[], Pace]:
        if processes == 1:
            return partial(Pacer, rate)
        return partial(SharedPacer, self._connect, self.url, GUARD / rate, processes)

    async def publish(self, manifest: Manifest) -> None:
        """Bring the outcomes of a run into the sight of others."""
        run_id, name = manifest.run_id, API_CALLS.name
        files = [part.file for part in manifest.tables[name].parts]
        with EmbeddedClient("test", self.directory / "chdb", "stagehouse", wait_s=5) as clickhouse:
            loaded = [
                load_part(clickhouse, self.staging / run_id, manifest, table=name, file=file, attempt=run_id)
                for file in files
            ]
            publish_day(clickhouse, manifest, loaded, attempt=run_id, now=now)
        async with self.marks(run_id) as marks:
            await marks.published()

    def rows(self, manifest: Manifest) -> list[dict[str, Any]]:
        """Return the rows that are staged for the table."""
        directory, rows = self.staging / manifest.run_id, []
        for part in manifest.tables[API_CALLS.name].parts:
            for batch in read_batches(directory / part.file, API_CALLS, part, 1000):
                rows += [dict(zip(API_CALLS.columns, row, strict=True)) for row in batch]
        return rows

    def outcomes(self, manifest: Manifest) -> list[str]:
        """Return the outcomes of the rows, in the order of the file."""
        return [row["outcome"] for row in self.rows(manifest)]

    def command(self, **options: Any) -> Sequence[str]:
        """Return a command that calls what is left."""
        facts = {"directory": str(self.directory), "postgres": self.postgres, "url": self.url}
        return [sys.executable, "-m", __name__, json.dumps({**facts, "options": options})]


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    place = Place(Path(told["directory"]), told["postgres"], told["url"])
    asyncio.run(place.call(**told["options"]))
