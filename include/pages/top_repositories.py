"""The top repositories of a day as files: a page, a CSV of the ranking, an index."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from include.github.movement import Direction
from include.pages.day_index import READABLE, withdraw_index_of_another, write_index
from include.pages.self_contained import self_contained_page
from include.pages.top_repositories_data import TopRepositories
from include.staging.files import StagingPath, write_atomically
from include.text import duration


class Outcome(NamedTuple):
    """A number of commits, explained. Attributes: known, whether it is a fact; note, beside it; meaning."""

    known: bool
    note: str
    meaning: str


DIRECTIONS: tuple[Direction, ...] = ("new", "up", "down", "same", "unknown")
OUTCOMES = {
    "ok": Outcome(known=True, note="", meaning="asked, and all commits of the day counted"),
    "moved": Outcome(known=True, note="moved", meaning="has another name now; counted under the ranked one"),
    "unpushed": Outcome(
        known=True, note="no push", meaning="not asked, for nothing was pushed since an hour before the day"
    ),
    "empty": Outcome(known=True, note="empty", meaning="a repository without any commit"),
    "gone": Outcome(known=False, note="gone", meaning="not to be had any more (404): commits not known"),
    "blocked": Outcome(known=False, note="blocked", meaning="closed by GitHub (451): commits not known"),
    "forbidden": Outcome(
        known=False, note="forbidden", meaning="refused to each of our tokens (403): commits not known"
    ),
    None: Outcome(known=False, note="not asked", meaning="not in the list of the run that counted commits"),
}
PAGES = "top_repositories"  # the directory of all days below reports_root
_CSV_COLUMNS = (
    "date", "position", "repo", "stars",
    "day_before", "places_since_day_before", "stars_since_day_before",
    "week_before", "places_since_week_before", "stars_since_week_before",
    "outcome", "commits", "authors",
)  # fmt: skip


def render_top_repositories(
    root: StagingPath, data: TopRepositories, *, check_lease: Callable[[], None] = lambda: None
) -> StagingPath:
    """Write the files of a day below `<root>/top_repositories/<day>`, index.json last; return that directory.

    It names the run that published the day's commits, and when: the same data give the same bytes. The index
    of another page goes before the first file is written: a day has files of one, or no index.

    Args: check_lease: called before each change in sight; what it raises ends the rendering.
    Raises: OSError with the path in it.
    """
    directory = root / PAGES / data.day.isoformat()
    page = self_contained_page(
        "top_repositories.html",
        styles=("page.css", "top_repositories.css"),
        scripts=("table.js", "top_repositories.js"),
        data=data,
        day_before=data.day - timedelta(days=1),
        week_before=data.day - timedelta(days=7),
        has_ranking=data.day in data.days,
        directions=DIRECTIONS,
        outcomes=OUTCOMES,
        outcome_counts=Counter(row.outcome for row in data.repositories),
        moved_since=[
            Counter(getattr(row, since).direction for row in data.repositories if row.position)
            for since in ("day_before", "week_before")
        ],
        steps=steps,
        duration=duration,
    )
    facts = {
        "day": data.day.isoformat(),
        "run_id": data.published.run_id,
        "published_at": data.published.published_at.isoformat(),
        "repositories": len(data.repositories),
        "sha256": hashlib.sha256(page).hexdigest(),  # it has earlier days too, which may be published anew
    }
    check_lease()
    withdraw_index_of_another(directory, facts)
    write_atomically(directory / "index.html", page, mode=READABLE)
    write_atomically(directory / "repositories.csv", _csv(data).encode(), mode=READABLE)
    check_lease()
    write_index(directory, facts)
    return directory


def steps(values: Sequence[int | None]) -> str:
    """Return the first value and then the differences, comma-joined; nothing between two commas for None.

    A third of the values written out: (541915, 541990, None, 541987) is "541915,75,,-3".
    """
    last, texts = 0, []
    for value in values:
        texts.append("" if value is None else str(value - last))
        last = last if value is None else value
    return ",".join(texts)


def _csv(data: TopRepositories) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV_COLUMNS)
    for row in data.repositories:
        counted = (row.commits, row.authors) if OUTCOMES[row.outcome].known else (None, None)
        standing = (data.day, row.position, row.repo, row.stars, *row.day_before, *row.week_before)
        writer.writerow((*standing, row.outcome, *counted))
    return text.getvalue()
