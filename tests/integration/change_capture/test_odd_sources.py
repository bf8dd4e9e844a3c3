"""Sources unlike most: keys far apart, odd names, other encodings, many changes, tables that are held."""

from functools import partial

import psycopg2
import pytest

from include.change_capture import deletes, reading
from include.change_capture.errors import SourceFailed, SourceRefused
from include.change_capture.session import Limits, Source
from tests.integration.change_capture.place import Place


def test_keys_that_are_far_apart(place):
    """Buckets stay few: they are as wide as the keys need."""
    place.sql("CREATE TABLE far (id bigint PRIMARY KEY, n int)")
    numbers = (
        "(9223372036854775807 - n::numeric * 18446744073709551)::bigint, n FROM generate_series(0, 999) n"
    )
    place.sql(f"INSERT INTO far SELECT {numbers}")
    place.sql("INSERT INTO far VALUES (-9223372036854775808, 0)")
    place.source = place.source_of("far")
    place.run(full_check=True)
    place.sql(
        "DELETE FROM far WHERE id % 7 = 0 OR id IN (SELECT min(id) FROM far UNION SELECT max(id) FROM far)"
    )
    place.run(full_check=True)
    place.require_same()
    directory, manifest = place.stage()
    assert len((directory / manifest.facts["capture"]["buckets_file"]).read_text()) < 400_000


def test_odd_names(place):
    """Words of SQL, and letters of either case."""
    place.sql('CREATE TABLE "Select" ("order" int PRIMARY KEY, "From" text, "group" timestamptz)')
    place.sql("INSERT INTO \"Select\" VALUES (1, 'a', now())")
    place.source = place.source_of("Select")
    place.run(full_check=True)
    place.sql('UPDATE "Select" SET "From" = NULL; INSERT INTO "Select" VALUES (2)')
    assert place.run(full_check=True) == {"Select": 2}
    found = place.clickhouse.execute("SELECT `order`, `From` FROM shop_Select ORDER BY `order`")
    assert found == [(1, None), (2, None)]


def test_many_changes(place, monkeypatch):
    """With too many a table is read whole: their keys would fill memory. Keys are compared some at a time."""
    place.run()
    monkeypatch.setattr(deletes, "KEYS_AT_ONCE", 10)
    place.sql("DELETE FROM words WHERE word LIKE 'word%3'; DELETE FROM pairs WHERE left_id % 9 = 0")
    place.run(full_check=True)
    place.require_same()
    monkeypatch.setattr(reading, "MOST_CHANGES", 10)
    place.sql("UPDATE parents SET name = 'x' WHERE id < 50; DELETE FROM parents WHERE id > 190")
    assert place.why_whole(full_check=True) == {"parents": "49 rows changed"}
    place.require_same()


@pytest.fixture
def encoded(postgres_server, clickhouse, tmp_path):
    """A function that makes a place in a database of an encoding."""
    made = []

    def make(encoding: str) -> Place:
        name = f"encoded_{encoding.lower()}"
        postgres_server.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        made.append(name)
        connect = partial(psycopg2.connect, **(postgres_server.parameters | {"dbname": name}))
        return Place(connect, clickhouse, tmp_path, ("words",))

    yield make
    for name in made:
        postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_in_another_encoding(encoded):
    """Texts arrive as UTF-8, and are compared as such."""
    place = encoded("LATIN1")
    place.connection.set_client_encoding("UTF8")
    place.sql(
        "CREATE TABLE words (word text PRIMARY KEY, n int); INSERT INTO words VALUES ('é', 1), ('ü', 2)"
    )
    place.run(full_check=True)
    place.sql("DELETE FROM words WHERE n = 1")
    place.run(full_check=True)
    assert place.clickhouse.execute("SELECT word FROM shop_words") == [("ü",)]


def test_a_database_without_an_encoding(encoded):
    """Nobody knows what its texts are."""
    place = encoded("SQL_ASCII")
    place.sql("CREATE TABLE words (word text PRIMARY KEY)")
    with pytest.raises(SourceRefused, match="SQL_ASCII"):
        place.run()


def test_a_table_that_somebody_holds(place):
    """The run waits for so long as its limits say, and tells of it; the next try is exact."""
    place.run()
    place.source = Source(
        place.source.connection, place.source.connect, place.source.tables, "shop", limits=Limits(lock_s=1)
    )
    other = place.another()
    with other.cursor() as cursor:
        cursor.execute("LOCK TABLE parents IN ACCESS EXCLUSIVE MODE; DELETE FROM parents WHERE id = 1")
        with pytest.raises(SourceFailed, match="lock timeout"):
            place.run()
    other.commit()
    other.close()
    place.run()
    place.require_same()
