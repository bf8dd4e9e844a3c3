"""The fields kept of GitHub's responses, checked at the boundary. Unknown fields are dropped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from include.text import clean_text, first_problem, safe_repr

UNKNOWN_AUTHOR = "(unknown)"
AUTHOR_CHARACTERS = (
    20_000  # git sets no bound to a name; a longer one is cut so that it cannot fill the memory
)
INT32 = 2**31
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _cleaned(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def _no_number(value: Any) -> Any:
    # Seconds, or milliseconds: a number is not the API we know either, nor is one written as text.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DAY.match(value)):
        raise ValueError("no time written as text")
    return value


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


# Strict numbers: "5" or true where a number belongs is not the API we know.
Count = Annotated[int, Field(strict=True, ge=0, lt=INT32)]
Text = Annotated[str, BeforeValidator(_cleaned)]
# The bounds of DateTime in ClickHouse: a moment outside would be stored as another one without a word.
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_no_number),
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2106, 1, 1, tzinfo=UTC)),
    AfterValidator(_in_utc),
]
# What GitHub allows in a name, and nothing that would climb in a path ("." and "..") or end a line.
PathSegment = Annotated[str, Field(pattern=r"\A[A-Za-z0-9._-]+\z", max_length=100)]


def _not_dots(name: str) -> str:
    if name in (".", ".."):
        raise ValueError("a name cannot be . or ..")
    return name


Name = Annotated[PathSegment, AfterValidator(_not_dots)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Owner(_Answer):
    """The owner of a repository."""

    login: Name


class Repository(_Answer):
    """One item of the search answer.

    `watchers` equals `stars` by GitHub's own definition of watchers_count. `language` is '' where GitHub
    says null; `pushed_at` is None where it is not known.
    """

    id: Annotated[int, Field(strict=True, ge=1, lt=2**63)]
    owner: Owner
    name: Name
    stars: Count = Field(alias="stargazers_count")
    watchers: Count = Field(alias="watchers_count")
    forks: Count = Field(alias="forks_count")
    language: Annotated[Text, BeforeValidator(lambda value: "" if value is None else value)] = ""
    updated_at: Moment
    pushed_at: Moment | None = None

    @property
    def full_name(self) -> str:
        """`owner/name`, as GitHub spells it."""
        return f"{self.owner.login}/{self.name}"


class SearchPage(_Answer):
    """One page of /search/repositories."""

    total_count: int = Field(strict=True, ge=0)
    incomplete_results: bool = Field(strict=True)
    items: list[Repository]


class Account(_Answer):
    """The GitHub account a commit is linked to; GitHub sends {} for some."""

    login: str | None = None


class Author(NamedTuple):
    """The author of a commit. Attributes: name; cleaned, it is not what was sent: see clean_text, or cut."""

    name: str
    cleaned: bool


class Signature(_Answer):
    """The author as git has it: free text as it was sent, all of it optional."""

    name: str | None = None
    email: str | None = None


class Committed(_Answer):
    """The date of a commit in its present form: not bounded, histories hold any year."""

    date: Annotated[AwareDatetime, BeforeValidator(_no_number)]


class CommitDetail(_Answer):
    """The git side of a commit."""

    author: Signature | None = None
    committer: Committed


class Commit(_Answer):
    """One item of /repos/{owner}/{name}/commits."""

    sha: Annotated[str, Field(pattern=r"\A[0-9a-f]{40,64}\z")]
    commit: CommitDetail
    account: Account | None = Field(default=None, alias="author")

    @property
    def committed_at(self) -> datetime:
        """The committer date: what GitHub's since/until and our `day` mean."""
        return self.commit.committer.date

    @property
    def author(self) -> Author:
        """Login of the account; else git's author name; else its e-mail; else '(unknown)'."""
        signature = self.commit.author or Signature()
        for sent in (self.account and self.account.login, signature.name, signature.email):
            if sent and (name := clean_text(sent)).strip():
                return Author(name[:AUTHOR_CHARACTERS], name != sent or len(name) > AUTHOR_CHARACTERS)
        return Author(UNKNOWN_AUTHOR, cleaned=False)


_COMMITS = TypeAdapter(list[Commit])


def read_search_page(value: JsonValue) -> SearchPage:
    """Check one page of a search. Raises: ValueError, also where GitHub says that the page is incomplete."""
    page = read_divisible_page(value)
    if page.incomplete_results:
        raise ValueError("incomplete_results: the search ran out of time, repositories may be missing")
    return page


def read_divisible_page(value: JsonValue) -> SearchPage:
    """Check one page of a search that may be incomplete, and says so. Raises: ValueError."""
    try:
        return SearchPage.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"not a page of search results: {first_problem(error)}") from error


def read_commits(value: JsonValue) -> list[Commit]:
    """Check one page of commits. Raises: ValueError, which names the commit."""
    try:
        return _COMMITS.validate_python(value)
    except ValidationError as error:
        place = error.errors(include_url=False, include_context=False)[0]["loc"]
        item = value[place[0]] if place and isinstance(value, list) and isinstance(place[0], int) else None
        sha = item.get("sha") if isinstance(item, dict) else None
        raise ValueError(f"commit {safe_repr(sha)}: {first_problem(error)}") from error
