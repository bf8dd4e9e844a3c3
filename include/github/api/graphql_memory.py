"""That a server has no GraphQL: found out once, and known to whatever asks in the same run from then on."""

from __future__ import annotations

from include.staging.files import StagingPath, write_atomically

FILE = "no_graphql"  # in the run's directory


class GraphQLMemory:
    """What a run knows. Args: directory: of the run; None: known to this process only."""

    def __init__(self, directory: StagingPath | None = None) -> None:
        self._path = directory and directory / FILE
        self._refusal: str | None = None

    def recall(self) -> str:
        """Return how the server said that it has none, '' where it did not. Raises: OSError."""
        if self._refusal is None:
            try:
                self._refusal = self._path.read_bytes().decode("utf-8", "replace") if self._path else ""
            except FileNotFoundError:
                self._refusal = ""
        return self._refusal

    def remember(self, refusal: str) -> None:
        """Keep it. Raises: OSError."""
        self._refusal = refusal
        if self._path:
            write_atomically(self._path, refusal.encode("utf-8", "replace"))
