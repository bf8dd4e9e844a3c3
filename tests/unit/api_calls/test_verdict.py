"""The last word on a run."""

import pytest

from include.api_calls.errors import NotAllDone
from include.api_calls.outcomes import OUTCOMES
from include.api_calls.verdict import judge


def test_what_is_said_of_failed_rows_holds_for_any_file():
    """Where all rows have failed, todo.csv is the same file: its rows go again only by that param."""
    with pytest.raises(NotAllDone, match=r"of todo\.csv, or of the same file, with param resend = failed"):
        judge(dict.fromkeys(OUTCOMES, 0) | {"failed": 2}, max_failed=1, stopped="", results="there")
