"""The phrase-views report of the local stack: sample counters in the inbox, and what became of them."""

from datetime import date
from pathlib import Path

from include.local_stack.errors import StackError
from include.local_stack.state import StateDirectory
from include.phrase_views.sample import EXAMPLE_CAMPAIGN, sample_csv
from include.staging.files import write_atomically

IMPORT, REPORT = "phrases_views_import", "phrase_views_report"


def deliver_sample(state: StateDirectory, day: date) -> dict[str, object]:
    """Put sample counters of `day` into the inbox; return the params of the import."""
    file = state.inbox / f"sample-{day}.csv"
    write_atomically(file, sample_csv(day))
    return {"path": file.name}


def example_report(state: StateDirectory, day: date) -> tuple[str, Path]:
    """Return the rendered report of the documentation's example as text, and the path of its page.

    Raises: StackError where the run was green and the report is not there.
    """
    directory = state.reports / "phrase_views" / day.isoformat()
    text, page = (directory / f"{EXAMPLE_CAMPAIGN}.{kind}" for kind in ("tsv", "html"))
    if missing := [str(file) for file in (text, page) if not file.exists()]:
        raise StackError(f"{REPORT} was green, but {missing[0]} is not there. Next: look in the run's logs")
    return text.read_text(errors="backslashreplace"), page
