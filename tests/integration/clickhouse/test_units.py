"""Units other than a day get in exactly once: hours are replaced, ranges of offsets are upserted."""

import json

import pytest

from include.clickhouse.errors import DayMismatch
from include.clickhouse.loads import last_publisher, recorded_load
from include.clickhouse.publish import check_day
from include.staging.errors import Superseded
from include.staging.manifest import MANIFEST, StagedBy, read_manifest
from include.staging.parts import write_table
from tests.integration.clickhouse.days import (
    COMMITS,
    DAY,
    commits,
    load,
    publish,
    run,
    staging_tables,
)  # fmt: skip
from tests.integration.clickhouse.units import (
    EVENTS,
    FIVE,
    RANGES,
    READINGS,
    SIX,
    as_seen,
    events,
    hour_name,
    migrations,
    readings,
    run_hour,
    run_unit,
    seen,
    stage_unit,
)  # fmt: skip


@pytest.fixture
def tables(clickhouse):
    """Tables of units that are no days."""
    for statement in migrations():
        clickhouse.execute(statement)
    return clickhouse


def test_hours_are_replaced_one_by_one(tables, tmp_path):
    """Each whole, from one part or several; the others stay, and each is recorded by its name."""
    run_hour(tables, tmp_path, "run 5", FIVE, readings(100, FIVE))
    run_hour(tables, tmp_path, "run 6", SIX, readings(30, SIX))
    _, last = run_hour(tables, tmp_path, "run 5 again", FIVE, readings(70, FIVE, value=2))
    assert seen(tables, READINGS) == as_seen([*readings(70, FIVE, value=2), *readings(30, SIX)])
    recorded = recorded_load(tables, READINGS.name, hour_name(FIVE))
    assert recorded[:3] == (70, last.tables[READINGS.name].checksum, "run 5 again")
    rows = "SELECT `table`, unit, date, rows, run_id FROM loads_by_unit FINAL ORDER BY unit"
    assert tables.execute(rows) == [
        ("readings", "2026-08-20T05", DAY, 70, "run 5 again"),
        ("readings", "2026-08-20T06", DAY, 30, "run 6"),
    ]
    assert tables.execute("SELECT count() FROM loads") == [(0,)]
    assert staging_tables(tables) == []


def test_an_hour_without_rows_empties_the_hour(tables, tmp_path):
    """And no other."""
    run_hour(tables, tmp_path, "run 5", FIVE, readings(9, FIVE))
    run_hour(tables, tmp_path, "run 6", SIX, readings(9, SIX))
    run_hour(tables, tmp_path, "run 5 again", FIVE, [])
    assert seen(tables, READINGS) == as_seen(readings(9, SIX))
    assert recorded_load(tables, READINGS.name, hour_name(FIVE))[:3] == (0, 0, "run 5 again")


def test_rows_of_another_hour_stop_the_publication(tables, tmp_path):
    """Before anything can be seen; the error names the unit."""
    rows = [*readings(5, FIVE), *readings(1, SIX)]
    with pytest.raises(DayMismatch, match=r"table readings, unit 2026-08-20T05: .*outside=1"):
        run_hour(tables, tmp_path, "run 5", FIVE, rows)
    assert seen(tables, READINGS) == []


def test_publishing_an_hour_may_be_repeated_after_its_end(tables, tmp_path):
    """By the run whose rows they are; one that was superseded says what to clear."""
    directory, manifest = stage_unit(
        tmp_path, "run 5", READINGS, readings(9, FIVE), hour_name(FIVE), int(FIVE.timestamp())
    )
    staged = load(tables, directory, manifest)
    assert publish(tables, manifest, staged) == publish(tables, manifest, staged, "2") == {"readings": 9}
    run_hour(tables, tmp_path, "run 6", SIX, readings(4, SIX))
    assert publish(tables, manifest, staged, "3") == {"readings": 9}
    run_hour(tables, tmp_path, "run 5 again", FIVE, readings(4, FIVE))
    with pytest.raises(DayMismatch, match="clear task load"):
        publish(tables, manifest, staged, "4")
    assert check_day(tables, directory, manifest, "2") == {"readings": 4}


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO readings SELECT * FROM readings",
        f"ALTER TABLE readings DROP PARTITION {int(FIVE.timestamp())}",
    ],
    ids=["doubled", "lost"],
)
def test_the_check_finds_an_hour_that_is_not_what_was_published(tables, tmp_path, damage):
    """As it does a day."""
    directory, manifest = run_hour(tables, tmp_path, "run 5", FIVE, readings(9, FIVE))
    tables.execute(damage)
    with pytest.raises(DayMismatch, match=r"table readings, unit 2026-08-20T05.*clear task load"):
        check_day(tables, directory, manifest, "2")


def test_ranges_of_offsets_are_upserted(tables, tmp_path):
    """The first and the next one, and the first again, which changes nothing; the last that came counts."""
    for run_id, first, end in (("run 1", 0, 100), ("run 2", 100, 150), ("run 1 again", 0, 100)):
        run_unit(tables, tmp_path, run_id, EVENTS, events(first, end), f"orders 0: {first}-{end}")
    assert seen(tables, EVENTS) == sorted(events(0, 150))
    assert last_publisher(tables, EVENTS.name, "any") == "run 1 again"
    assert last_publisher(tables, EVENTS.name) is None
    rows = "SELECT unit, rows, run_id FROM loads_by_unit FINAL ORDER BY unit"
    assert tables.execute(rows) == [
        ("orders 0: 0-100", 100, "run 1 again"),
        ("orders 0: 100-150", 50, "run 2"),
    ]
    run_unit(tables, tmp_path, "run 3", EVENTS, events(90, 120, "buy"), "orders 0: 90-120")
    assert seen(tables, EVENTS) == sorted([*events(0, 90), *events(90, 120, "buy"), *events(120, 150)])


def test_a_range_that_another_has_published_after_is_not_in_sight_by_half(tables, tmp_path):
    """Whatever the other's range is: the newest row of all ranges says whose values count."""
    directory, manifest = stage_unit(tmp_path, "run 1", EVENTS, events(0, 50), "orders 0: 0-50")
    staged = load(tables, directory, manifest)
    asked = []

    def taken_over():
        asked.append(1)
        if len(asked) == 2:  # right before the second part
            run_unit(tables, tmp_path, "run 2", EVENTS, events(0, 60, "buy"), "orders 0: 0-60", check=False)

    with pytest.raises((DayMismatch, Superseded)):
        publish(tables, manifest, staged, check_lease=taken_over)
    assert seen(tables, EVENTS) == sorted(events(0, 60, "buy"))
    assert last_publisher(tables, EVENTS.name, "any") == "run 2"


def test_ranges_of_offsets_are_replaced(tables, tmp_path):
    """A partition by number, as by an instant."""
    for run_id, rows in (("run 1", events(100, 200)), ("run 1 again", events(100, 150, "buy"))):
        run_unit(tables, tmp_path, run_id, RANGES, rows, "orders 0: 100-200", 1)
    run_unit(tables, tmp_path, "run 2", RANGES, events(0, 100), "orders 0: 0-100", 0)
    assert seen(tables, RANGES) == sorted([*events(0, 100), *events(100, 150, "buy")])


def test_days_and_other_units_do_not_meet(tables, tmp_path):
    """A day is in `loads` alone, as it always was."""
    run(tables, tmp_path, "a day", (COMMITS, commits(9)))
    run_hour(tables, tmp_path, "an hour", FIVE, readings(9, FIVE))
    assert tables.execute("SELECT `table`, run_id FROM loads") == [(COMMITS.name, "a day")]
    assert tables.execute("SELECT `table`, run_id FROM loads_by_unit") == [("readings", "an hour")]


def test_a_manifest_of_the_version_before_is_published(clickhouse, tmp_path):
    """It names no unit: that is the day."""
    parts = write_table(tmp_path, COMMITS, commits(9))
    older = {
        "dag_id": "some_dag", "run_id": "run 1", "day": "2026-08-20", "task": "fetch", "host": "here",
        "written_at": "2026-08-21T00:31:07Z", "facts": {},
        "tables": {COMMITS.name: parts.model_dump(mode="json", exclude={"table": {"partition_by"}})},
    }  # fmt: skip
    (tmp_path / MANIFEST).write_text(json.dumps(older))
    manifest = read_manifest(tmp_path, StagedBy("some_dag", "run 1", DAY, "fetch"))
    publish(clickhouse, manifest, load(clickhouse, tmp_path, manifest))
    check_day(clickhouse, tmp_path, manifest, "1")
    assert recorded_load(clickhouse, COMMITS.name, DAY)[:3] == (9, parts.checksum, "run 1")
