"""The range of stars of a query, taken out of it."""

import pytest

from include.github.search.star_range import StarRange, take_stars_out


@pytest.mark.parametrize(
    ("query", "rest", "stars"),
    [
        ("stars:>1", "", (2, None)),
        ("stars:>=5", "", (5, None)),
        ("stars:<5", "", (0, 4)),
        ("stars:<=5", "", (0, 5)),
        ("stars:7", "", (7, 7)),
        ("stars:2..9", "", (2, 9)),
        ("stars:2..*", "", (2, None)),
        ("stars:*..9", "", (0, 9)),
        ('STARS:"2..9"', "", (2, 9)),
        ("language:go", "language:go", (0, None)),
        ("web stars:>10 language:c++", "web language:c++", (11, None)),
        ('"about stars:5" stars:>10', '"about stars:5"', (11, None)),
        ('"this OR (that)" stars:>10 or-mapper OR-x', '"this OR (that)" or-mapper OR-x', (11, None)),
    ],
)
def test_stars_are_taken_out(query, rest, stars):
    """The rest is as it was, and asks for all stars; words in quotes are no qualifiers."""
    assert take_stars_out(query) == (rest, StarRange(*stars))


@pytest.mark.parametrize(
    "query",
    [
        "stars:>1 stars:<9",
        "-stars:>1",
        "NOT stars:>1",
        "kit OR stars:>1",
        "stars:>1 AND kit",
        "(stars:>1 kit)",
        "stars:*..9 x OR y",
        "x AND y stars:>1",
        "x stars:>1 y NOT z",
        'x OR"y"',
        '"x" OR',
        "kit (x y)",
        '"x OR y',
        "stars:many",
        "stars:>1..5",
        "stars:>*",
        "stars:9..2",
        "stars:<0",
    ],
)
def test_what_slices_cannot_replace_is_refused(query):
    """More than one, a negated one, in an expression, or none: nothing says what they mean."""
    with pytest.raises(ValueError, match="stars:"):
        take_stars_out(query)
