"""The invented counters that everybody may try the report with."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from include.phrase_views.counters.file import stage_file
from include.phrase_views.counters.request import ImportRequest
from include.phrase_views.sample import (
    EXAMPLE_CAMPAIGN,
    EXAMPLE_PHRASE,
    sample_counters,
    sample_csv,
)

DAY = date(2025, 1, 1)
# As the documentation writes it: a time, and the views from then on every ten minutes.
EXAMPLE = {
    "11:50": [100],
    "12:00": [100, 100, 100, 100, 101, 101],
    "13:00": [101, 101, 101, 102, 103, 105],
    "14:00": [105, 106, 108, 109, 110, 111],
    "15:00": [111, 111, 112, 113, 113, 115],
    "16:00": [115],
}


def test_the_example_is_there_to_the_letter():
    """Campaign, phrase, instants and views."""
    written = [
        (EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE, views, datetime.fromisoformat(f"{DAY} {start}+00:00") + late)
        for start, row in EXAMPLE.items()
        for views, late in ((views, timedelta(minutes=10 * n)) for n, views in enumerate(row))
    ]
    assert (EXAMPLE_CAMPAIGN, EXAMPLE_PHRASE) == (1111111, "платье")
    assert [row for row in sample_counters(DAY) if row[0] == EXAMPLE_CAMPAIGN] == written


def test_every_call_invents_the_same():
    """Whoever tries it twice sees the same report."""
    assert list(sample_counters(DAY)) == list(sample_counters(DAY))


@pytest.mark.parametrize("day", [DAY, date(2026, 12, 31), date(2105, 12, 30)])
def test_days_follow_upon_each_other(day: date):
    """Samples that two days share are the same; no counter falls at midnight, nor leaves its column."""
    first, second = (
        {(campaign_id, phrase, at): views for campaign_id, phrase, views, at in sample_counters(each)}
        for each in (day, day + timedelta(days=1))
    )
    shared = first.keys() & second.keys()
    assert len(shared) > 1000
    assert {key: first[key] for key in shared} == {key: second[key] for key in shared}
    assert all(0 <= views < 2**31 for views in (*first.values(), *second.values()))
    last, begin = (
        [row[2] for row in sample_counters(each) if row[0] == EXAMPLE_CAMPAIGN]
        for each in (day, day + timedelta(days=1))
    )
    assert last[-1] == begin[0]


def test_it_shows_what_else_happens():
    """Hundreds of phrases, a first sample within the day, a counter that falls, a gap of an hour and more."""
    by_phrase = defaultdict(list)
    for campaign_id, phrase, views, at in sample_counters(DAY):
        by_phrase[campaign_id, phrase].append((at, views))
    counters = list(by_phrase.values())
    assert len(counters) > 500
    assert all(counter == sorted(counter) for counter in counters)
    assert len({campaign_id for campaign_id, _ in by_phrase}) == 3
    midnight = datetime(2025, 1, 1, tzinfo=UTC)
    pairs = [pair for counter in counters for pair in pairwise(counter)]
    assert any(counter[0][0] >= midnight for counter in counters[1:])
    assert any(after[1] < before[1] for before, after in pairs)
    assert any(after[0] - before[0] >= timedelta(hours=1) for before, after in pairs)
    assert all(at < midnight + timedelta(days=1) for counter in counters for at, _ in counter)


def test_the_import_takes_every_line(tmp_path: Path):
    """None is rejected, none comes twice."""
    (tmp_path / "sample.csv").write_bytes(sample_csv(DAY))
    manifest = stage_file(
        tmp_path,
        ImportRequest(path="sample.csv", max_rejected=0),
        tmp_path / "staging",
        dag_id="d",
        run_id="r",
        day=DAY,
        host="h",
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    (parts,) = manifest.tables.values()
    assert sum(part.rows for part in parts.parts) == len(list(sample_counters(DAY)))
