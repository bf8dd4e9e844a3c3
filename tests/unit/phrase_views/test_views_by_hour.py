"""The report as text, to the letter."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.phrase_views.report_row import ReportRow
from include.phrase_views.views_by_hour import HEADER, views_by_hour_text

MIDNIGHT = datetime(2025, 1, 1, tzinfo=UTC)


def row(
    phrase: str, hour: int, views: int, flags: tuple[str, ...] = (), start: int | None = None
) -> ReportRow:
    """Views gained in an hour; `start`, hours since midnight, where clocks show another hour."""
    begins = MIDNIGHT + timedelta(hours=hour if start is None else start)
    return ReportRow(1111111, phrase, hour, views, flags, begins, "UTC", "sample", "correct")


EXAMPLE = [row("платье", hour, views) for hour, views in ((12, 1), (13, 4), (14, 6), (15, 4))]


def test_the_original_example():
    """Is exactly what was asked for."""
    expected = "phrase\tviews_by_hour\nплатье\t[(15, 4), (14, 6), (13, 4), (12, 1)]\n"  # noqa: RUF001
    assert views_by_hour_text(EXAMPLE) == expected


def test_what_gained_nothing_is_left_out():
    """Has neither the hour with a flag only nor the phrase that has no other."""
    rows = [row("платье", 11, 0, ("partial",)), *EXAMPLE, row("шляпа", 11, 0, ("partial",))]
    assert views_by_hour_text(rows) == views_by_hour_text(EXAMPLE)
    assert views_by_hour_text([]) == HEADER


def test_two_hours_of_one_name():
    """Shows both, the later first, where clocks went back."""
    rows = [row("a", 2, 5, start=0), row("a", 2, 7, start=1), row("a", 3, 1, start=2)]
    assert views_by_hour_text(rows) == f"{HEADER}a\t[(3, 1), (2, 7), (2, 5)]\n"


@given(st.permutations([*EXAMPLE, row("шляпа", 1, 2), row("dress", 3, 4)]))
def test_the_order_of_rows_does_not_count(rows: list[ReportRow]):
    """Sorts phrases by code point and hours by instant."""
    phrases = [line.split("\t")[0] for line in views_by_hour_text(rows).splitlines()[1:]]
    assert phrases == ["dress", "платье", "шляпа"]
    assert "[(15, 4), (14, 6), (13, 4), (12, 1)]" in views_by_hour_text(rows)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True))
def test_a_phrase_is_one_line_and_can_be_read_back(phrases: list[str]):
    """Keeps its line and its column whatever is in it, and no two phrases become one text."""
    text = views_by_hour_text(row(phrase, 1, 1) for phrase in phrases)
    lines = text.removesuffix("\n").split("\n")[1:]
    assert len(lines) == len(set(lines)) == len(phrases)
    unescape = {r"\\": "\\", r"\t": "\t", r"\n": "\n", r"\r": "\r"}
    for line, phrase in zip(lines, sorted(phrases), strict=True):
        written, hours = line.split("\t")
        assert hours == "[(1, 1)]"
        pieces, at = [], 0
        while at < len(written):
            size = 2 if written[at] == "\\" else 1
            pieces.append(unescape.get(written[at : at + size], written[at : at + size]))
            at += size
        assert "".join(pieces) == phrase
