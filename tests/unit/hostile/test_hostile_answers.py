"""Answers of GitHub: rows that every column takes, or a refusal that names the field."""

import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from include.github.api.models import read_commits, read_search_page
from include.github.api.rate_limits import read_limit, read_quota
from include.github.api.responses import read_value
from include.github.commits.counting import CommitCount
from include.github.commits.source import FetchedRepository
from include.github.rank import RANKING, RankingHeader, save_ranking, saved_ranking
from include.github.request import TopRepositoriesRequest
from include.github.tables import write_tables
from include.http.answers import Answer, Redirect
from include.http.errors import AnswerError
from include.http.limits import Limited
from tests.unit.hostile.values import (
    MEGABYTE,
    OFTEN,
    RARELY,
    any_text,
    anything,
    assert_names,
    assert_short,
    damaged,
    json_text,
    nested,
)

DAY, NOW = date(2026, 8, 20), datetime(2026, 8, 21, 1, tzinfo=UTC)
REPOSITORY = {
    "id": 10270250, "owner": {"login": "facebook"}, "name": "react", "stargazers_count": 240000,
    "watchers_count": 240000, "forks_count": 49000, "language": "JavaScript",
    "updated_at": "2026-08-20T10:00:00Z", "pushed_at": "2026-08-20T12:00:00+02:00",
}  # fmt: skip
PAGE = {"total_count": 1, "incomplete_results": False, "items": [REPOSITORY]}
SIGNATURE = {"name": "Mona", "email": "m@x", "date": "2026-08-20T00:00:00Z"}
COMMITTER = {"date": "2026-08-20T23:59:59Z"}
COMMIT = {
    "sha": "a" * 40,
    "author": {"login": "mona"},
    "commit": {"author": SIGNATURE, "committer": COMMITTER},
}
OF_A_PAGE = ("items", "total_count", "incomplete_results", "not a page of search results")
repositories = damaged(REPOSITORY) | damaged({"login": "facebook"}, anything | any_text).map(
    lambda owner: REPOSITORY | {"owner": owner}
)
signatures = damaged(SIGNATURE, any_text | anything)
commits = damaged(COMMIT) | st.builds(
    lambda author, committer, login: {
        "sha": "a" * 40,
        "author": {"login": login},
        "commit": {"author": author, "committer": committer},
    },
    signatures,
    damaged(COMMITTER),
    st.none() | any_text,
)


def staged(repositories, authors) -> int:
    """Stage a day of these as the main job does; return the rows."""
    request = TopRepositoriesRequest(top=100, query="stars:>1", day=DAY)
    header = RankingHeader(request=request, fetched_at=NOW, requests=1, count=len(repositories))
    total = sum(authors.values())
    record = FetchedRepository(
        position=1, id=1, repo="a/b", day=DAY, outcome="ok", commits=total, authors=authors
    )
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        save_ranking(directory / RANKING, header, repositories)
        ranking = saved_ranking(directory)
        assert ranking is not None
        assert tuple(ranking) == repositories
        tables = write_tables(
            directory, ranking, [FetchedRepository.model_validate_json(record.model_dump_json())]
        )
    return sum(parts.rows for parts in tables.values())


@OFTEN
@given(damaged(PAGE) | repositories.map(lambda repository: PAGE | {"items": [repository]}))
def test_a_page_of_repositories(page):
    """What is taken is saved, read again and staged."""
    try:
        found = read_search_page(page)
    except ValueError as refusal:
        assert_names(refusal, *OF_A_PAGE)
    else:
        assert staged(tuple(found.items), {}) == 2 * len(found.items) + 1


@OFTEN
@given(commits)
def test_a_page_of_commits(commit):
    """What is taken counts for the day, cleaned and told, or as one outside of it."""
    try:
        found = read_commits([commit])
    except ValueError as refusal:
        assert_names(refusal, "0.", "commit")
        return
    count = CommitCount(DAY)
    count.add(found)
    assert count.authors.total() + count.outside == 1
    sent = [commit.get("author") or {}, commit["commit"].get("author") or {}]
    names = {text for each in sent for text in each.values() if isinstance(text, str)}
    assert count.cleaned or count.authors.keys() <= names | {"(unknown)"}
    assert staged((), dict(count.authors)) == len(count.authors) + 1


@RARELY
@given(
    st.sampled_from([200, 201, 301, 302, 401, 403, 404, 409, 422, 429, 451, 500, 502]),
    anything.map(json_text).map(str.encode)
    | st.builds(lambda value: json_text({"message": value, "errors": value}).encode(), anything)
    | st.binary(max_size=20),
    st.dictionaries(
        st.sampled_from(
            [
                "retry-after",
                "date",
                "location",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
                "x-github-request-id",
            ]
        ),
        any_text
        | st.sampled_from(["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1400", "9" * 18]),
    ),
)
def test_an_answer(status, body, headers):
    """Any status with any body and headers: a value, a redirect, a bounded wait, or an error of ours."""
    answer = Answer("https://api.github.com/x", status, headers, body)
    quota = read_quota(headers, NOW)
    assert quota is None or 0 < quota.reset_in_s <= 7 * 86_400
    limit = read_limit(answer, "core", NOW)
    if isinstance(limit, Limited):
        assert limit.wait_s is None or 0 < limit.wait_s <= 7 * 86_400
        assert limit.reason.isprintable()
        assert len(limit.reason) < 1000
        return
    try:
        value = read_value(answer)
    except AnswerError as refusal:
        assert_names(refusal, f"https://api.github.com/x: {status}")
    else:
        assert status == 200 or isinstance(value, Redirect)


def test_what_is_not_kept_may_be_of_any_size():
    """A megabyte beside the fields that are read harms nobody; an endless author is cut and counted."""
    assert len(read_search_page(PAGE | {"more": nested(900), "text": MEGABYTE}).items) == 1
    count = CommitCount(DAY)
    count.add(read_commits([COMMIT | {"author": {"login": MEGABYTE}}]))
    assert (count.authors, count.cleaned) == ({"x" * 20_000: 1}, 1)


def test_of_two_values_of_one_name_the_last_one_counts():
    """As the standard library reads JSON: an answer is not refused for it."""
    page = json.loads(json.dumps(PAGE)[:-1] + ', "items": []}')
    assert read_search_page(page).items == []


def test_a_field_too_deep_for_python_is_refused():
    """Nothing of it is followed to its end."""
    try:
        read_search_page(PAGE | {"total_count": nested(100_000)})
    except ValueError as refusal:
        assert_short(refusal)
        assert "total_count" in str(refusal)  # noqa: PT017
