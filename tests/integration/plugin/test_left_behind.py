"""The search of what a running stack shows, which the tests of whole stacks end with."""

import pytest

from tests.faults import left_behind
from tests.integration.plugin.api_server import ApiServer


def test_every_page_that_is_searched_is_shown(server: ApiServer):
    """To an administrator; what is not shown was not searched, and is an error."""
    with server.client("admin") as admin:
        shown = left_behind.pages(admin)
    assert b"Phrase views" in shown["/stagehouse/phrase-views/"]
    with server.client("viewer") as viewer, pytest.raises(AssertionError, match="/api/v2/connections"):
        left_behind.pages(viewer)
