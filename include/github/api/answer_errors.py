"""What an answer of GitHub may be but what was asked for, in words for the person on call.

AnswerError ── Transient, Unauthorized, Forbidden, NotFound, Empty, Blocked, Invalid, Unexpected
"""

from __future__ import annotations

from typing import ClassVar

from include.errors import PermanentError
from include.github.api.errors import GitHubError


class AnswerError(GitHubError):
    """GitHub answered, but not with what was asked for.

    Attributes: url; status, the HTTP status; detail, what the answer says; request_id, GitHub's name of the
    request (x-github-request-id), which its support asks for.
    """

    what: ClassVar[str] = "unexpected answer"
    next_step: ClassVar[str] = ""

    def __init__(self, url: str, status: int, detail: str, request_id: str = "") -> None:
        super().__init__(url, status, detail, request_id)
        self.url, self.status, self.detail, self.request_id = url, status, detail, request_id

    def __str__(self) -> str:
        request = f" [x-github-request-id {self.request_id}]" if self.request_id else ""
        return f"{self.url}: {self.status}, {self.what}: {self.detail}{request}{self.next_step}"


class Transient(AnswerError):
    """The server is unwell or the answer is not whole: asking again may help."""

    what = "not a usable answer"


class Unauthorized(AnswerError, PermanentError):
    """401: the token was rejected. We never go on without it."""

    what = "the token was rejected"
    next_step = ". Put a valid token into the password of the GitHub connection"


class Forbidden(AnswerError, PermanentError):
    """403 that is no rate limit: rights, single sign-on, an IP allow list."""

    what = "forbidden"
    next_step = ". No rate limit: check the rights of the token in the GitHub connection"


class NotFound(AnswerError):
    """404: deleted, private, or not visible with this token."""

    what = "not found"
    next_step = ". Deleted, private, or not to be seen with the host and token of the GitHub connection"


class Empty(AnswerError):
    """409 with the message "Git Repository is empty.": there are no commits."""

    what = "the repository is empty"


class Blocked(AnswerError):
    """451: taken down (DMCA, terms of service)."""

    what = "blocked"


class Invalid(AnswerError, PermanentError):
    """422: GitHub understood the request and refuses it."""

    what = "refused as invalid"
    next_step = ". Check the params query and top of this run"


class Unexpected(AnswerError):
    """A status that this client does not know."""

    next_step = ". Check that the host of the GitHub connection is the root of a GitHub API"
