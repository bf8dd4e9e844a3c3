"""Insert invented rows from memory with aiochclient, in its environment; print the seconds of each request.

`python -m tests.bench.aiochclient_insert URL DATABASE USER PASSWORD TABLE COUNT`: a line on standard input
asks for one more round, and the seconds that it took are a line on standard output.
"""

import asyncio
import gc
import sys
import time

import aiohttp
from aiochclient import ChClient

from tests.bench.invented_rows import COLUMNS, rows

BATCH_ROWS = 100_000  # the fastest: 10,000 were slower, and a million at once are refused


async def main(url: str, database: str, user: str, password: str, table: str, count: int) -> None:
    """Answer each line with a round."""
    in_memory = list(rows(count))
    gc.freeze()  # as for the driver: the collector would look at a million tuples
    batches = [in_memory[at : at + BATCH_ROWS] for at in range(0, count, BATCH_ROWS)]
    insert = f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        client = ChClient(session, url=url, database=database, user=user, password=password)
        for _ in sys.stdin:
            started = time.perf_counter()
            for batch in batches:
                await client.execute(insert, *batch)
            sys.stdout.write(f"{time.perf_counter() - started}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6], int(sys.argv[6])))
