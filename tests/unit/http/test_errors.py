"""Errors travel between processes, are read at night, and say what to do."""

import inspect
import pickle
from datetime import UTC, datetime

import pytest

from include.errors import PermanentError
from include.http import errors
from include.http.errors import AnswerError, HttpError, RequestOutcomeUnknown

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, HttpError) and kind is not HttpError
]
SAMPLES = {
    "int": 7,
    "str": "https://api.example/x",
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
        if not issubclass(kind, AnswerError) and kind is not errors.RateLimitedUntil:
            assert ". Next: " in str(copy)


def test_a_task_does_not_try_again_what_may_have_been_done():
    """Airflow's retry of the task would send it a second time."""
    assert issubclass(RequestOutcomeUnknown, PermanentError)
