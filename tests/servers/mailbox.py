"""A mail server that keeps what it gets: Airflow's own e-mail notifier talks SMTP to it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest


class Mailbox:
    """The server, in a thread.

    Attributes: port; mails, in the order they came; refuses, all that come; refuses_logins.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = self.refuses_logins = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._wait(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def airflow_connection(self, **fields: object) -> str:
        """The connection `smtp_default` of it, as JSON, with these fields too."""
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
        extra |= {"timeout": 5, "retry_limit": 0}
        return json.dumps(
            {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra} | fields
        )

    def lines(self) -> list[tuple[str, str]]:
        """Subject and text of each mail."""
        return [(mail["subject"], mail.get_body().get_content().strip()) for mail in self.mails]

    def stop(self) -> None:
        """End the server and its thread."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mailbox\r\n")
        while line := await reader.readline():
            match line[:4].upper():
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    data = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append(message_from_bytes(data[:-3], policy=policy.default))
                    answer = b"250 kept"
                case b"EHLO":
                    answer = b"250-mailbox\r\n250 AUTH PLAIN"
                case b"AUTH":
                    answer = b"535 not with that" if self.refuses_logins else b"235 you are in"
                case b"MAIL" if self.refuses:
                    answer = b"550 no mail today"
                case b"QUIT":
                    break
                case _:
                    answer = b"250 well"
            writer.write(answer + b"\r\n")
        writer.close()

    def _wait(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """An empty mailbox."""
    server = Mailbox()
    yield server
    server.stop()
