"""What is kept of an answer, and how people and dates are read."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.github.api.models import Commit, Repository, read_commits, read_search_page

REPOSITORY = {
    "id": 10270250,
    "owner": {"login": "facebook", "id": 69631},
    "name": "react",
    "stargazers_count": 240000,
    "watchers_count": 240000,
    "forks_count": 49000,
    "language": None,
    "updated_at": "2026-08-20T10:00:00Z",
    "pushed_at": "2026-08-20T12:00:00+02:00",
    "description": "dropped",
}


def commit(account=None, name="Mona", email="m@x", **changes):
    """Make a commit as GitHub sends it."""
    signature = {"name": name, "email": email, "date": "2026-08-20T00:00:00Z"}
    return {
        "sha": "a" * 40,
        "author": account,
        "commit": {"author": signature, "committer": {"date": "2026-08-20T23:59:59Z"}},
    } | changes


def test_a_repository():
    """Null language is '', times are in UTC, the rest as it came."""
    repository = Repository.model_validate(REPOSITORY)
    assert (repository.full_name, repository.stars, repository.language) == ("facebook/react", 240000, "")
    assert repository.pushed_at == datetime(2026, 8, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a/b"),
        ("name", ".."),
        ("name", "."),
        ("name", "a\n"),
        ("name", ""),
        ("name", None),
        ("owner", {"login": "a/../b"}),
        ("owner", None),
        ("id", "5"),
        ("id", True),
        ("id", 0),
        ("stargazers_count", "7"),
        ("stargazers_count", -1),
        ("stargazers_count", 2**31),
        ("forks_count", None),
        ("updated_at", "yesterday"),
        ("updated_at", 1_787_000_000),
        ("updated_at", True),
        ("updated_at", "1969-12-31T23:59:59Z"),
        ("pushed_at", "2026-08-20T12:00:00"),
    ],
)
def test_a_repository_that_cannot_be_stored_is_named(field, value):
    """The error says which item and which field."""
    page = {"total_count": 1, "incomplete_results": False, "items": [REPOSITORY, REPOSITORY | {field: value}]}
    with pytest.raises(ValueError, match=rf"items\.1\.{field}"):
        read_search_page(page)


def test_an_incomplete_page_is_no_page():
    """incomplete_results is not success, whatever items it has."""
    with pytest.raises(ValueError, match="incomplete_results"):
        read_search_page({"total_count": 1, "incomplete_results": True, "items": [REPOSITORY]})


@pytest.mark.parametrize(
    ("item", "author"),
    [
        (commit({"login": "mona"}), "mona"),
        (commit({}), "Mona"),
        (commit(None), "Mona"),
        (commit({"login": None}), "Mona"),
        (commit({"login": "  "}), "Mona"),
        (commit(None, ""), "m@x"),
        (commit(None, " \t"), "m@x"),
        (commit(None, None, None), "(unknown)"),
        (commit(None, "\0", ""), "(unknown)"),
        (commit(commit={"author": None, "committer": {"date": "2026-08-20T00:00:00Z"}}), "(unknown)"),
        (commit(commit={"committer": {"date": "2026-08-20T00:00:00Z"}}), "(unknown)"),
        (commit(None, "a\0b\ud83d"), "ab\ufffd"),
        (commit(None, " עדי 🧵 "), " עדי 🧵 "),
        (commit(None, "A" * 10_000), "A" * 10_000),
        (commit(None, "A" * 100_000), "A" * 20_000),
    ],
)
def test_the_author_is_login_else_name_else_e_mail(item, author):
    """Text stays as it is but for what no database takes."""
    assert Commit.model_validate(item).author.name == author


@pytest.mark.parametrize(
    ("sent", "cleaned"),
    [
        ("Mona", False),
        (" עדי 🧵 ", False),
        ("A" * 20_000, False),
        ("\0", False),
        ("a\0b", True),
        ("\ud83d", True),
        ("A" * 20_001, True),
    ],
)
def test_an_author_that_was_changed_is_known(sent, cleaned):
    """Each commit whose author is not as it was sent can be counted; an e-mail in its place is as sent."""
    assert Commit.model_validate(commit(None, sent)).author.cleaned is cleaned


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        5,
        1.5,
        True,
        float("nan"),
        "2026-08-20",
        "2026-08-20T00:00:00",
        "never",
        "20260-08-20T00:00:00Z",
    ],
)
def test_a_commit_without_a_usable_date_is_named_by_its_sha(date):
    """Nobody guesses a day."""
    bad = commit(sha="b" * 40, commit={"committer": {"date": date}})
    with pytest.raises(ValueError, match="b" * 40):
        read_commits([commit(), bad])


@pytest.mark.parametrize("year", [1, 1970, 2031, 9999])
def test_any_year_can_be_read(year):
    """Clocks of committers are off by decades; the day's filter deals with that, not the parser."""
    read = read_commits([commit(commit={"committer": {"date": f"{year:04}-01-01T00:00:00Z"}})])
    assert read[0].committed_at.year == year


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["sha", "commit", "author", "committer", "date", "login", "name", "items", "owner"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(ANYTHING)
@pytest.mark.parametrize("read", [read_commits, read_search_page])
def test_any_json_is_read_or_refused_by_a_value_error(read, value):
    """No JSON raises anything but ValueError, on one printable line."""
    value = json.loads(json.dumps(value))
    try:
        read(value)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017


@given(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()))
def test_an_author_is_never_blank_and_always_utf_8(login, name, email):
    """Whatever people call themselves, the column takes it."""
    author = Commit.model_validate(commit({"login": login}, name, email)).author.name
    assert author.strip()
    assert author.encode()
