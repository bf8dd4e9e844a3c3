"""A migration in ranges of keys, with writers beside it, killed, and followed by a run without a gap."""

import pytest

from include.change_capture.comparison import compare, require_same
from include.change_capture.errors import Overtaken, SourceChanged
from include.change_capture.migration import copy_range, gather, plan, progress
from include.change_capture.synchronization import publish
from include.staging.files import run_directory
from include.staging.manifest import StagedBy
from tests.integration.clickhouse.days import DAY, now

BY = StagedBy("shop_migration", "migration", DAY, "copy")


class Migration:
    """A migration of a place, by steps. Attributes: directory; loaded, staging tables so far."""

    def __init__(self, place, rows: int = 40) -> None:
        self.place, self.rows, self.loaded = place, rows, []
        self.directory = run_directory(place.root, *BY[:1], DAY, BY.run_id)
        self.plan = self.planned()

    def planned(self):
        """Plan, or find the plan."""
        place = self.place
        return plan(place.clickhouse, place.source, self.directory, rows_per_range=self.rows, now=now)

    def copy(self, wanted, attempt: str = "1", **how) -> None:
        """Copy a range."""
        place = self.place
        self.loaded += copy_range(
            place.clickhouse, place.source, self.plan, wanted, BY, self.directory,
            attempt=attempt, host="here", now=now, **how,
        )  # fmt: skip

    def publish(self) -> None:
        """Bring all into sight."""
        place = self.place
        gathered = gather(place.clickhouse, place.source, self.plan, BY, self.directory, host="here", now=now)
        publish(place.clickhouse, gathered, self.loaded, attempt="1", now=now)


def test_ranges_have_all_rows_once(place):
    """Keys of one column and of two, numbers and texts."""
    migration = Migration(place)
    assert [
        len([each for each in migration.plan.ranges if each.table == name]) for name in place.source.tables
    ] == [
        6,
        2,
        2,
    ]
    for wanted in migration.plan.ranges:
        migration.copy(wanted)
    assert place.clickhouse.execute("SELECT count() FROM shop_parents") == [(0,)]
    migration.publish()
    place.require_same()
    assert place.run() == {"parents": 0, "pairs": 0, "words": 0}


def test_writers_beside_it(place):
    """Rows change, go, come and move between ranges, read or not; one run afterwards has it all."""
    migration = Migration(place)
    late = place.another()
    with late.cursor() as cursor:
        cursor.execute("UPDATE parents SET name = 'late' WHERE id IN (3, 150)")
        for number, wanted in enumerate(migration.plan.ranges):
            place.sql(f"UPDATE parents SET id = id + 500 WHERE id = {20 + number}")
            place.sql(f"UPDATE parents SET id = 1000 - id WHERE id = {190 - number}")
            place.sql(f"DELETE FROM words WHERE word = 'word{number * 3 + 1}'")
            place.sql(f"INSERT INTO pairs VALUES ({100 + number}, 'new', 1)")
            migration.copy(wanted)
            place.sql(f"UPDATE pairs SET amount = -{number} WHERE left_id % 10 = {number % 10}")
    migration.publish()
    late.commit()
    late.close()
    directory, manifest = place.stage(full_check=True)
    assert all(not each["whole"] for each in manifest.facts["capture"]["tables"])
    place.publish(directory, manifest)
    require_same(place.clickhouse, compare(place.clickhouse, directory, manifest))
    place.require_same()


def test_a_range_that_is_finished_is_not_read_again(place):
    """A try after a kill finds its parts; a part that is lost is read anew."""
    migration = Migration(place)
    for wanted in migration.plan.ranges:
        migration.copy(wanted)
    said = str(progress(migration.directory, migration.plan, now()))
    assert said.startswith("10 of 10 ranges, 310 of about 310 rows")
    place.sql("UPDATE parents SET name = 'after it was read'")
    again = Migration(place)
    assert again.plan == migration.plan
    lost, *_ = sorted(migration.directory.glob("shop_parents_*"))
    lost.unlink()
    for wanted in again.plan.ranges:
        again.copy(wanted, "2")
    again.publish()
    ((changed,),) = place.clickhouse.execute("SELECT count() FROM shop_parents WHERE name LIKE 'after%'")
    assert 0 < changed <= 40
    place.run(full_check=True)
    place.require_same()


def test_a_table_that_is_altered_meanwhile(place):
    """The range is not read: the plan is of another table."""
    migration = Migration(place)
    place.sql("ALTER TABLE parents ADD COLUMN more int")
    with pytest.raises(SourceChanged, match="parents"):
        migration.copy(migration.plan.ranges[0])


def test_a_run_beside_it(place):
    """Whoever publishes last says that it was overtaken; nothing is mixed."""
    migration = Migration(place)
    for wanted in migration.plan.ranges:
        migration.copy(wanted)
    place.run()
    with pytest.raises(Overtaken):
        migration.publish()
    place.require_same()


def test_a_migration_of_what_is_there_already(place):
    """Rows that the source has no longer are gone afterwards."""
    place.run()
    place.sql("DELETE FROM parents WHERE id < 20; UPDATE words SET day = NULL")
    migration = Migration(place)
    for wanted in migration.plan.ranges:
        migration.copy(wanted)
    migration.publish()
    place.require_same()


def test_it_may_be_held_back(place, monkeypatch):
    """To so many rows a second."""
    slept = []
    monkeypatch.setattr("include.change_capture.migration.sleep", slept.append)
    migration = Migration(place, rows=1000)
    migration.copy(migration.plan.ranges[0], rows_per_second=10)
    assert 15 < sum(slept) < 25


def test_empty_tables(place):
    """Have one range without rows."""
    place.sql("TRUNCATE parents, pairs, words")
    migration = Migration(place)
    for wanted in migration.plan.ranges:
        migration.copy(wanted)
    migration.publish()
    assert place.run() == {"parents": 0, "pairs": 0, "words": 0}
