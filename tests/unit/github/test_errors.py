"""Errors travel between processes and are read at night."""

import inspect
import pickle
from datetime import UTC, date, datetime

import pytest

from include.github import errors
from include.github.api import answer_errors
from include.github.api import errors as api_errors
from include.github.api.errors import GitHubError
from include.github.commits import errors as commits_errors
from include.github.search import errors as search_errors
from include.http.errors import HttpError

KINDS = [
    kind
    for module in (errors, api_errors, answer_errors, commits_errors, search_errors)
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, HttpError) and kind is not GitHubError
    if kind.__module__ == module.__name__
]
SAMPLES = {
    "int": 7,
    "str": "https://api.github.com/x",
    "date": date(2026, 8, 20),
    "datetime": datetime(2026, 8, 20, tzinfo=UTC),
    "tuple[str, ...]": ("a", "b"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_survives_pickling_with_its_facts(kind):
    """Arguments, attributes and text are the same on the other side."""
    parameters = list(inspect.signature(kind).parameters.values())
    error = kind(*(SAMPLES[parameter.annotation] for parameter in parameters))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.args, str(copy), vars(copy)) == (kind, error.args, str(error), vars(error))
    for parameter in parameters:
        assert str(getattr(copy, parameter.name)) in str(SAMPLES[parameter.annotation])
