"""The report as text: a line a phrase, with the hours that gained views, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from include.phrase_views.report_row import ReportRow

HEADER = "phrase\tviews_by_hour\n"
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def views_by_hour_text(rows: Iterable[ReportRow]) -> str:
    r"""Return `phrase<TAB>[(hour, views), ...]` lines below a header, of the rows of one campaign and day.

    Rows may come in any order. Phrases are in order of their code points, hours newest first by instant;
    hours and phrases that gained nothing are left out. In a phrase, backslash, tab and line ends are
    written \\ \t \n \r.
    """
    gained = sorted((row.phrase, row.hour_start, row.hour, row.views) for row in rows if row.views)
    lines = [HEADER]
    for phrase, of_phrase in groupby(gained, key=lambda row: row[0]):
        hours = [(hour, views) for _, _, hour, views in of_phrase][::-1]
        lines.append(f"{phrase.translate(_ESCAPES)}\t{hours}\n")
    return "".join(lines)
