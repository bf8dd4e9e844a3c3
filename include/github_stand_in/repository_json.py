"""Repositories and accounts as GitHub writes them in JSON: every field that its OpenAPI description requires.

Source: https://docs.github.com/en/rest/search/search#search-repositories
"""

from base64 import b64encode
from datetime import datetime

from include.github_stand_in.dataset import Account, Repository, Standing

Json = dict[str, object]

# Suffixes of the addresses that every repository object lists; {...} are URI templates, as GitHub sends them.
_REPOSITORY_URLS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}
_ACCOUNT_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


def timestamp(at: datetime) -> str:
    """Write an aware UTC time as GitHub does: 2026-08-21T12:39:13Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int | str) -> str:
    """Return an opaque id as the GraphQL API would know it."""
    return b64encode(f"{kind}{number}".encode()).decode()


def account_json(account: Account, base: str) -> Json:
    """Write a "simple user". base: root of this API, without a slash at its end."""
    url = f"{base}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": f"{base}/avatars/{account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{base}/{account.login}",
        **{name: url + suffix for name, suffix in _ACCOUNT_URLS.items()},
        "type": account.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def search_item_json(repository: Repository, pushed_at: datetime, base: str) -> Json:
    """Write a repository as an item of a search, under the name that the search index has."""
    return _repository_json(repository, repository.owner.login, repository.name, pushed_at, base) | {
        "score": 1.0
    }


def full_repository_json(repository: Repository, pushed_at: datetime, base: str) -> Json:
    """Write a repository as `GET /repos/{owner}/{repo}` does, under the name that it has today."""
    full_name = repository.moved_to if repository.standing is Standing.MOVED else None
    owner, name = (full_name or repository.full_name).split("/", 1)
    return _repository_json(repository, owner, name, pushed_at, base) | {
        "network_count": repository.forks,
        "subscribers_count": repository.stars // 50,
        "temp_clone_token": None,
    }


def _repository_json(repository: Repository, owner: str, name: str, pushed_at: datetime, base: str) -> Json:
    url, html_url = f"{base}/repos/{owner}/{name}", f"{base}/{owner}/{name}"
    account = Account(owner, repository.owner.id, repository.owner.kind)
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": name,
        "full_name": f"{owner}/{name}",
        "private": False,
        "owner": account_json(account, base),
        "html_url": html_url,
        "description": repository.description,
        "fork": False,
        "url": url,
        **{field: url + suffix for field, suffix in _REPOSITORY_URLS.items()},
        "git_url": html_url.replace("http", "git", 1) + ".git",
        "ssh_url": f"git@localhost:{owner}/{name}.git",
        "clone_url": html_url + ".git",
        "svn_url": html_url,
        "created_at": timestamp(repository.created_at),
        "updated_at": timestamp(pushed_at),
        "pushed_at": timestamp(pushed_at),
        **_counts(repository),
        **_settings(),
    }


def _counts(repository: Repository) -> Json:
    """Return the numbers, each under its name of today and under the older one that GitHub still sends."""
    return {
        "size": 0 if repository.standing is Standing.EMPTY else repository.forks + 100,
        "stargazers_count": repository.stars,
        "watchers_count": repository.stars,
        "watchers": repository.stars,
        "forks_count": repository.forks,
        "forks": repository.forks,
        "open_issues_count": repository.open_issues,
        "open_issues": repository.open_issues,
        "language": repository.language,
    }


def _settings() -> Json:
    return {
        "homepage": None,
        "mirror_url": None,
        "default_branch": "main",
        "license": None,
        "topics": [],
        "visibility": "public",
        "archived": False,
        "disabled": False,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
    }
