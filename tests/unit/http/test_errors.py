"""What a task makes of an error of HTTP; their texts are tested in tests/unit/test_errors.py."""

from include.errors import PermanentError
from include.http.errors import RequestOutcomeUnknown


def test_a_task_does_not_try_again_what_may_have_been_done():
    """Airflow's retry of the task would send it a second time."""
    assert issubclass(RequestOutcomeUnknown, PermanentError)
