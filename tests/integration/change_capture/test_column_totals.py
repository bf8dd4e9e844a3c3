"""Where all values are compared, columns are too: values that are not NULL, and sums of whole numbers."""

import re

import pytest

from include.change_capture.comparison import compare, require_same
from include.change_capture.errors import Differs
from include.change_capture.synchronization import facts_of_run


def test_a_column_that_differs_is_named_with_both_values(place):
    """A sum of numbers, a count of values; columns that are the same are not named."""
    place.run(full_check=True)
    of = "FROM shop_parents_versions WHERE id ="
    place.clickhouse.execute(
        f"INSERT INTO shop_parents_versions SELECT id, name, at, at_us, price + 1, _version + 1, 0 {of} 7"
    )
    place.clickhouse.execute(
        f"INSERT INTO shop_parents_versions SELECT id, NULL, at, at_us, price, _version + 1, 0 {of} 9"
    )
    with pytest.raises(Differs) as caught:
        place.run(full_check=True)
    said = str(caught.value)
    total = 101 * sum(range(1, 201))
    assert (
        "column name has 200 values that are not NULL in the source and 199 values that are not NULL here"
        in said
    )
    assert (
        f"column price has 200 values that are not NULL, their sum {total} in the source and "
        f"200 values that are not NULL, their sum {total + 1} here" in said
    )
    assert re.findall(r"column (\w+)", said) == ["name", "price"]
    assert "reread naming parents" in said


def test_a_column_that_differs_where_no_bucket_does(place):
    """Is a difference too."""
    directory, manifest = place.stage(full_check=True)
    place.publish(directory, manifest)
    (parents, *others) = compare(place.clickhouse, directory, manifest)
    assert parents.is_same
    facts = manifest.facts["capture"]["tables"][0]
    facts["columns"]["price"]["sum"] += 1
    (parents, *others) = compare(place.clickhouse, directory, manifest)
    assert (parents.unlike, [each.column for each in parents.columns]) == (0, ["price"])
    assert all(each.is_same for each in others)
    with pytest.raises(Differs, match="table parents, 0 buckets: column price"):
        require_same(place.clickhouse, [parents, *others])


def test_sums_are_exact(place):
    """Beyond 64 bits, of negative numbers, of infinite days, of columns without any value."""
    place.sql("""
        CREATE TABLE ends (id bigint PRIMARY KEY, low bigint, high bigint, mixed bigint, none bigint,
            i4 int, i2 smallint, flag boolean, at timestamptz, day date, cents numeric(18,2));
        INSERT INTO ends
        SELECT n, -9223372036854775808, 9223372036854775807, n * (CASE n % 2 WHEN 0 THEN -1 ELSE 1 END),
            NULL, -2147483648, -32768, n % 3 = 0, '-infinity', 'infinity', -9999999999999999.99
        FROM generate_series(-500, 500) AS n;
    """)
    place.source = place.source_of("ends")
    directory, manifest = place.stage(full_check=True)
    place.publish(directory, manifest)
    (found,) = compare(place.clickhouse, directory, manifest)
    assert found.is_same
    (facts,) = facts_of_run(manifest).tables
    assert {name: each.sum for name, each in facts.columns.items()} == {
        "id": 0, "low": -(2**63) * 1001, "high": (2**63 - 1) * 1001, "mixed": 0, "none": 0,
        "i4": -(2**31) * 1001, "i2": -(2**15) * 1001, "flag": 333, "at": None, "at_us": -(2**63) * 1001,
        "day": None, "day_days": (2**31 - 1) * 1001, "cents": -(10**18 - 1) * 1001,
    }  # fmt: skip
    assert facts.columns["none"].values == 0
    assert facts.columns["at"].values == 0
    assert facts.columns["flag"].values == 1001


def test_a_run_without_the_values(place):
    """Counts no columns: they would have to be read."""
    place.run()
    _, manifest = place.stage()
    assert all(not each.columns for each in facts_of_run(manifest).tables)


def test_a_table_of_many_columns(place):
    """More than a function of the source takes arguments: all are hashed, some hundreds are summed."""
    columns = ", ".join(f"c{number} int" for number in range(450))
    numbers = ", ".join(str(number) for number in range(450))
    place.sql(f"CREATE TABLE wide (id int PRIMARY KEY, {columns}); INSERT INTO wide VALUES (1, {numbers})")
    place.source = place.source_of("wide")
    place.run(full_check=True)
    place.sql("UPDATE wide SET c449 = NULL, c100 = 5")
    place.run(full_check=True)
    assert place.clickhouse.execute("SELECT c449, c100, c448 FROM shop_wide") == [(None, 5, 448)]
