"""Page numbers, page sizes and Link headers, as GitHub reads and writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. number counts from 1."""

    number: int
    size: int

    @property
    def positions(self) -> slice:
        """Positions of the page in the list, counted from 0."""
        return slice((self.number - 1) * self.size, self.number * self.size)


def read_page(query: Mapping[str, str]) -> Page:
    """Read `page` and `per_page`; GitHub corrects what is out of range and never refuses it.

    Source: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    size = _number(query.get("per_page"), DEFAULT_PER_PAGE)
    return Page(number=_number(query.get("page"), 1), size=min(size, MAX_PER_PAGE))


def link_header(url: str, query: Mapping[str, str], page: Page, total: int) -> str | None:
    """Write the Link header of a page: prev, next, last, first, as far as there are such pages.

    Args:
        url: absolute, without query.
        query: parameters of the request; all are kept, `page` is replaced.
        page: the page being answered.
        total: entries that can be reached by paging.

    Returns:
        None where everything fits on one page.
    """
    last = max(1, -(-total // page.size))
    targets: list[tuple[str, int]] = []
    if page.number > 1:
        targets.append(("prev", min(page.number - 1, last)))
    if page.number < last:
        targets += [("next", page.number + 1), ("last", last)]
    if page.number > 1:
        targets.append(("first", 1))
    kept = {name: value for name, value in query.items() if name != "page"}
    links = [f'<{url}?{urlencode(kept | {"page": str(number)})}>; rel="{rel}"' for rel, number in targets]
    return ", ".join(links) or None


def _number(text: str | None, default: int) -> int:
    """Return a positive whole number, or the default for anything else."""
    if text is None or not (text.isascii() and text.isdigit()):
        return default
    # Nine digits are more pages than any list has, and keep a hostile number small.
    return int(text[:9]) or default
