"""Options of a connection are refused by name before librdkafka sees them, which some of them would end."""

import pytest

from include.kafka.errors import BadKafkaOption
from include.kafka.options import FORCED, checked_options, secrets_of
from include.kafka.session import KafkaSession

SERVERS = {"bootstrap.servers": "127.0.0.1:1"}
SECRET = "s3cret-in-a-wrong-place"


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("group.id", None, "is null; a text or a number is needed"),
        ("group.id", ["a"], "is a list"),
        ("group.id", {"a": 1}, "is a dict"),
        ("group.id", "", "is empty"),
        ("group.id", "a\0b", "no text"),
        ("group.id", "\ud800", "no text"),
        ("ssl.ca.pem", "x" * 20_001, "at most 20000"),
        ("debug", "all", "secrets"),
        ("plugin.library.paths", "x.so", "library"),
        ("ssl.engine.location", "x.so", "library"),
        ("sasl.kerberos.kinit.cmd", "rm -rf /", "command"),
        ("error_cb", "os.system", "not for a connection"),
        ("on_commit", "os.system", "not for a connection"),
        ("test.mock.num.brokers", 3, "not for a connection"),
        ("Group.Id", "a", "no name of an option"),
        ("bootstrap.servers", "http://a:b@c", "no list of brokers"),
        ("bootstrap.servers", "a:0", "no list of brokers"),
        ("bootstrap.servers", "a:65536", "no list of brokers"),
        ("bootstrap.servers", "a:9092,,b", "no list of brokers"),
        *((name, "x", "is set by Stagehouse") for name in FORCED),
    ],
)
def test_what_is_refused(option: str, value: object, reason: str):
    """With the option and the reason, without the value."""
    with pytest.raises(BadKafkaOption, match=reason) as refused:
        checked_options({**SERVERS, option: value})
    assert refused.value.option == option


def test_no_brokers():
    """Are named too."""
    with pytest.raises(BadKafkaOption, match=r"bootstrap\.servers: is missing"):
        checked_options({"group.id": "a"})


def test_secrets_are_known_by_their_names():
    """Of what librdkafka 2.16 takes, and of what a later one may."""
    secret = {
        "sasl.password": "a",
        "ssl.key.password": "b",
        "ssl.key.pem": "c",
        "ssl.keystore.password": "d",
        "sasl.oauthbearer.config": "e",
        "sasl.oauthbearer.client.secret": "f",
        "sasl.oauthbearer.client.credentials.client.secret": "g",
        "sasl.oauthbearer.assertion.private.key.pem": "h",
        "sasl.oauthbearer.assertion.private.key.passphrase": "i",
        "some.day.secret.key": "j",
    }
    others = dict.fromkeys(("sasl.username", "ssl.ca.pem", "ssl.certificate.pem", "ssl.key.location"), "x")
    assert secrets_of(secret | others | {"ssl.key.pem.too": None, "message.max.bytes": 5}) == [*"abcdefghij"]


def test_what_is_taken():
    """Texts, numbers, and truth values as librdkafka writes them."""
    given = {"bootstrap.servers": "SSL://a:1, [::1]:9092,b", "socket.timeout.ms": 5, "check.crcs": True}
    assert checked_options(given) == {
        "bootstrap.servers": "SSL://a:1, [::1]:9092,b",
        "socket.timeout.ms": "5",
        "check.crcs": "true",
    }


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("no.such.option", SECRET),
        ("security.protocol", SECRET),
        ("security.protocol", f"{SECRET}.with.dots"),
        ("fetch.min.bytes", "-5"),
        ("sasl.mechanism", SECRET),
        ("ssl.key.pem", SECRET),
        ("ssl.ca.location", f"/{SECRET}"),
    ],
)
def test_what_librdkafka_refuses_is_named_without_its_value(option: str, value: str):
    """The value may be a secret in a wrong place."""
    protocol = {"security.protocol": "sasl_ssl" if option.startswith("sasl") else "ssl"}
    with pytest.raises(BadKafkaOption) as refused:
        KafkaSession("here", {**SERVERS, **protocol, option: value})
    assert refused.value.option == option
    assert SECRET not in str(refused.value)
