"""Pages and Link headers."""

import pytest

from include.github_stand_in.paging import Page, link_header, read_page


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(1, 30)),
        ({"page": "3", "per_page": "100"}, Page(3, 100)),
        ({"page": "0", "per_page": "0"}, Page(1, 30)),
        ({"page": "-2", "per_page": "101"}, Page(1, 100)),
        ({"page": "two", "per_page": "\u0663"}, Page(1, 30)),
        ({"page": "9" * 4000}, Page(999_999_999, 30)),
    ],
)
def test_corrects_numbers_out_of_range(query, page):
    """Nothing that a client sends as a page number is refused."""
    assert page == read_page(query)


def links(page, total, query=None):
    """Return the targets of a Link header by rel."""
    header = link_header("http://h/p", {"q": "a b"} if query is None else query, page, total)
    parts = (part.split("; ") for part in header.split(", ")) if header else ()
    return {rel.removeprefix('rel="').removesuffix('"'): url for url, rel in parts}


def test_first_page_leads_on():
    """The first of three pages names the next and the last, and keeps the query escaped."""
    assert links(Page(1, 10), 21) == {
        "next": "<http://h/p?q=a+b&page=2>",
        "last": "<http://h/p?q=a+b&page=3>",
    }


def test_middle_page_leads_both_ways():
    """A page in the middle names all four."""
    assert links(Page(2, 10), 21) == {
        "prev": "<http://h/p?q=a+b&page=1>",
        "next": "<http://h/p?q=a+b&page=3>",
        "last": "<http://h/p?q=a+b&page=3>",
        "first": "<http://h/p?q=a+b&page=1>",
    }


def test_last_page_has_no_next():
    """A full last page does not lead past the end."""
    assert list(links(Page(2, 10), 20)) == ["prev", "first"]


def test_page_past_the_end_leads_back():
    """Past the end, prev is the last page that has entries."""
    assert links(Page(9, 10), 20, {"page": "9"})["prev"] == "<http://h/p?page=2>"


@pytest.mark.parametrize("total", [0, 1, 10])
def test_single_page_has_no_link(total):
    """There is no header at all where everything fits on one page."""
    assert link_header("http://h/p", {}, Page(1, 10), total) is None
