"""The page that compares stores says what was measured."""

import json

from tests.bench.storage_events import event
from tests.bench.storage_page import CHART, FIGURES, PAGE, chart, page
from tests.bench.storage_store import QUERIES


def test_the_page_has_the_tables_of_the_figures():
    """`python -m tests.bench.storage_page` writes what belongs into it."""
    assert PAGE.read_text() == page(PAGE.read_text(), json.loads(FIGURES.read_text()))


def test_the_chart_is_drawn_from_the_figures():
    """The same bytes, whenever it is drawn."""
    assert CHART.read_bytes() == chart(json.loads(FIGURES.read_text()))


def test_each_store_was_asked_each_query():
    """Or the page says why it was not."""
    for store in json.loads(FIGURES.read_text())["stores"]:
        assert "missing" in store or set(store["warm_s"]) == set(store["loading_s"]) == set(QUERIES)


def test_the_user_who_is_asked_for_has_events():
    """In 100,000 events, so in more too."""
    users = {event(number, 100_000).split("\t")[0] for number in range(100_000)}
    assert "u4711" in users
