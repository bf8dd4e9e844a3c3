"""Each built-in type: in ClickHouse as the page says, to the last digit; NULL is NULL."""

import datetime as dt
import random
from uuid import UUID

import pytest

END64, END32 = 2**63, 2**31
UTC = dt.UTC
# By column: its type, then values of the source with what readers find, one for each column of ours.
TYPES = {
    "i2": ("smallint", {"-32768": (-32768,), "32767": (32767,)}),
    "i4": ("integer", {"-2147483648": (-END32,), "0": (0,)}),
    "i8": ("bigint", {"-9223372036854775808": (-END64,), "9223372036854775807": (END64 - 1,)}),
    "flag": ("boolean", {"true": (1,), "false": (0,)}),
    "price": ("numeric(10,2)", {"12.5": (1250,), "-99999999.99": (-9999999999,), "0.01": (1,)}),
    "exact": ("numeric(18,18)", {"0.123456789012345678": (123456789012345678,)}),
    "hundreds": ("numeric(5,-2)", {"12345": (12300,), "-100": (-100,)}),
    "small": ("numeric(3,5)", {"0.00123": (123,)}),
    "wide": ("numeric(19,2)", {"12.5": ("12.50",), "NaN": ("NaN",)}),
    "any_number": ("numeric", {"1e40": ("1" + "0" * 40,), "1.00": ("1.00",), "NaN": ("NaN",)}),
    "f4": ("real", {"0.1": (0.10000000149011612,), "Infinity": (float("inf"),)}),
    "f8": ("double precision", {"0.1": (0.1,), "5e-324": (5e-324,), "-Infinity": (float("-inf"),)}),
    "uid": (
        "uuid",
        {"FFFFFFFF-FFFF-4FFF-8FFF-000000000001": (UUID("ffffffff-ffff-4fff-8fff-000000000001"),)},
    ),
    "at": (
        "timestamptz",
        {
            "2026-08-20 05:06:07.123456+03": ("2026-08-20 02:06:07", 1787191567123456),
            "1969-12-31 23:59:59.999999+00": (None, -1),
            "2105-12-31 23:59:59.999999+00": ("2105-12-31 23:59:59", 4291747199999999),
            "2106-01-01 00:00:00+00": (None, 4291747200000000),
            "0044-03-15 12:00:00.000001 BC": (None, -63517780799999999),
            "9999-12-31 23:59:59.999999+00": (None, 253402300799999999),
            "infinity": (None, END64 - 1),
            "-infinity": (None, -END64),
        },
    ),
    "naive": ("timestamp", {"2026-08-20 05:06:07.5": ("2026-08-20 05:06:07", 1787202367500000)}),
    "day": (
        "date",
        {
            "2026-08-20": (dt.date(2026, 8, 20), 20685),
            "1960-02-29": (None, -3594),
            "5874897-12-31": (None, 2145042905),
            "infinity": (None, END32 - 1),
            "-infinity": (None, -END32),
        },
    ),
    "word": (
        "text",
        {"": ("",), "\\N": ("\\N",), "tab\there\nline \\": ("tab\there\nline \\",), "NULL": ("NULL",)},
    ),
    "padded": ("char(5)", {"a": ("a    ",)}),
    "short": ("varchar(9)", {"фыва \U0001f9f5": ("фыва \U0001f9f5",)}),
    "bytes": ("bytea", {"\\x00ff0a": ("00ff0a",), "": ("",)}),
    "doc": ("jsonb", {'{"a": [1, null]}': ('{"a": [1, null]}',), "null": ("null",)}),
    "raw": ("json", {'{"b" :  1}': ('{"b" :  1}',)}),
    "span": ("interval", {"1 year 2 mons 3 days 04:05:06.7": ("1 year 2 mons 3 days 04:05:06.7",)}),
    "clock": ("time", {"23:59:59.999999": ("23:59:59.999999",)}),
    "zoned": ("timetz", {"23:59:59+03": ("23:59:59+03",)}),
    "net": ("inet", {"10.0.0.1/8": ("10.0.0.1/8",)}),
    "money_": ("money", {"-12.5": ("-$12.50",)}),
    "words": ("text[]", {'{"a,b",NULL,""}': ('["a,b",null,""]',), "{}": ("[]",)}),
    "numbers": ("int[][]", {"{{1,2},{3,4}}": ("[[1,2],[3,4]]",)}),
    "range_": ("tstzrange", {"[2026-08-20 03:00+03,)": ('["2026-08-20 00:00:00+00",)',)}),
    "several": ("int4multirange", {"{[1,3),[5,9)}": ("{[1,3),[5,9)}",)}),
    "point_": ("point", {"(1,0.1)": ("(1,0.1)",)}),
    "bits": ("bit varying", {"0101": ("0101",)}),
    "found": ("tsvector", {"'a':1 'b':2": ("'a':1 'b':2",)}),
    "mood": ("mood", {"so so": ("so so",)}),
    "whole": ("positive", {"7": (7,)}),
    "cents": ("cents", {"7.1": (710,)}),
    "pair": ("pair", {'(1,"a b")': ('(1,"a b")',)}),
    "lsn": ("pg_lsn", {"16/B374D848": ("16/B374D848",)}),
    "number": ("oid", {"4294967295": ("4294967295",)}),
}
OURS = {"timestamptz": ("{}", "{}_us"), "timestamp": ("{}", "{}_us"), "date": ("{}", "{}_days")}


def ours(name: str) -> tuple[str, ...]:
    """Return the names of our columns."""
    return tuple(each.format(name) for each in OURS.get(TYPES[name][0], ("{}",)))


@pytest.fixture
def typed(place):
    """A table with a column of each type; other settings than ours are the database's."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    place.sql(
        "CREATE TYPE mood AS ENUM ('so so'); CREATE DOMAIN positive AS int CHECK (value > 0);"
        "CREATE DOMAIN cents AS numeric(8,2); CREATE TYPE pair AS (a int, b text);"
        f"CREATE TABLE typed (id int PRIMARY KEY, {columns})"
    )
    ((database,),) = place.sql("SELECT current_database()")
    for setting in (
        "timezone = 'Pacific/Auckland'",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = 0",
    ):
        place.sql(f"ALTER DATABASE {database} SET {setting}")
    place.source = place.source_of("typed")
    return place


def test_each_type_is_kept_as_the_page_says(typed):
    """Each value, and NULL beside it."""
    for number, (name, value) in enumerate((n, v) for n in TYPES for v in TYPES[n][1]):
        with typed.connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO typed (id, {name}) VALUES (%s, %s)", [number, value])
    typed.run(full_check=True)
    for number, (name, expected) in enumerate((n, e) for n in TYPES for e in TYPES[n][1].values()):
        readable = len(ours(name)) == 2 and TYPES[name][0] != "date"
        columns = [f"toString({each})" if readable and each == name else each for each in ours(name)]
        others = [each for other in TYPES if other != name for each in ours(other)]
        nulls = " + ".join(f"isNull({each})" for each in others)
        query = f"SELECT {', '.join(columns)}, {nulls} FROM shop_typed WHERE id = {number}"
        ((*found, count),) = typed.clickhouse.execute(query)
        assert tuple(found) == expected, (name, number)
        assert count == len(others)


def test_rows_of_all_types_at_random(typed):
    """All values are compared by both servers, with NULL among them, before and after changes."""
    chance = random.Random(4)  # noqa: S311
    slots = ", ".join(["%s"] * (len(TYPES) + 1))
    for first in (0, 50):
        for number in range(first, first + 100):
            row = [chance.choice([None, *values]) for _, values in TYPES.values()]
            with typed.connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM typed WHERE id IN ({number}, {first + 7})")
                cursor.execute(f"INSERT INTO typed VALUES ({slots})", [number, *row])
        typed.run(full_check=True)


KEYS = {
    "int2": "(-5)::int2", "text": "'a\tb'", "uuid": "'00000000-0000-0000-0000-00000000000a'::uuid",
    "timestamptz": "'2026-08-20 01:02:03.4+00'::timestamptz", "date": "'infinity'::date", "bool": "true",
    "numeric(10,2)": "1.5", "numeric": "1.50", "bytea": "'\\x00'::bytea", "inet": "'10.0.0.1'::inet",
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_each_type_may_be_the_key(place, kind):
    """Rows of it are found again, changed and removed."""
    place.sql(
        f"CREATE TABLE typed (id {kind} PRIMARY KEY, n int); INSERT INTO typed VALUES ({KEYS[kind]}, 1)"
    )
    place.source = place.source_of("typed")
    place.run(full_check=True)
    place.sql("UPDATE typed SET n = 2")
    assert place.run(full_check=True) == {"typed": 1}
    assert place.clickhouse.execute("SELECT n FROM shop_typed") == [(2,)]
    place.sql("DELETE FROM typed")
    place.run(full_check=True, accept_shrink=["typed"])
    assert place.clickhouse.execute("SELECT count() FROM shop_typed") == [(0,)]
