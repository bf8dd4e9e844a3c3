"""The base of all errors.

Each is a class of attrs whose fields are the facts, in the order in which they are pickled. Its text is those
facts, then ". Next: " and a verb: what the person on call does. tests/unit/test_errors.py holds them to it.
"""

from __future__ import annotations


class PermanentError(Exception):
    """No retry helps: what it names has to be mended first. The DAGs let a task fail by it at once."""


def facts_of(error: Exception) -> str:
    """Return what an error says without its next step, for a text that has one of its own, or none."""
    return str(error).partition(". Next: ")[0]
