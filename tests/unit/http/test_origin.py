"""Which addresses are of one server, however they are written."""

import pytest
from yarl import URL

from include.http.origin import origin_of
from include.http.tokens import Token

SAME = [
    ("https://api.github.com:443", "https://api.github.com/search?page=2"),
    ("https://api.github.com", "https://api.github.com:443/search"),
    ("http://127.0.0.1:80/api/v3", "http://127.0.0.1/api/v3/x"),
    ("http://[::1]:80", "http://[0:0:0::1]/x"),
    ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
    ("HTTPS://API.GitHub.com:443", "https://api.github.com"),
    ("https://ghe.example:8443", "https://GHE.example:8443/x"),
]
DIFFERENT = [
    ("https://api.github.com:443", "http://api.github.com:443"),
    ("https://api.github.com:80", "https://api.github.com"),
    ("http://api.github.com:443", "http://api.github.com"),
    ("http://api.github.com:80", "https://api.github.com"),
    ("https://api.github.com:443", "https://api.github.com.evil.example"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_default_port_that_is_written_out_is_the_same_server(one, other):
    """With and without it, for IPv6 and for upper case too; the account of a token is the same one."""
    assert origin_of(URL(one)) == origin_of(URL(other))
    assert Token("t").account("api", one) == Token("t").account("api", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_port_or_scheme_is_another_server(one, other):
    """The default port of https is none of http."""
    assert origin_of(URL(one)) != origin_of(URL(other))


def test_an_address_without_a_host_is_of_no_server():
    """It is for the caller to refuse."""
    with pytest.raises(ValueError, match="absolute"):
        origin_of(URL("/x"))
