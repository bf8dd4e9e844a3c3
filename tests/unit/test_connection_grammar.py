"""What belongs into a connection is taken; what does not, tests/faults/test_misplaced_secrets.py has."""

import string
from collections.abc import Callable

import pytest

from stagehouse.hooks.connection_grammar import (
    NO_NAME,
    NO_REGION,
    NOT_PLAIN,
    is_host,
    is_name,
    is_option,
    is_url,
)


@pytest.mark.parametrize(
    "host", ["localhost", "db", "db_1", "db-1.example.org", "db.example.org.", "10.0.0.7", "::1", "fe80::1:2"]
)
def test_hosts(host: str):
    """Names, as compose's services have them too, and addresses of both kinds."""
    assert is_host(host)


@pytest.mark.parametrize(
    "name",
    ["airflow", "me@tenant.example", "DOMAIN\\me", "app-user", "пользователь", "a$b", "stagehouse (prod)"],
)
def test_names(name: str):
    """Of databases and logins, as the cloud's databases and directories give them."""
    assert is_name(name)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com",
        "HTTPS://GitHub.example.org/api/v3",
        "http://127.0.0.1:8081",
        "http://[::1]:8081",
        "https://account.r2.cloudflarestorage.com",
        "http://minio:9000/",
    ],
)
def test_urls(url: str):
    """Of GitHub, of GitHub Enterprise, of stores of S3."""
    assert is_url(url)


@pytest.mark.parametrize(
    "value",
    [
        "-c search_path=a,b -c statement_timeout=5s",
        '-c search_path="$user",public',
        "stagehouse (prod)",
        "/home/a+b/root.crt",
        "/etc/ssl/certs/ca-certificates.crt",
        "/home/me/.postgresql/root 2.crt",
        "TLSv1.3",
        "!password,scram-sha-256",
        "C:\\keys\\client.key",
        "",
    ],
)
def test_options(value: str):
    """Of libpq and of ClickHouse."""
    assert is_option(value)


@pytest.mark.parametrize(
    ("is_right", "told"), [(is_name, NO_NAME), (is_option, NOT_PLAIN), (is_host, NO_REGION)]
)
def test_the_message_lists_what_is_allowed(is_right: Callable[[str], bool], told: str):
    """Each sign, and no other."""
    signs = {sign for sign in string.punctuation if is_right(f"a{sign}b")}
    listed = told.split(" and ")[1].split(" are allowed", maxsplit=1)[0]
    assert set(listed.split()) == signs
    assert is_right("a b") == ("spaces" in told)
