"""Renders a day over that of another publication, by processes that are killed before their nth change.

Usage: killed_render.py SECTION ROOT. Leaves ROOT/killed/1, ... for each n, the last of which came
through; ROOT/again/1, ... where another try has followed; ROOT/before and ROOT/after, each publication alone.
"""

import os
import shutil
import signal
import sys
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

from include.github.movement import Movement
from include.pages.phrase_views import render_phrase_views
from include.pages.top_repositories import render_top_repositories
from include.pages.top_repositories_data import Publication, RepositoryDay, TopRepositories
from include.phrase_views.report_row import ReportRow
from include.phrase_views.request import PhraseViewsRequest

DAY = date(2026, 8, 20)
CHANGES = ("os.rename", "os.remove")


def phrase_views(root: Path, run_id: str) -> None:
    """One campaign is gone in the second publication, one is new."""
    start = datetime(2026, 8, 20, 10, tzinfo=UTC)
    campaigns, views = ((-1, 2, 3), 5) if run_id == "first" else ((2, 3, 4), 9)
    rows = [ReportRow(each, "a", 10, views, (), start, "UTC", "sample", "correct") for each in campaigns]
    render_phrase_views(root, PhraseViewsRequest(day=DAY), rows, run_id=run_id, published_at=start)


def top_repositories(root: Path, run_id: str) -> None:
    """The day is published by the same run; of the day before, which it shows too, more is known."""
    published = Publication("nightly", datetime(2026, 8, 21, tzinfo=UTC))
    moved = Movement("unknown") if run_id == "first" else Movement("up", 2, 7)
    row = RepositoryDay("a/a", 1, 9, moved, Movement("unknown"), "ok", 0, 0, (), (1,), (9,))
    render_top_repositories(root, TopRepositories(DAY, published, published, (row,), (), 0, 0, (DAY,), ()))


def killed_at(nth: int, root: Path) -> bool:
    """Render the second publication over the first; tell whether the renderer was killed on its way."""
    render(root, "first")
    child = os.fork()
    if child == 0:
        changes = count(1)

        def kill(event: str, arguments: tuple[object, ...]) -> None:
            if event in CHANGES and str(root) in str(arguments[0]) and next(changes) == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        render(root, "second")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    render = {"phrase_views": phrase_views, "top_repositories": top_repositories}[sys.argv[1]]
    top = Path(sys.argv[2])
    render(top / "before", "first")
    render(top / "after", "second")
    for nth in count(1):
        root = top / "killed" / str(nth)
        if not killed_at(nth, root):
            break
        again = shutil.copytree(root, top / "again" / str(nth))
        render(again, "second")
