"""The search syntax."""

from datetime import UTC, datetime

import pytest

from include.github_stand_in.dataset import Account, Repository
from include.github_stand_in.search import QueryError, Search, SearchIndex


def repository(number, full_name, stars, language=None, forks=0):
    """Return a repository that differs only in what is searched for."""
    owner, name = full_name.split("/")
    created_at = datetime(2020, 1, number, 12, tzinfo=UTC)
    return Repository(number, Account(owner, number), name, stars, forks, 0, language, created_at)


INDEX = SearchIndex(
    [
        repository(1, "amber/kit", 10, "Python", forks=1),
        repository(2, "Birch/kit-core", 30, "C++", forks=9),
        repository(3, "cedar/loom", 20, "Jupyter Notebook", forks=5),
        repository(4, "birch/shell", 20, None, forks=7),
        repository(5, "dune/none", 1),
    ]
)


def found(q, sort="stars", order="desc"):
    """Return the ids that a search finds."""
    return [repository.id for repository in INDEX.find(Search(q, sort, order))]


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("stars:>1", [2, 3, 4, 1]),
        ("stars:>=1", [2, 3, 4, 1, 5]),
        ("stars:<20", [1, 5]),
        ("stars:<=20", [3, 4, 1, 5]),
        ("stars:20", [3, 4]),
        ("stars:10..20", [3, 4, 1]),
        ("stars:20..*", [2, 3, 4]),
        ("stars:*..10", [1, 5]),
        ("stars:30..10", []),
        ("forks:>5 stars:>1", [2, 4]),
        ("language:python", [1]),
        ("language:C++", [2]),
        ('language:"jupyter notebook"', [3]),
        ("user:BIRCH", [2, 4]),
        ("org:cedar", [3]),
        ("kit", [2, 1]),
        ("KIT amber", [1]),
        ("kit -language:python", [2]),
        ("stars:20 created:2020-01-03", [3]),
        ("created:2020-01-02..2020-01-03", [2, 3]),
        ("created:>2020-01-04", [5]),
        ("created:>=2020-01-04T12:00:00Z", [4, 5]),
        ("created:<2020-01-02T12:00:00Z", [1]),
        ("created:<=2020-01-02T12:00:00Z", [2, 1]),
        ("created:*..2020-01-01T13:00:00+01:00", [1]),
        ("created:2020-01-04..*", [4, 5]),
    ],
)
def test_finds_what_is_asked_for(q, ids):
    """Every qualifier narrows the result; equal stars stay in the order of the data set."""
    assert ids == found(q)


def test_ascending_order_is_the_reverse():
    """order=asc turns the list round; it means nothing without sort."""
    assert found("stars:>0", order="asc") == [5, 1, 4, 3, 2]
    assert found("stars:>0", sort="", order="asc") == [2, 3, 4, 1, 5]


def test_sorts_by_forks():
    """sort=forks ranks by forks."""
    assert found("stars:>0", sort="forks") == [2, 4, 3, 1, 5]


@pytest.mark.parametrize(
    ("q", "code", "reason"),
    [
        ("", "missing", None),
        ("   ", "missing", None),
        ("x" * 257, "invalid", "longer than 256"),
        ("is:merged", "invalid", "None of the search qualifiers"),
        ("stars:many", "invalid", "'many' is not a number"),
        ("stars:>1..5", "invalid", "not a number"),
        ("stars:>*", "invalid", "not a number"),
        ("created:lately", "invalid", "'lately' is not a date"),
        ("created:2020-02-30", "invalid", "'2020-02-30' is not a date"),
        ("user:nobody", "invalid", "cannot be searched"),
        ("kit OR loom", "invalid", "OR is not served"),
    ],
)
def test_refuses_what_it_does_not_serve(q, code, reason):
    """A query that would be answered wrongly is refused, with the reason."""
    with pytest.raises(QueryError) as refused:
        found(q)
    assert code == refused.value.code
    assert reason is None or reason in refused.value.reason


def test_what_moves_is_found_elsewhere():
    """Other stars, another place in the list, at once; the rest stays."""
    index = SearchIndex([repository(1, "a/a", 30), repository(2, "b/b", 20), repository(3, "c/c", 10)])
    assert [r.id for r in index.find(Search("stars:>15"))] == [1, 2]
    index.move({3: 40})
    assert [(r.id, r.stars) for r in index.find(Search("stars:>15"))] == [(3, 40), (1, 30), (2, 20)]


def test_longest_query_is_served():
    """256 characters are not too many."""
    assert found("x" * 256) == []
