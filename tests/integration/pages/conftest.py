"""A server for rendered pages, and a browser that notices what a page may not do."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.integration.pages.site import Site
from tests.servers.chromium import chromium


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A server for one page at a time."""
    site = Site()
    yield site
    site.stop()


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser for all tests of pages."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Chrome) -> Iterator[Chrome]:
    """The same; when the test ends no console error has been shown and no other file been asked for."""
    one_browser.get_log("browser")
    yield one_browser
    assert [entry for entry in one_browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert [name for name in one_browser.execute_script(asked) if "favicon" not in name] == []
