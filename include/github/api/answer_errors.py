"""Errors for GitHub responses other than the requested data, in words for the person on call.

AnswerError ── Unauthorized, Forbidden, NotFound, Empty, Blocked, Invalid, Unexpected
"""

from __future__ import annotations

from include.errors import PermanentError
from include.http.errors import AnswerError


class Unauthorized(AnswerError, PermanentError):
    """401: the token was rejected. We never go on without it."""

    what = "the token was rejected"
    next_step = "put a valid token into the password of the GitHub connection"


class Forbidden(AnswerError, PermanentError):
    """403 that is no rate limit: rights, single sign-on, an IP allow list."""

    what = "forbidden, and no rate limit"
    next_step = "check the rights of the token in the GitHub connection"


class NotFound(AnswerError):
    """404: deleted, private, or not visible with this token."""

    what = "not found (deleted, private, or hidden)"
    next_step = "check the host of the GitHub connection, and what its token may see"


class Empty(AnswerError):
    """409 with the message "Git Repository is empty.": there are no commits."""

    what = "the repository is empty"


class Blocked(AnswerError):
    """451: taken down (DMCA, terms of service)."""

    what = "blocked"
    next_step = "read GitHub's notice at this address, and leave it out for as long as that stands"


class Invalid(AnswerError, PermanentError):
    """422: GitHub understood the request and refuses it."""

    what = "refused as invalid"
    next_step = "check the params query and top of this run"


class Unexpected(AnswerError):
    """A status that this client does not know."""

    next_step = "check that the host of the GitHub connection is the root of a GitHub API"
