"""What may come from outside, as bad as it gets, and what an error must be like that refuses it."""

import json

from hypothesis import strategies as st

from include.github.request import MAX_TOP, MAX_VERIFY, SEARCH_SHOWS
from include.inbox.params import MAX_REJECTED
from tests.examples import examples

LONGEST_ERROR = 1000  # characters
MEGABYTE = "x" * 2**20  # as much as Kafka sends in one message
# A fixture that only sets a variable may be shared by the examples.
OFTEN, RARELY = (examples(usual, shared_fixtures=True) for usual in (150, 40))


def nested(depth: int) -> list:
    """Return a list in a list in a list."""
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


# Of params: the largest that is taken, the smallest that is not.
LIMITS = sorted(
    limit + more for limit in {MAX_TOP, MAX_VERIFY, SEARCH_SHOWS, MAX_REJECTED} for more in (0, 1)
)
# From what some parser takes to what none should meet. Of the deep lists, Python's own JSON reads the first
# two and its repr(), from some depth of the stack on, not the second one.
BAD = [
    None, True, False, 0, 1, -1, 1.0, 0.5, -0.0, float("nan"), float("inf"), -float("inf"), 1e308,
    *LIMITS, *map(str, LIMITS), 2**31 - 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**30, 10**5000,
    "", " ", "\0", "a\0b", "\ud800", "a\udcffb", "\x1b[31m", "a\nb", "\r\n", "\u2028", "\u202etxt", "\ufeff",
    "0", "1", "-1", "1.0", "1e3", "\u0663", "\uff11", "nan", "true", "null", "[]", "{}",
    "'; DROP TABLE loads; --",
    "{{ 7*7 }}", "..", "../../etc/passwd", "/etc/passwd", "a" * 10_000, "\u0444" * 10_000, MEGABYTE,
    "1970-01-01", "2031-01-01", "0001-01-01", "9999-12-31", "2026-02-30", "2026-08-20\n",
    "1970-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "1969-12-31T23:59:59Z", "2106-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "2026-08-20T00:00:00",
    [], {}, [None], [[]], {"": ""}, {"\ud800\n": MEGABYTE}, {"a" * 10_000: 1}, [MEGABYTE] * 3,
    list(range(5000)), nested(50), nested(900), nested(100_000),
]  # fmt: skip
any_text = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    [value for value in BAD if isinstance(value, str)]
)
anything = st.sampled_from(BAD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def json_text(value: object) -> str:
    """Return a value as JSON, also where Python cannot write it: too deep, or a number too long."""
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return "[" * 100_000 + "]" * 100_000 if not isinstance(value, int) else "9" * 5000


def damaged(good: dict, values: st.SearchStrategy = anything) -> st.SearchStrategy[dict]:
    """Make objects like `good` of which some fields have other values, are missing, or are not known."""
    changes = st.dictionaries(st.sampled_from([*good, "more", "\x1b\ud800"]), values, max_size=2)
    missing = st.sets(st.sampled_from(list(good)), max_size=1)
    return st.builds(
        lambda change, without: {k: v for k, v in (good | change).items() if k not in without or k in change},
        changes,
        missing,
    )


def assert_short(error: BaseException) -> None:
    """Require one printable line of bounded length."""
    text = str(error)
    assert len(text) < LONGEST_ERROR, text[:200]
    assert text.isprintable(), ascii(text)


def assert_names(error: BaseException, *names: str) -> None:
    """Require such a line, with one of these names in it."""
    assert_short(error)
    assert any(name in str(error) for name in names), str(error)
