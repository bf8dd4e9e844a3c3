"""A bar chart as SVG inside a page: it brings no style and no script, page.css draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from markupsafe import Markup

_WIDTH, _HEIGHT = 960, 270  # of the drawing: the page scales it
_LABEL_PX = 13  # as in page.css
_DROPPED = ("style", "script", "defs", "desc")


def bar_chart(
    labels: Sequence[str],
    values: Sequence[int],
    *,
    title: str,
    description: str,
    shown: Callable[[int], str],
    slanted: bool = False,
    name: str = "chart",
    with_values: bool = True,
) -> Markup:
    """Return a bar a label, with `shown` of its value above it.

    Args: title, description: for those who do not see it. slanted: for labels wider than their bars. name:
        one that no other chart of the page has. with_values: False where bars are too narrow for them.
    Returns: `svg.bars`, the same bytes for the same arguments.
    """
    import pygal  # type: ignore[import-untyped]
    from pygal.etree import etree  # type: ignore[import-untyped]
    from pygal.style import Style  # type: ignore[import-untyped]

    etree.to_etree()  # where lxml is installed, pygal would take that: other elements, other bytes
    chart = pygal.Bar(
        js=[],
        style=Style(label_font_size=_LABEL_PX, major_label_font_size=_LABEL_PX),  # pygal leaves room for them
        width=_WIDTH,
        height=_HEIGHT,
        margin=8,
        margin_left=40 if slanted else 8,  # where the first label begins, and wide letters end
        margin_bottom=24 if slanted else 8,
        show_legend=False,
        print_values=with_values,
        print_values_position="top",
        print_zeroes=False,
        formatter=lambda value: shown(round(value)),
        x_label_rotation=-35 if slanted else 0,
        no_prefix=True,
        disable_xml_declaration=True,
        # Whole numbers only: three quarters of a view are no mark of an axis.
        y_labels=[{"value": mark, "label": shown(mark)} for mark in _marks(max(values))],
    )
    chart.x_labels = labels
    chart.add("", values)
    chart.add_xml_filter(lambda svg: _described(_bare(svg), title, description, name))
    return Markup(chart.render(is_unicode=True))  # noqa: S704 - ElementTree has escaped what it holds


def _marks(most: int) -> list[int]:
    step = next(
        factor * 10**power for power in range(20) for factor in (1, 2, 5) if factor * 10**power * 5 >= most
    )
    return list(range(0, most + step, step))


def _bare(svg: Element) -> Element:
    # pygal adds its own style and script, which no page of ours needs, numbers a browser has no use for, and
    # a comment with today's date, by which two renderings of one day would differ.
    for parent in list(svg.iter()):
        parent.attrib.pop("style", None)
        for child in list(parent):
            tooltip = "tooltip-overlay" in child.get("class", "").split()
            if not isinstance(child.tag, str) or child.tag in _DROPPED or tooltip:
                parent.remove(child)
    return svg


def _described(svg: Element, title: str, description: str, name: str) -> Element:
    svg.attrib.pop("id", None)
    svg.set("class", "bars")
    svg.set("role", "img")
    svg.set("aria-labelledby", f"{name}-title {name}-description")
    for own in svg.findall("title"):
        svg.remove(own)
    for tag, text in (("desc", description), ("title", title)):
        element = Element(tag, id=f"{name}-{'title' if tag == 'title' else 'description'}")
        element.text = text
        svg.insert(0, element)
    return svg
