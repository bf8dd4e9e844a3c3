"""Commits as GitHub writes them in JSON.

Source: https://docs.github.com/en/rest/commits/commits#list-commits
"""

from include.github_stand_in.dataset import Account, Commit, Signature
from include.github_stand_in.repository_json import Json, account_json, node_id, timestamp


def commit_json(commit: Commit, full_name: str, base: str) -> Json:
    """Write one entry of a list of commits.

    Args:
        commit: a commit of that repository.
        full_name: "owner/name" of the repository as it is called today.
        base: root of this API, without a slash at its end.
    """
    url = f"{base}/repos/{full_name}/commits/{commit.sha}"
    return {
        "sha": commit.sha,
        "node_id": node_id("Commit", commit.sha),
        "commit": _git_commit_json(commit, full_name, base),
        "url": url,
        "html_url": f"{base}/{full_name}/commit/{commit.sha}",
        "comments_url": f"{url}/comments",
        "author": _account_or_none(commit.author_account, base),
        "committer": _account_or_none(commit.committer_account, base),
        "parents": [
            {
                "sha": parent,
                "url": f"{base}/repos/{full_name}/commits/{parent}",
                "html_url": f"{base}/{full_name}/commit/{parent}",
            }
            for parent in commit.parents
        ],
    }


def _git_commit_json(commit: Commit, full_name: str, base: str) -> Json:
    tree = commit.sha[::-1]
    return {
        "author": _signature_json(commit.author) if commit.author else None,
        "committer": _signature_json(commit.committer),
        "message": commit.message,
        "tree": {"sha": tree, "url": f"{base}/repos/{full_name}/git/trees/{tree}"},
        "url": f"{base}/repos/{full_name}/git/commits/{commit.sha}",
        "comment_count": 0,
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


def _signature_json(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": timestamp(signature.at)}


def _account_or_none(account: Account | None, base: str) -> Json | None:
    return account_json(account, base) if account else None
