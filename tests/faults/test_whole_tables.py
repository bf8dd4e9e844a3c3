"""The answer to a table replaced whole is lost, or its publisher is cut off, while readers look."""

import pytest

from include.clickhouse.errors import DayMismatch, OutcomeUnknown
from include.clickhouse.publish import check_day
from include.postgres.errors import LeaseLost
from include.staging.tables import StagedTable
from tests.faults.day import FaultyDay
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, Moment, Proxy
from tests.integration.clickhouse.days import load, publish, run, stage, staging_tables
from tests.servers.clickhouse import ClickHouseServer

PRODUCTS = StagedTable(
    name="products",
    columns={"id": "Int64", "name": "Nullable(String)"},
    key=("id",),
    day_column=None,
    replaced_whole=True,
    form="text",
)
OLD, NEW = [(number, None) for number in range(5)], [(number, "a\tb") for number in range(9)]
CUT = {
    "gather": b"ATTACH PARTITION tuple()",
    "optimize": b"OPTIMIZE TABLE",
    "loads": b"INSERT INTO `loads`",
}


@pytest.fixture
def staged(day: FaultyDay):
    """A table with rows of an earlier run in sight, and a run that has staged and loaded others."""
    with day.connect() as clickhouse:
        create = "CREATE TABLE products (id Int64, name Nullable(String)) ENGINE = MergeTree ORDER BY id"
        clickhouse.execute(create)
        run(clickhouse, day.root, "old products", (PRODUCTS, OLD))
        directory, manifest = stage(day.root, "new products", (PRODUCTS, NEW), rows_per_part=4)
        return directory, manifest, load(clickhouse, directory, manifest)


def seen(day: FaultyDay) -> list[tuple]:
    """What readers see."""
    with day.connect() as clickhouse:
        return clickhouse.execute("SELECT id, name FROM products ORDER BY id")


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
def test_a_lost_answer_to_a_whole_table_is_settled(day: FaultyDay, proxy: Proxy, staged, moment: Moment):
    """The statement is repeated until the server says that it is done; no second try is needed."""
    directory, manifest, loaded = staged
    cut = proxy.reset_at(b"REPLACE PARTITION tuple()", moment)
    with day.connect(proxy.port) as clickhouse:
        publish(clickhouse, manifest, loaded)
        assert cut.is_reached
        check_day(clickhouse, directory, manifest, "1")
        assert staging_tables(clickhouse) == []
    assert seen(day) == NEW


def test_a_lost_answer_to_a_whole_table_is_not_settled_without_the_lease(
    day: FaultyDay, proxy: Proxy, staged
):
    """Another may have published since."""
    _, manifest, loaded = staged
    cut = proxy.reset_at(b"REPLACE PARTITION tuple()", BEFORE)

    def check_lease() -> None:
        if cut.is_reached:
            raise LeaseLost("publish products")

    with day.connect(proxy.port) as clickhouse, pytest.raises(LeaseLost):
        publish(clickhouse, manifest, loaded, check_lease=check_lease)
    assert seen(day) == OLD


@pytest.mark.parametrize("point", CUT)
def test_the_publication_of_a_whole_table_is_cut(day: FaultyDay, proxy: Proxy, staged, point: str):
    """Readers see all old rows or all new ones; the next try of publish alone is exact."""
    directory, manifest, loaded = staged
    cut = proxy.reset_at(CUT[point], ANSWERED)
    with day.connect(proxy.port) as clickhouse, pytest.raises(OutcomeUnknown):
        publish(clickhouse, manifest, loaded)
    assert cut.is_reached
    assert seen(day) == (NEW if point == "loads" else OLD)
    with day.connect() as clickhouse:
        publish(clickhouse, manifest, loaded, "2")
        check_day(clickhouse, directory, manifest, "2")
    assert seen(day) == NEW


@pytest.mark.parametrize("end", [ClickHouseServer.kill, ClickHouseServer.stop], ids=["SIGKILL", "SIGTERM"])
def test_a_restart_that_brings_a_whole_table_back_is_found_and_mended(day: FaultyDay, staged, end):
    """Publishing did not wait until the server had deleted what was replaced: check is red, a load mends it.

    The server deletes at moments of its own, ten seconds apart: where one came first, it is done again.
    """
    directory, manifest, _ = staged
    for number in range(10):
        with day.connect() as clickhouse:
            run(clickhouse, day.root, f"old {number}", (PRODUCTS, OLD))
            publish(clickhouse, manifest, load(clickhouse, directory, manifest, f"{number}"), f"{number}")
        end(day.server)
        day.server.start()
        if seen(day) == NEW:
            continue
        with day.connect() as clickhouse:
            with pytest.raises(DayMismatch, match=r"table products, .*Next: clear task load with all after"):
                check_day(clickhouse, directory, manifest, "1")
            publish(clickhouse, manifest, load(clickhouse, directory, manifest, "again"), "again")
            check_day(clickhouse, directory, manifest, "2")
        assert seen(day) == NEW
        return
    pytest.fail("the server always deleted what was replaced before it ended")
