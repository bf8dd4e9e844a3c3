"""The connection of Kafka, of Airflow's own type: its options, checked, turned into a session of a client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.sdk.log import mask_secret

from include.kafka.errors import BadKafkaOption
from include.kafka.options import checked_options, secrets_of
from include.text import secret_encodings
from stagehouse.hooks.connection_fields import BadConnection, read_connection, read_extra

if TYPE_CHECKING:
    from include.kafka.session import KafkaSession


class StagehouseKafkaHook(KafkaBaseHook):
    """Makes sessions of a connection whose extra has librdkafka's options; no I/O before a method is called.

    Tokens for Amazon MSK and Google come from the provider's hook.
    """

    def session(self, **deadlines: float) -> KafkaSession:
        """Return a session, to be entered. Raises: BadConnection."""
        return self.prepared()(**deadlines)

    def prepared(self) -> Callable[..., KafkaSession]:
        """Return what makes sessions by the connection as it is now. Both raise: BadConnection."""
        options: dict[str, Any] = dict(self.options())
        options |= {name: value for name, value in self._build_config().items() if callable(value)}

        def session(**deadlines: float) -> KafkaSession:
            from include.kafka.session import KafkaSession

            try:
                return KafkaSession(f"connection {self.kafka_config_id!r}", options, **deadlines)
            except BadKafkaOption as error:
                raise BadConnection(self.kafka_config_id, f"extra.{error.option}", error.reason) from None

        return session

    def options(self) -> dict[str, str]:
        """Return the options as librdkafka takes them; logs hide the secrets then. Raises: BadConnection."""
        connection = read_connection(self.kafka_config_id)
        extra = read_extra(connection)
        secrets = secrets_of(extra)
        # Of a key in PEM each line is a secret: a log may show one of them.
        lines = [line for value in secrets for line in value.splitlines() if not line.startswith("-----")]
        mask_secret([form for secret in (*secrets, *lines) for form in secret_encodings(secret.strip())])
        if (connection.conn_type or "") != self.conn_type:
            raise BadConnection(self.kafka_config_id, "conn_type", "is not kafka")
        try:
            return checked_options(extra)
        except BadKafkaOption as error:
            raise BadConnection(self.kafka_config_id, f"extra.{error.option}", error.reason) from None

    def require_usable(self) -> None:
        """Have librdkafka read all options; no broker is asked anything. Raises: BadConnection."""
        with self.session():
            pass
