"""What all errors that no retry helps have in common."""

from __future__ import annotations


class PermanentError(Exception):
    """No retry helps: what it names has to be mended first. The DAGs let a task fail by it at once."""
