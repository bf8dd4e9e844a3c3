"""A table that each run replaces whole, on both engines, staged as text or as JSON."""

import threading
from datetime import timedelta

import pytest

from include.clickhouse.errors import DayMismatch
from include.clickhouse.publish import check_day
from include.staging.tables import StagedTable
from tests.integration.clickhouse.days import (
    DAY,
    OTHER_DAY,
    load,
    publish,
    run,
    stage,
    staging_tables,
)

on_a_server = pytest.mark.parametrize("connect", ["18.16 native"], indirect=True)
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture(params=["text", "ndjson"])
def products(request, clickhouse) -> StagedTable:
    """The table, there and empty."""
    clickhouse.execute("CREATE TABLE products (id Int64, name String) ENGINE = MergeTree ORDER BY id")
    return StagedTable(
        name="products",
        columns={"id": "Int64", "name": "String"},
        key=("id",),
        day_column=None,
        replaced_whole=True,
        form=request.param,
    )


def named(count: int, name: str = "a\tname") -> list[tuple]:
    """`count` products."""
    return [(number, name) for number in range(count)]


def seen(clickhouse) -> list[tuple]:
    """What readers see."""
    return clickhouse.execute("SELECT id, name FROM products ORDER BY id")


@pytest.mark.parametrize("rows_per_part", [5000, 700], ids=["one part", "several parts"])
def test_each_run_replaces_all_rows(clickhouse, products, tmp_path, rows_per_part):
    """Whatever its day: more rows, fewer, none, some again; no staging table stays."""
    days = (DAY, DAY, OTHER_DAY, NEXT_DAY)
    for number, (day, rows) in enumerate(zip(days, (named(2000), named(3, "b"), [], named(9)), strict=True)):
        run(clickhouse, tmp_path, f"run {number}", (products, rows), day=day, rows_per_part=rows_per_part)
        assert seen(clickhouse) == rows
    assert staging_tables(clickhouse) == []


def test_publish_may_be_repeated_after_its_end(clickhouse, products, tmp_path):
    """The second time it finds its own work; once another run has published, it says what to clear."""
    directory, manifest = stage(tmp_path, "run 1", (products, named(9)), rows_per_part=4)
    staged = load(clickhouse, directory, manifest)
    first = publish(clickhouse, manifest, staged, "1")
    assert publish(clickhouse, manifest, staged, "2") == first
    run(clickhouse, tmp_path, "run 2", (products, named(4)), day=NEXT_DAY)
    with pytest.raises(DayMismatch, match="clear task load"):
        publish(clickhouse, manifest, staged, "3")
    assert seen(clickhouse) == named(4)


@pytest.mark.parametrize(("older_name", "newer_name"), [("plain", "a\tb\\"), ("a\tb\\", "plain")])
def test_the_check_of_an_older_run_accepts_what_a_newer_run_published(
    clickhouse, products, tmp_path, older_name, newer_name
):
    """The table is what the newest row of `loads` says, of whatever day, whichever has texts with escapes."""
    older = run(clickhouse, tmp_path, "run 1", (products, named(9, older_name)), day=NEXT_DAY)
    run(clickhouse, tmp_path, "run 2", (products, named(4, newer_name)))
    assert check_day(clickhouse, tmp_path, older, "2") == {"products": 4}


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO products SELECT id, name FROM products",
        "INSERT INTO products SELECT toInt64(100), 'stranger'",
        "ALTER TABLE products DROP PARTITION tuple()",
    ],
    ids=["doubled", "one row more", "lost"],
)
def test_the_check_finds_a_table_that_is_not_what_was_published(clickhouse, products, tmp_path, damage):
    """The error names the table and the next step, which mends it."""
    directory, manifest = stage(tmp_path, "run 1", (products, named(9)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    clickhouse.execute(damage)
    with pytest.raises(DayMismatch, match=r"table products, .*clear task load"):
        check_day(clickhouse, directory, manifest, "2")
    publish(clickhouse, manifest, load(clickhouse, directory, manifest, "2"), "2")
    check_day(clickhouse, directory, manifest, "3")
    assert seen(clickhouse) == named(9)


def test_what_comes_back_with_a_restart_is_found(connect, clickhouse, products, tmp_path):
    """Engines up to 26.3 show replaced rows again when they are opened: check is red, a new load mends it."""
    run(clickhouse, tmp_path, "run 1", (products, named(20)))
    directory, manifest = stage(tmp_path, "run 2", (products, named(6)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    clickhouse.disconnect()
    with connect() as again:
        if seen(again) != named(6):
            with pytest.raises(DayMismatch, match="clear task load"):
                check_day(again, directory, manifest, "1")
            publish(again, manifest, load(again, directory, manifest, "2"), "2")
        assert check_day(again, directory, manifest, "2") == {"products": 6}


def test_a_doubled_key_stops_the_publication(clickhouse, products, tmp_path):
    """Also over two parts; readers keep the old rows."""
    run(clickhouse, tmp_path, "run 1", (products, named(3)))
    directory, manifest = stage(tmp_path, "run 2", (products, named(5) * 2), rows_per_part=5)
    with pytest.raises(DayMismatch, match="keys=5"):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    assert seen(clickhouse) == named(3)


def test_a_lost_lease_ends_the_publication_before_anything_is_seen(clickhouse, products, tmp_path):
    """It is asked for right before the change."""
    directory, manifest = stage(tmp_path, "run 1", (products, named(4)))

    def lost() -> None:
        raise TimeoutError("lease lost")

    with pytest.raises(TimeoutError):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), check_lease=lost)
    assert seen(clickhouse) == []


@on_a_server
def test_readers_see_all_old_rows_or_all_new_ones(connect, clickhouse, products, tmp_path):
    """Never a part of one, never both."""
    run(clickhouse, tmp_path, "run 0", (products, named(1000)))
    counts, done = set(), threading.Event()

    def read():
        with connect() as reader:
            while not done.is_set():
                counts.add(len(seen(reader)))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(4):
            rows = named(1000 + number % 2)
            directory, manifest = stage(tmp_path, f"run {number}", (products, rows), rows_per_part=300)
            publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    finally:
        done.set()
        thread.join()
    assert counts == {1000, 1001}


@pytest.mark.parametrize(
    "other", [{"day_column": "day"}, {"partition_by": "day"}, {"last_insert_counts": True}], ids=str
)
def test_a_table_is_published_in_one_way(other):
    """Whole, by day, by another partition, or upserted."""
    given = {"name": "t", "columns": {"id": "Int64", "day": "Date"}, "key": ("id",), "day_column": None}
    with pytest.raises(ValueError, match="one of them"):
        StagedTable(**given | {"replaced_whole": True} | other)
