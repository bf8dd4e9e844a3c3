"""Runs that end at any point, overtake each other, or are cleared: what comes after them is exact."""

import pytest

from include.change_capture.comparison import compare, require_same
from include.change_capture.errors import Overtaken


class Killed(Exception):
    """The process ended here."""


class Mortal:
    """A client that dies before, or after, its nth statement."""

    def __init__(self, clickhouse, nth: int, *, before: bool) -> None:
        self._clickhouse, self._left, self._before = clickhouse, nth, before

    def __getattr__(self, name: str):
        return getattr(self._clickhouse, name)

    def execute(self, *arguments, **named):
        """Run a statement, and die with the last one."""
        self._left -= 1
        if self._left == 0 and self._before:
            raise Killed
        result = self._clickhouse.execute(*arguments, **named)
        if self._left == 0:
            raise Killed
        return result


def change(place, number: int) -> None:
    """Change something of each kind."""
    place.sql(f"UPDATE parents SET name = 'changed {number}' WHERE id % 7 = {number % 7}")
    place.sql(
        f"DELETE FROM parents WHERE id = {100 + number}; INSERT INTO parents VALUES ({1000 + number}, 'new')"
    )
    place.sql(f"UPDATE pairs SET right_id = 'moved {number}' WHERE left_id = {number % 50 + 1}")
    place.sql(f"DELETE FROM words WHERE word = 'word{number % 40}'")


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("then", ["retry", "next run"])
def test_a_publication_ends_at_each_statement(place, then, before):
    """Its next try, or the next run, leaves what the source was; with one table read whole."""
    place.run()
    clickhouse, nth = place.clickhouse, 0
    while True:
        nth += 3
        change(place, nth)
        directory, manifest = place.stage(reread=["pairs"])
        staged = place.load(directory, manifest)
        place.clickhouse = Mortal(clickhouse, nth, before=before)
        try:
            place.publish_staged(manifest, staged)
        except Killed:
            ended = False
        else:
            ended = True
        place.clickhouse = clickhouse
        if then == "next run":
            place.run(full_check=True)
        else:
            place.publish_staged(manifest, staged, "2")
            require_same(clickhouse, compare(clickhouse, directory, manifest))
        place.require_same()
        if ended:
            break
    assert nth > 20


def test_a_run_that_was_overtaken(place):
    """It publishes nothing, and says who did; a new reading of it is exact."""
    place.run()
    change(place, 1)
    directory, manifest = place.stage(run_id="slow")
    staged = place.load(directory, manifest)
    change(place, 2)
    place.run()
    with pytest.raises(Overtaken, match="run 'run 2' has published version"):
        place.publish_staged(manifest, staged)
    place.require_same()
    place.run(run_id="slow")
    place.require_same()


def test_a_run_that_another_has_half_overtaken(place):
    """One that ended between two tables, and wrote no state, has left rows of an instant that came later."""
    place.run()
    change(place, 1)
    slow = place.stage(run_id="slow")
    staged = place.load(*slow)
    change(place, 2)
    quick = place.stage(run_id="quick")
    quick_staged = place.load(*quick)

    def lost() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Killed

    calls = 0
    with pytest.raises(Killed):
        place.publish_staged(quick[1], quick_staged, check_lease=lost)
    with pytest.raises(Overtaken, match="has rows of version"):
        place.publish_staged(slow[1], staged)
    place.run(full_check=True)
    place.require_same()


def test_a_publication_is_repeated_after_its_end(place):
    """It finds its own work."""
    directory, manifest = place.stage()
    staged = place.load(directory, manifest)
    assert place.publish_staged(manifest, staged) == place.publish_staged(manifest, staged, "2")
    place.require_same()


def test_the_comparison_of_an_older_run_is_told(place):
    """What it would compare with is not in sight any more."""
    older = place.stage()
    place.publish(*older)
    change(place, 1)
    place.run()
    with pytest.raises(Overtaken, match="is in sight, this run has published"):
        compare(place.clickhouse, *older)


@pytest.mark.parametrize("damage", ["lost", "changed", "added"])
def test_what_others_do_to_the_destination_is_found_and_mended(place, damage):
    """By table and bucket, with both values; a run with `reread` mends it."""
    place.run(full_check=True)
    select = "SELECT id, 'other', _version + 1, {} FROM shop_parents_versions WHERE id = 7"
    rows = {"lost": select.format(1), "changed": select.format(0), "added": "SELECT 7777, 'x', 1, 0"}[damage]
    place.clickhouse.execute(f"INSERT INTO shop_parents_versions (id, name, _version, _deleted) {rows}")
    if damage == "added":  # it is gone with the next run: the source has no such key
        place.run(full_check=True)
    else:
        with pytest.raises(
            Exception, match=r"table parents, 1 buckets: bucket 0 has .* reread naming parents"
        ):
            place.run(full_check=True)
        place.run(full_check=True, reread=["parents"])
    place.require_same()
