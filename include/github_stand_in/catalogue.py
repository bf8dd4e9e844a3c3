"""Finds repositories by name, whatever its case, and by id."""

from collections.abc import Sequence

from include.github_stand_in.answers import RefusedError, not_found
from include.github_stand_in.dataset import Repository


class Catalogue:
    """The repositories of a data set. Raises ValueError where two share a name or an id."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self._by_name: dict[str, Repository] = {}
        self._by_number: dict[str, Repository] = {}
        for repository in repositories:
            for name in filter(None, (repository.full_name, repository.moved_to)):
                if self._by_name.setdefault(name.lower(), repository) is not repository:
                    raise ValueError(f"two repositories are called {name}")
            if self._by_number.setdefault(str(repository.id), repository) is not repository:
                raise ValueError(
                    f"two repositories have the id {repository.id}, one is {repository.full_name}"
                )

    def named(self, owner: str, name: str) -> Repository:
        """Return the repository of that name, of today or of former days. Raises RefusedError (404)."""
        return _known(self._by_name.get(f"{owner}/{name}".lower()))

    def numbered(self, number: str) -> Repository:
        """Return the repository of that id. Raises RefusedError (404)."""
        return _known(self._by_number.get(number))


def _known(repository: Repository | None) -> Repository:
    if repository is None:
        raise RefusedError(not_found())
    return repository
