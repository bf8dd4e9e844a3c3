"""What cannot be copied is red by name, before anything is published."""

from functools import partial

import psycopg2
import pytest

from include.change_capture.errors import (
    CaptureError,
    ColumnsGone,
    DestinationUnlike,
    SourceRefused,
    TableShrank,
    ValueRefused,
)
from include.change_capture.session import Source

REFUSED = {
    "a view": ("ALTER TABLE words RENAME TO w; CREATE VIEW words AS SELECT * FROM w", "words: it is a view"),
    "a materialized view": (
        "ALTER TABLE words RENAME TO w; CREATE MATERIALIZED VIEW words AS SELECT * FROM w",
        "words: it is a materialized view",
    ),
    "no table": ("DROP TABLE words", "words: there is no such table"),
    "no key": ("ALTER TABLE words DROP CONSTRAINT words_pkey", "words: it has no primary key"),
    "children": ("CREATE TABLE w () INHERITS (words)", "words: other tables inherit from it"),
    "a column of our name": ("ALTER TABLE words ADD COLUMN _deleted int", "two columns _deleted"),
    "a column of the name of one that is made": (
        "ALTER TABLE words ADD COLUMN day_days int",
        "two columns day_days",
    ),
    "an odd name": ('ALTER TABLE words ADD COLUMN "odd %% name" int', "'odd %% name' cannot be kept"),
    "a key of floats": (
        "DROP TABLE words; CREATE TABLE words (word float8 PRIMARY KEY)",
        "column word of its key is double precision",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_that_cannot_be_copied(place, what):
    """The others are not published either."""
    statement, reason = REFUSED[what]
    place.sql(statement)
    with pytest.raises(SourceRefused) as caught:
        place.run()
    assert f"table public.words: {reason}" in str(caught.value) or reason in str(caught.value)
    assert place.clickhouse.execute("SELECT count() FROM source_snapshots") == [(0,)]


@pytest.fixture
def reader(place, postgres_server, postgres_database):
    """A role without rights, and the place as it sees it."""
    place.sql("CREATE ROLE few_rights LOGIN PASSWORD 'few-rights-s3cret'")
    how = {"dbname": postgres_database, "user": "few_rights", "password": "few-rights-s3cret"}
    connect = partial(psycopg2.connect, **(postgres_server.parameters | how))
    place.source = Source(
        connection="shop_default", connect=connect, tables=place.source.tables, prefix="shop"
    )
    yield place
    place.sql("DROP OWNED BY few_rights; DROP ROLE few_rights")


def test_rights_that_are_missing(reader):
    """Each by the statement that gives it; with them all it runs."""
    with pytest.raises(SourceRefused, match=r'none of its columns.*run GRANT SELECT ON "public"."parents"'):
        reader.run()
    reader.sql("GRANT SELECT ON parents, pairs TO few_rights; GRANT SELECT (word) ON words TO few_rights")
    with pytest.raises(SourceRefused, match="words: role few_rights may read only columns word; xmin"):
        reader.run()
    reader.sql("GRANT SELECT ON words TO few_rights; REVOKE USAGE ON SCHEMA public FROM public")
    with pytest.raises(SourceRefused, match='run GRANT USAGE ON SCHEMA "public" TO "few_rights"'):
        reader.run()
    reader.sql("GRANT USAGE ON SCHEMA public TO few_rights")
    assert reader.run()["words"] == 50


def test_row_security(reader):
    """Hidden rows would be taken for rows that are gone."""
    reader.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO few_rights")
    reader.run()
    reader.sql("ALTER TABLE words ENABLE ROW LEVEL SECURITY")
    with pytest.raises(SourceRefused, match=r"row security hides rows.*BYPASSRLS"):
        reader.run()
    assert reader.clickhouse.execute("SELECT count() FROM shop_words") == [(50,)]


@pytest.mark.parametrize(
    ("value", "column"),
    [("INSERT INTO parents VALUES (900, 'a', '294270-01-01')", "at"),
     ("INSERT INTO parents VALUES (900, 'a', NULL, 'NaN')", "price")],
)  # fmt: skip
def test_a_value_that_has_no_place(place, value, column):
    """Named by table, column, key and value; nothing is published."""
    place.run()
    place.sql("UPDATE words SET day = NULL")
    place.sql(value)
    with pytest.raises(ValueRefused, match=f"public.parents, column {column}: the row with key '900' has"):
        place.run()
    assert place.clickhouse.execute("SELECT count() FROM shop_words WHERE day IS NULL") == [(0,)]


def test_a_column_that_is_gone(place):
    """Red until a run accepts it: then it is NULL, also in runs to come."""
    place.run()
    place.sql("ALTER TABLE parents DROP COLUMN at")
    with pytest.raises(ColumnsGone, match=r"no longer parents\.at; nothing"):
        place.run()
    place.run(accept_dropped=["parents.at"])
    place.sql("UPDATE parents SET name = 'x' WHERE id = 1")
    assert place.run()["parents"] == 1
    place.require_same()
    count = "SELECT count() FROM shop_parents WHERE at IS NULL AND at_us IS NULL"
    assert place.clickhouse.execute(count) == [(200,)]
    place.sql("ALTER TABLE parents ADD COLUMN at timestamptz DEFAULT '2026-08-20'")
    place.run()
    place.require_same()


def test_a_table_that_shrank(place):
    """To less than half: red until it is accepted, by name."""
    place.run()
    place.sql("TRUNCATE words; DELETE FROM parents WHERE id = 1")
    with pytest.raises(TableShrank, match=r"public\.words: it has 0 rows, and 50 are published"):
        place.run()
    with pytest.raises(TableShrank):
        place.run(accept_shrink=["parents"])
    assert place.run(accept_shrink=["words"]) == {"parents": 1, "pairs": 0, "words": 50}
    place.require_same()


@pytest.mark.parametrize(
    ("change", "reason"),
    [("ALTER TABLE parents ALTER COLUMN id TYPE int", "column id is Int64, and would be Int32"),
     ("ALTER TABLE parents DROP CONSTRAINT parents_pkey, ADD PRIMARY KEY (name)", "would be")],
)  # fmt: skip
def test_a_destination_that_cannot_follow(place, change, reason):
    """It says what to do by hand."""
    place.run()
    place.sql(change)
    with pytest.raises(DestinationUnlike, match=reason):
        place.run()


def test_each_error_is_of_one_family():
    """For those who catch them."""
    assert {ColumnsGone, TableShrank, SourceRefused} <= set(CaptureError.__subclasses__())
