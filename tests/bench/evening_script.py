"""What a user would write in an evening for the rows of a file: `... FILE URL RATE`. The benchmark kills it.

It keeps a rate by a leaky bucket as the package aiolimiter does, asks for five rows at a time, writes each
row that is done into done.csv at once, leaves those out when it is started again, and tries three times.
"""

import asyncio
import csv
import sys
import time
from pathlib import Path

import aiohttp


class Limiter:
    """So many a second, with a burst of as many: aiolimiter's AsyncLimiter(rate, 1)."""

    def __init__(self, rate: float) -> None:
        self.rate, self.level, self.at = rate, 0.0, time.monotonic()

    async def __aenter__(self) -> None:
        while True:
            now = time.monotonic()
            self.level, self.at = max(0.0, self.level - (now - self.at) * self.rate), now
            if self.level + 1 <= self.rate:
                self.level += 1
                return
            await asyncio.sleep(1 / self.rate)

    async def __aexit__(self, *_: object) -> None:
        pass


async def main(path: Path, url: str, rate: float) -> None:
    """Send every row that is not in done.csv."""
    done_path = path.with_name("done.csv")
    done = set(done_path.read_text().splitlines()) if done_path.exists() else set()
    rows = [row for row in csv.DictReader(path.open()) if row["title"] not in done]
    limiter, at_once = Limiter(rate), asyncio.Semaphore(5)
    with done_path.open("a", buffering=1) as results:
        async with aiohttp.ClientSession() as session:

            async def send(row: dict[str, str]) -> None:
                async with at_once:
                    for _ in range(3):
                        try:
                            async with limiter, session.post(f"{url}/posts", json=row) as answer:
                                answer.raise_for_status()
                                await answer.json()
                        except aiohttp.ClientError as error:
                            print("failed", row["title"], error, file=sys.stderr)  # noqa: T201
                        else:
                            results.write(f"{row['title']}\n")
                            return

            await asyncio.gather(*map(send, rows))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
