"""Answers of GraphQL: the models of REST's answers, a refusal with its reason, or an error that names."""

from hypothesis import given
from hypothesis import strategies as st

from include.github.api.graphql_responses import Refusal
from include.github.api.models import Commit, Repository
from include.github.commits.graphql_page import read_commit_pages
from include.github.search.graphql_page import read_result_pages
from tests.unit.hostile.values import OFTEN, any_text, anything, assert_names, assert_short, damaged

ACTOR = {"name": "Mona", "email": "m@x", "user": {"login": "mona"}}
COMMIT = {"oid": "a" * 40, "committedDate": "2026-08-20T00:00:00Z", "author": ACTOR}
HISTORY = {"totalCount": 1, "pageInfo": {"hasNextPage": False, "endCursor": "x 1"}, "nodes": [COMMIT]}
COMMITTED = {
    "nameWithOwner": "facebook/react",
    "isEmpty": False,
    "defaultBranchRef": {"target": {"history": HISTORY}},
}
RESULT = {
    "databaseId": 10270250, "owner": {"login": "facebook"}, "name": "react", "stargazerCount": 240000,
    "forkCount": 49000, "primaryLanguage": {"name": "JavaScript"}, "updatedAt": "2026-08-20T10:00:00Z",
    "pushedAt": "2026-08-20T12:00:00Z",
}  # fmt: skip
RESULTS = {"repositoryCount": 1, "pageInfo": {"hasNextPage": False}, "nodes": [RESULT]}
MORE = {"hasNextPage": True, "endCursor": "x"}
ERROR = {"type": "NOT_FOUND", "path": ["r0"], "message": "Could not resolve to a Repository."}


def of_history(history):
    """Put a history where an answer has it."""
    return COMMITTED | {"defaultBranchRef": {"target": {"history": history}}}


def of_results(node):
    """Put a repository where an answer has it."""
    return RESULTS | {"nodes": [node]}


actors = damaged(ACTOR, any_text | anything) | anything
histories = (
    damaged(HISTORY)
    | damaged(COMMIT).map(lambda commit: HISTORY | {"nodes": [commit]})
    | actors.map(lambda actor: HISTORY | {"nodes": [COMMIT | {"author": actor}]})
)
committed = damaged(COMMITTED) | histories.map(of_history) | anything
results = damaged(RESULTS) | damaged(RESULT, any_text | anything).map(of_results) | anything
errors = st.just([]) | st.lists(damaged(ERROR, any_text | anything) | anything, max_size=2) | anything


@OFTEN
@given(st.builds(lambda node, told: {"data": {"r0": node}, "errors": told}, committed, errors) | anything)
def test_commits_of_a_repository(answer):
    """Each page holds commits as REST has them, each refusal says why on one line."""
    try:
        (page,) = read_commit_pages(answer, 1)
    except ValueError as error:
        assert_short(error)
        return
    if isinstance(page, Refusal):
        assert page.reason.isprintable()
        return
    assert all(isinstance(commit, Commit) for commit in page.commits)
    assert isinstance(page.next, str)


@OFTEN
@given(st.builds(lambda node, told: {"data": {"s0": node}, "errors": told}, results, errors) | anything)
def test_results_of_a_search(answer):
    """The same of repositories."""
    try:
        (page,) = read_result_pages(answer, 1)
    except ValueError as error:
        assert_short(error)
        return
    assert isinstance(page, Refusal) or all(isinstance(each, Repository) for each in page.repositories)


def test_what_is_wrong_is_named():
    """A commit by its id, a page by its alias; an empty page that is not the last is none: REST decides."""
    for node, name in (
        (of_history(HISTORY | {"nodes": [COMMIT | {"committedDate": "soon"}]}), f"commit '{'a' * 40}'"),
        (of_history(HISTORY | {"totalCount": -1}), "r0: default"),
        (
            of_history(HISTORY | {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "x"}}),
            "not the last",
        ),
    ):
        (page,) = read_commit_pages({"data": {"r0": node}}, 1)
        assert isinstance(page, Refusal)
        assert page.kind == "refused"
        assert_names(ValueError(page.reason), name)
