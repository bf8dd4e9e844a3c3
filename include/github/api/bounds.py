"""Limits on waiting for GitHub and on retries."""

from __future__ import annotations

from dataclasses import dataclass

from include.http.bounds import Bounds


@dataclass(frozen=True)
class GitHubBounds(Bounds):
    """The bounds of every API, and those of GitHub's lists and replicas. Times in seconds.

    The minute of refusal_wait_s is GitHub's own, after a secondary limit that names no time:
    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api

    Attributes:
        gone_delay_s: before a 404 is asked for once more: replicas of GitHub lag for a moment.
        pages: of one list; past it the run fails. At 100 a page that is 100,000 commits of one repository in
            a day, ten times what the busiest has.
    """

    gone_delay_s: float = 1.0
    pages: int = 1000
