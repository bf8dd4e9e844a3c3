"""`python -m tests.bench.storage_page [FILE]`: make tables and chart of docs/storage-comparison.md.

FILE is what the benchmark `storage` has written; it becomes the committed figures. Without it those that are
committed are taken. A test holds the page to them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import pygal  # type: ignore[import-untyped]
from pygal.etree import etree  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, FIGURES, CHART = (DOCS / f"storage-comparison.{kind}" for kind in ("md", "json", "svg"))
BEGIN, END = "<!-- measured: python -m tests.bench.storage_page -->", "<!-- end of what is measured -->"
_COLOURS = ("#0969da", "#7fb5f0", "#b35900", "#57606a", "#8250df")
QUESTIONS = {
    "by_action": "events and seconds by action",
    "users": "different users",
    "users_by_hour": "different users by hour",
    "busiest_users": "the ten busiest users",
    "last_day": "events of the last day by action",
    "one_user": "the last 100 events of one user",
}


def measured(facts: Mapping[str, Any]) -> str:
    """Return the tables as Markdown."""
    stores = [each for each in facts["stores"] if "missing" not in each]
    titles = [each["title"] for each in stores]
    rates = [
        (f"{int(size):,}", *(f"{each['rows_per_s'][size]:,.0f}" for each in stores))
        for size in stores[0]["rows_per_s"]
    ]
    text = facts["text_bytes"]
    sizes = [
        (
            f"{each['title']}",
            f"{each['bytes'] / 2**20:,.0f}",
            f"{each['bytes'] / text:.2f}",
            each["conditions"],
        )
        for each in stores
    ]
    parts = [
        f"{facts['events']:,} events, {text / 2**20:,.0f} MiB of text. {facts['machine']}.",
        "Rows a second, by rows of a batch:",
        _table(("rows of a batch", *titles), rates),
        "Size on disk, with indexes:",
        _table(("store", "MiB", "of the text", "set up"), sizes),
    ]
    for title, name in (
        ("Milliseconds of a query, warm:", "warm_s"),
        ("The same, cold: the store is started anew, nothing of it in memory:", "cold_s"),
        ("The same, while rows come in:", "loading_s"),
    ):
        rows = [
            (words, *(_milliseconds(each[name].get(query)) for each in stores))
            for query, words in QUESTIONS.items()
        ]
        if name == "loading_s":
            rows.append(
                (
                    "*rows that came in each second*",
                    *(f"{each['loading_rows_per_s']:,.0f}" for each in stores),
                )
            )
        parts += [title, _table(("query", *titles), rows)]
    parts += [
        f"{each['title']} was not measured: {each['missing']}."
        for each in facts["stores"]
        if "missing" in each
    ]
    return "\n\n".join(parts)


def chart(facts: Mapping[str, Any]) -> bytes:
    """Return the warm queries as an SVG, the same bytes for the same figures."""
    etree.to_etree()
    stores = [each for each in facts["stores"] if "missing" not in each]
    figures = {
        each["title"]: [round(each["warm_s"][query] * 1000, 2) for query in QUESTIONS] for each in stores
    }
    every = [figure for each in figures.values() for figure in each]
    low, high = floor(log10(max(min(every) * 0.8, 0.01))), ceil(log10(max(every)))
    drawn = pygal.Bar(
        js=[],
        style=Style(
            background="#ffffff", plot_background="#ffffff", opacity=1, colors=_COLOURS,
            **dict.fromkeys(("label_font_size", "major_label_font_size", "legend_font_size"), 15),
        ),
        width=1000,
        height=420,
        title="Milliseconds of a query, warm; each line is ten times the one below it",
        logarithmic=True,
        range=(10**low, 10**high),
        zero=10**low,
        y_labels=[10**power for power in range(low, high + 1)],
        legend_at_bottom=True,
        legend_at_bottom_columns=4,
        no_prefix=True,
        disable_xml_declaration=True,
        formatter=lambda value: f"{value:,.10g}",
    )  # fmt: skip
    drawn.x_labels = [query.replace("_", " ") for query in QUESTIONS]
    for title, values in figures.items():
        drawn.add(title, values)
    drawn.add_xml_filter(_without_comments)
    return str(drawn.render(is_unicode=True)).encode() + b"\n"


def page(text: str, facts: Mapping[str, Any]) -> str:
    """Return the page with the tables of these figures in their place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{measured(facts)}\n\n{END}{rest.partition(END)[2]}"


def main(arguments: Sequence[str]) -> None:
    """Take the figures of a file, or those that are committed, into the docs."""
    if arguments:
        shutil.copyfile(arguments[0], FIGURES)
    facts = json.loads(FIGURES.read_text())
    PAGE.write_text(page(PAGE.read_text(), facts))
    CHART.write_bytes(chart(facts))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:,.1f}" if seconds < 1 else f"{seconds * 1000:,.0f}"


def _without_comments(svg: Any) -> Any:
    # One has the day of today, by which two drawings of one figure would differ.
    for parent in list(svg.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str):
                parent.remove(child)
    return svg


if __name__ == "__main__":
    main(sys.argv[1:])
