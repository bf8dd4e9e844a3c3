"""The part of `make run` that shows the phrase-views report."""

from datetime import date
from pathlib import Path

import pytest

from include.local_stack.errors import StackError
from include.local_stack.phrase_views import deliver_sample, example_report
from include.local_stack.state import StateDirectory
from include.phrase_views.sample import EXAMPLE_PHRASE

DAY = date(2026, 8, 20)
TEXT = f"phrase\tviews_by_hour\n{EXAMPLE_PHRASE}\t[(15, 4)]\n"


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    """A state directory as the stack makes it."""
    made = StateDirectory(tmp_path)
    made.create()
    return made


def test_sample_counters_lie_in_the_inbox_as_the_params_of_the_import_say(state: StateDirectory):
    """The path is relative to the inbox; the file has a header and the example's first sample of that day."""
    params = deliver_sample(state, DAY)
    lines = (state.inbox / str(params["path"])).read_text().splitlines()
    assert lines[:2] == ["campaign_id,phrase,views,dt", "1111111,платье,9040,2026-08-20 11:50:00"]


def test_the_example_is_shown_as_it_was_rendered(state: StateDirectory):
    """Tab and line ends included; the path is that of the page."""
    directory = state.reports / "phrase_views" / "2026-08-20"
    directory.mkdir(parents=True)
    (directory / "1111111.html").touch()
    (directory / "1111111.tsv").write_text(TEXT)
    text, page = example_report(state, DAY)
    assert text == TEXT
    assert page == directory / "1111111.html"


def test_a_green_run_without_the_report_is_an_error_with_its_path(state: StateDirectory):
    """Nothing rendered is not passed over in silence."""
    with pytest.raises(StackError, match=r"2026-08-20/1111111\.tsv is not there"):
        example_report(state, DAY)
