"""Which requests a scripted fault hits."""

from include.github_stand_in.faults import Fault, Faults


def test_hits_as_often_as_told_after_as_many_as_told():
    """A fault lets some matching requests pass, hits some, and is over."""
    faults, fault = Faults(), Fault("/commits", times=2, after=1)
    faults.add(fault)
    assert [None, fault, fault, None] == [faults.take("/repos/a/b/commits?page=1") for _ in range(4)]


def test_does_not_count_other_requests():
    """Only requests whose URL matches count; the query is part of it."""
    faults, fault = Faults(), Fault(r"page=2$")
    faults.add(fault)
    assert [None, fault] == [faults.take(url) for url in ("/search?page=1", "/search?page=2")]


def test_the_first_that_applies_wins():
    """Later faults come into play when the earlier ones are spent."""
    faults, first, second = Faults(), Fault("/", times=1), Fault("/", times=None)
    faults.add(first, second)
    assert [first, second, second] == [faults.take("/") for _ in range(3)]


def test_hits_the_requests_of_a_token():
    """Those of others, and of nobody, pass and do not count."""
    faults, fault = Faults(), Fault("/", token="mine")
    faults.add(fault)
    assert [None, None, fault] == [faults.take("/", token) for token in ("yours", None, "mine")]


def test_clear_ends_them_all():
    """After clear() nothing is hit."""
    faults = Faults()
    faults.add(Fault("/", times=None))
    faults.clear()
    assert faults.take("/") is None
