"""After each run the destination is what the source was at one instant, on both engines."""

import pytest


def test_the_first_run_reads_everything(place):
    """Each table whole; the views show what the source has."""
    assert place.run() == {"parents": 200, "pairs": 60, "words": 50}
    place.require_same()


def test_an_idle_run_sends_nothing_and_has_a_version(place):
    """It is recorded all the same."""
    place.run()
    assert place.run() == {"parents": 0, "pairs": 0, "words": 0}
    versions = place.clickhouse.execute("SELECT version FROM source_snapshots FINAL ORDER BY version")
    assert len(versions) == 2
    assert versions[0] < versions[1]


@pytest.mark.parametrize("listed", [10_000, 0])
def test_changes_of_each_kind_are_sent(place, listed, monkeypatch):
    """Rows added, changed and removed, keys changed, each once and nothing else."""
    monkeypatch.setattr("include.change_capture.state.MOST_LISTED", listed)
    place.run()
    place.sql("INSERT INTO parents VALUES (201, 'new', NULL, NULL)")
    place.sql("UPDATE parents SET name = 'changed' WHERE id = 7")
    place.sql("DELETE FROM parents WHERE id = 9")
    place.sql("UPDATE pairs SET left_id = 1000 WHERE left_id = 3")
    place.sql("DELETE FROM words WHERE word LIKE 'word1%'")
    assert place.run() == {"parents": 3, "pairs": 2, "words": 11}
    place.require_same()
    assert place.run() == {"parents": 0, "pairs": 0, "words": 0}


@pytest.mark.parametrize("params", [{}, {"full_check": True}], ids=str)
def test_a_key_that_comes_back(place, params):
    """It is gone in one run and there in the next."""
    place.run(**params)
    for _ in range(2):
        place.sql("DELETE FROM parents WHERE id = 5")
        place.run(**params)
        place.require_same()
        place.sql("INSERT INTO parents VALUES (5, 'again', NULL, 1.5)")
        place.run(**params)
        place.require_same()
