"""A rendered page, served as the plugin serves it, and the windows it is looked at through."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from selenium.webdriver import Chrome

from include.pages.policy import content_security_policy


class Site:
    """Serves one page under its policy. Attributes: url; html, what is served."""

    def __init__(self) -> None:
        self.html = b""
        site = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                policy = f"{content_security_policy(site.html)}; sandbox allow-scripts"
                self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(site.html)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/page"

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def window(browser: Chrome, width: int) -> Iterator[None]:
    """A window of that many pixels, a phone's below 500."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def medium(browser: Chrome, medium: str = "", **features: str) -> Iterator[None]:
    """`print`, or features such as prefers_color_scheme."""
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": wanted})
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
