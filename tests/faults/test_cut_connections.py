"""The connection to ClickHouse is cut at every statement of a load and a publication."""

from contextlib import nullcontext, suppress
from itertools import product

import pytest

from include.clickhouse.errors import OutcomeUnknown, UnusableConnection
from include.clickhouse.publish import check_day
from include.postgres.errors import LeaseLost
from tests.faults.day import LAST_AUTHOR, POSITIONS, FaultyDay
from tests.faults.proxy import AFTER, ANSWERED, BEFORE, INSIDE, TO_CLIENT, TO_SERVER, Moment, Proxy
from tests.integration.clickhouse.days import load, publish, stored

LOAD = {
    "drop": b"DROP TABLE IF EXISTS",
    "create": b"CREATE TABLE",
    "insert": b"INSERT INTO",
    "rows": LAST_AUTHOR,
    "count": b"SELECT count()",
}
SETTLED = {
    "upsert": (b"INSERT INTO `repositories`", 1),
    "first day": (b"REPLACE PARTITION", 1),
    "second day": (b"REPLACE PARTITION", 2),
}
CHANGES = {
    "gather": (b"ATTACH PARTITION", 2),
    "optimize": (b"OPTIMIZE TABLE", 1),
    "first of loads": (b"INSERT INTO `loads`", 1),
    "second of loads": (b"INSERT INTO `loads`", 2),
    "drop staging": (b"DROP TABLE IF EXISTS", 2),
}
READS = {
    "what is there": (b"system.tables", 1),
    "proof before": (b"uniqExact", 2),
    "proof between": (b"uniqExact", 4),
    "proof after": (b"uniqExact", 5),
    "old parts": (b"system.parts", 1),
}


@pytest.mark.parametrize(
    ("point", "moment"),
    [*product(LOAD, [BEFORE, ANSWERED]), *product(["insert", "rows"], [INSIDE, AFTER])],
)
def test_a_load_is_cut(day: FaultyDay, proxy: Proxy, point: str, moment: Moment):
    """It says that the outcome is unknown and of what; nothing is in sight; the next try is exact."""
    cut = proxy.reset_at(LOAD[point], moment)
    with day.watched() as reader, day.connect(proxy.port) as clickhouse:
        with pytest.raises(OutcomeUnknown, match="may or may not have been carried out") as caught:
            day.load_last_part(clickhouse, "cut")
        assert cut.is_reached
        assert "connection 'clickhouse_default'" in str(caught.value)
        assert len(reader.seen) == 1
        day.require_old()
        day.next_run()


@pytest.mark.parametrize("moment", [BEFORE, INSIDE, AFTER, ANSWERED])
@pytest.mark.parametrize("point", SETTLED)
def test_a_lost_answer_to_a_change_in_sight_is_settled(
    day: FaultyDay, proxy: Proxy, point: str, moment: Moment
):
    """Publishing asks the server again until it knows; the same task ends well, no second try is needed."""
    text, nth = SETTLED[point]
    with day.watched(), day.connect() as straight, day.connect(proxy.port) as clickhouse:
        staged = load(straight, day.directory, day.manifest)
        cut = proxy.reset_at(text, moment, nth)
        publish(clickhouse, day.manifest, staged)
        assert cut.is_reached
        check_day(clickhouse, day.directory, day.manifest, "1")
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("point", SETTLED)
def test_a_lost_answer_is_not_settled_without_the_lease(day: FaultyDay, proxy: Proxy, point: str):
    """The connection and the lease go together: the change is not sent again, another may have published."""
    text, nth = SETTLED[point]

    def check_lease() -> None:
        if cut.is_reached:
            raise LeaseLost("publish")

    with day.watched(), day.connect() as straight, day.connect(proxy.port) as clickhouse:
        staged = load(straight, day.directory, day.manifest)
        cut = proxy.reset_at(text, BEFORE, nth)
        with pytest.raises(LeaseLost):
            publish(clickhouse, day.manifest, staged, check_lease=check_lease)
        assert sorted(stored(straight)) == sorted(day.old_rows)
        assert straight.execute("SELECT count() FROM repositories") == [(0 if point == "upsert" else 9,)]
        assert len(stored(straight, POSITIONS)) == (9 if point == "second day" else 8)
        day.next_run()


@pytest.mark.parametrize(
    ("point", "moment"), [*product(CHANGES, [BEFORE, ANSWERED]), *product(READS, [ANSWERED])]
)
def test_a_publication_is_cut(day: FaultyDay, proxy: Proxy, point: str, moment: Moment):
    """Readers see the old day or the new one; the next try of publish alone is exact."""
    text, nth = (CHANGES | READS)[point]
    with day.watched(), day.connect() as straight, day.connect(proxy.port) as clickhouse:
        staged = load(straight, day.directory, day.manifest)
        cut = proxy.reset_at(text, moment, nth)
        with nullcontext() if point == "drop staging" else pytest.raises(OutcomeUnknown):
            publish(clickhouse, day.manifest, staged)
        assert cut.is_reached
        publish(straight, day.manifest, staged, "2")
        check_day(straight, day.directory, day.manifest, "2")
    day.require_published(day.manifest, day.rows)


@pytest.mark.parametrize("way", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("count", [1, 700, 9_000, 20_000])
def test_a_cut_at_any_byte(day: FaultyDay, proxy: Proxy, way: str, count: int):
    """Wherever the stream of a load and a publication ends, the next run is exact."""
    proxy.reset_after(count, way)
    with day.watched(), day.connect(proxy.port) as clickhouse:
        with suppress(OutcomeUnknown, UnusableConnection):  # the cut may fall where it is settled
            publish(clickhouse, day.manifest, load(clickhouse, day.directory, day.manifest))
        day.next_run()
