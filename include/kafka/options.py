"""Options of a connection, checked before librdkafka sees them: a null as group.id ends its process.

Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from include.kafka.errors import BadKafkaOption

# What a batch relies on: offsets by assignment, nothing aborted, no jump, an end that is told, no topic made
# by asking for it.
FORCED: Mapping[str, str | bool] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
}
_REFUSED = {
    **dict.fromkeys(FORCED, "is set by Stagehouse: offsets are decided before messages are read"),
    "auto.commit.enable": "is set by Stagehouse: offsets are committed when rows are published",
    "debug": "would write messages of the protocol, with secrets, into the log",
    **dict.fromkeys(("plugin.library.paths", "ssl.engine.location"), "would load a library into the worker"),
    "sasl.kerberos.kinit.cmd": "would run a command on the worker",
}
# By the parts of their names: each version of librdkafka may have more of them.
_SECRET = re.compile(r"password|passphrase|secret|key\.pem|oauthbearer\.config")
_CALLBACKS = re.compile(r"(.*_cb|logger|on_commit|interceptors|opaque)")
_NAME = re.compile(r"[a-z][a-z0-9._]{1,99}")
_BROKER = re.compile(r"([A-Za-z_]+://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,5}))?")
_LONGEST = 20_000  # characters: a chain of certificates


def secrets_of(extra: Mapping[str, object]) -> list[str]:
    """Return the values of a connection's options that nobody is to read, checked or not."""
    return [value for name, value in extra.items() if _SECRET.search(name) and isinstance(value, str)]


def checked_options(extra: Mapping[str, object]) -> dict[str, str]:
    """Return a connection's options as librdkafka takes them. Raises: BadKafkaOption for the first bad."""
    options = {name: _checked(name, value) for name, value in extra.items()}
    servers = options.get("bootstrap.servers") or options.get("metadata.broker.list")
    if not servers:
        raise BadKafkaOption("bootstrap.servers", "is missing: name one broker or more, as host:9092")
    for server in servers.split(","):
        found = _BROKER.fullmatch(server.strip())
        if not found or (found[4] and not 0 < int(found[4]) < 65536):  # noqa: PLR2004 - the range of a port
            reason = "is no list of brokers as host:9092,host:9092; not shown, a secret may be in it"
            raise BadKafkaOption("bootstrap.servers", reason)
    return options


def _checked(name: str, value: object) -> str:
    if not _NAME.fullmatch(name):
        raise BadKafkaOption(ascii(name)[1:-1][:80], "is no name of an option")
    if name.startswith("test.") or _CALLBACKS.fullmatch(name):
        raise BadKafkaOption(name, "is not for a connection")
    if reason := _REFUSED.get(name):
        raise BadKafkaOption(name, reason)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        reason = (
            f"is {'null' if value is None else f'a {type(value).__name__}'}; a text or a number is needed"
        )
        raise BadKafkaOption(name, reason)
    text = str(value)
    if (
        not text
        or "\0" in text
        or len(text) > _LONGEST
        or any("\ud800" <= letter <= "\udfff" for letter in text)
    ):
        raise BadKafkaOption(name, f"is empty, or no text of at most {_LONGEST} characters")
    return text
