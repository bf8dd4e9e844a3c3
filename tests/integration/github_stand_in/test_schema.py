"""Every answer validates against GitHub's OpenAPI description, by the models githubkit generates from it."""

import pytest
from githubkit_schemas.v2022_11_28 import models as models_2022
from githubkit_schemas.v2026_03_10 import models as models_2026
from pydantic import TypeAdapter

from include.github_stand_in.sample import BUSY_RANKS, MIDNIGHT_RANK, STANDINGS, Sample

REPOSITORIES = Sample().repositories
DAY = "since=2026-08-20T00:00:00Z&until=2026-08-20T23:59:59Z"
VERSIONS = pytest.mark.parametrize(
    ("version", "models"), [("2022-11-28", models_2022), ("2026-03-10", models_2026)]
)


@VERSIONS
@pytest.mark.parametrize("page", [1, 2, 3])
async def test_search(sample, version, models, page):
    """All 300 repositories are complete search results."""
    url = f"/search/repositories?q=stars:%3E1&sort=stars&per_page=100&page={page}"
    body, _ = await sample.get(url, X_GitHub_Api_Version=version)
    answer = models.SearchRepositoriesGetResponse200.model_validate(body)
    assert answer.total_count == 300
    assert answer.incomplete_results is False
    assert [item.full_name for item in answer.items] == [
        repository.full_name for repository in REPOSITORIES[page * 100 - 100 : page * 100]
    ]
    assert all(item.watchers_count == item.stargazers_count for item in answer.items)


@VERSIONS
@pytest.mark.parametrize("rank", [1, MIDNIGHT_RANK, *BUSY_RANKS])
async def test_commits(sample, version, models, rank):
    """A day of a repository, odd authors included, is a list of complete commits."""
    name = REPOSITORIES[rank - 1].full_name
    body, _ = await sample.get(f"/repos/{name}/commits?{DAY}&per_page=100", X_GitHub_Api_Version=version)
    commits = TypeAdapter(list[models.Commit]).validate_python(body)
    assert commits
    assert all(commit.commit.committer.date.date().isoformat() == "2026-08-20" for commit in commits)


@VERSIONS
async def test_repository(sample, version, models):
    """A single repository is complete."""
    name = REPOSITORIES[0].full_name
    body, _ = await sample.get(f"/repos/{name}", X_GitHub_Api_Version=version)
    assert models.FullRepository.model_validate(body).full_name == name


@VERSIONS
async def test_rate_limit(sample, version, models):
    """The overview of the quotas is complete; the older version repeats core as `rate`."""
    body, _ = await sample.get("/rate_limit", X_GitHub_Api_Version=version)
    assert models.RateLimitOverview.model_validate(body).resources.core.limit == 100_000
    assert ("rate" in body) == (version == "2022-11-28")


@VERSIONS
async def test_root(sample, version, models):
    """The list of addresses is complete."""
    body, _ = await sample.get("/", X_GitHub_Api_Version=version)
    root = models.Root.model_validate(body)
    assert root.rate_limit_url.startswith(str(sample.session._base_url))


def commits_url(standing):
    """Return the address of the commits of the repository that answers so."""
    rank = next(rank for rank, it_has in STANDINGS.items() if it_has == standing)
    return f"/repos/{REPOSITORIES[rank - 1].full_name}/commits?{DAY}"


@VERSIONS
@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/nowhere", 404),
        (commits_url("empty"), 409),
        (commits_url("gone"), 404),
        (commits_url("blocked"), 451),
        (commits_url("moved"), 301),
        ("/search/repositories?q=stars:%3E1&page=35", 422),
        ("/search/repositories?q=stars:%3E1&per_page=100&page=11", 422),
    ],
)
async def test_errors(sample, version, models, url, status):
    """The body of a refusal is a basic error; where it repeats the status, it is the same."""
    body, _ = await sample.get(url, status=status, X_GitHub_Api_Version=version)
    error = models.BasicError.model_validate(body)
    assert error.message
    assert body.get("status", str(status)) == str(status)


@VERSIONS
@pytest.mark.parametrize("q", ["", "q=", f"q={'x' * 257}", "q=is:merged", "q=user:nobody-at-all"])
async def test_validation_errors(sample, version, models, q):
    """A query that GitHub does not take is a validation error that names the field."""
    body, _ = await sample.get(f"/search/repositories?{q}", status=422, X_GitHub_Api_Version=version)
    error = models.ValidationError.model_validate(body)
    assert error.message == "Validation Failed"
    assert [(entry.resource, entry.field) for entry in error.errors] == [("Search", "q")]
