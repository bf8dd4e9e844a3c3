"""All that a running stack shows and keeps, to be searched for its secrets in each form."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg2
from psycopg2 import sql

from include.text import secret_encodings
from tests.faults.canaries import command_lines, files_below

LOOKS_EVERY_S = 0.5
PUBLIC_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
ALL_RUNS = "/api/v2/dags/~/dagRuns/~/taskInstances"
PAGES = (
    "/api/v2/connections",
    "/api/v2/variables",
    "/api/v2/plugins",
    "/api/v2/eventLogs",
    "/api/v2/dags/~/dagRuns",
    ALL_RUNS,  # with their rendered fields
    f"{ALL_RUNS}/~/xcomEntries",
    "/stagehouse/db/version",
    "/stagehouse/phrase-views/",
    "/stagehouse/top-repositories/",
    "/stagehouse/api-calls/",
    "/stagehouse/inbox/",
)
CONFIG = "/api/v2/config"  # which Airflow shows nobody unless it is told to


def shown(secrets: Mapping[str, str], texts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return which secret is where, in any form."""
    forms = [(name, form.encode()) for name, secret in secrets.items() for form in secret_encodings(secret)]
    return sorted({(name, place) for place, text in texts.items() for name, form in forms if form in text})


def files(place: Path, *keepers: Path, but: Path | None = None) -> dict[str, bytes]:
    """Return all files of a place but those whose work is to keep a secret, which nobody else may read.

    but: a directory that is searched in another way.
    """
    for keeper in keepers:
        assert keeper.stat().st_mode & 0o077 == 0, keeper
    found = files_below(*(path for path in place.iterdir() if path.is_dir() and path != but))
    found |= {str(path): path.read_bytes() for path in place.iterdir() if path.is_file()}
    for keeper in keepers:
        found.pop(str(keeper))
    return found


def rows(**database: object) -> dict[str, bytes]:
    """Return each table of Airflow's database as text: XComs, rendered fields, runs' conf, logs of the UI."""
    with psycopg2.connect(**database) as connection, connection.cursor() as cursor:
        cursor.execute(PUBLIC_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        assert {"xcom", "rendered_task_instance_fields", "dag_run", "log"} <= set(tables)
        return {f"table {table}": _rows(cursor, table) for table in tables}


def pages(airflow: httpx.Client) -> dict[str, bytes]:
    """Return what the API and our pages say to an administrator."""
    answers = {path: airflow.get(path) for path in (*PAGES, CONFIG)}
    expected = {**dict.fromkeys(PAGES, httpx.codes.OK), CONFIG: httpx.codes.FORBIDDEN}
    amiss = {path: told.status_code for path, told in answers.items() if told.status_code != expected[path]}
    assert not amiss, f"not searched, as the answer is not what it should be: {amiss}"
    return {path: answer.content + str(answer.headers).encode() for path, answer in answers.items()}


@contextmanager
def watched_processes() -> Iterator[dict[str, bytes]]:
    """Collect the arguments of all processes that are there, again and again."""
    seen: dict[str, bytes] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LOOKS_EVERY_S):
            seen.update({f"{path} {line!r}": line for path, line in command_lines().items()})

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _rows(cursor: psycopg2.extensions.cursor, table: str) -> bytes:
    cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
    values = (value for row in cursor.fetchall() for value in row)
    return b"\n".join(bytes(v) if isinstance(v, memoryview) else str(v).encode() for v in values)
