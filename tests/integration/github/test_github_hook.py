"""The GitHub connection: every mistake is one line that names connection and field."""

import asyncio
import json
import re
from base64 import b64encode

import pytest
from airflow.sdk import Connection

from include.github_stand_in.app import REQUEST_LOG
from include.http.pacing import GUARD, Pacer
from include.http.request_cost import RequestCost
from include.postgres.errors import LeaseTaken
from include.postgres.pace import SharedPacer
from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.github_hook import GitHubHook

TOKEN = "ghp_0123456789abcdef"
TOKENS = ["ghp_b", "ghp_a", "ghp_c"]


@pytest.fixture
def connect(monkeypatch, tmp_path):
    """Define github_default, as JSON in the environment, and return its hook."""

    def define(**fields):
        text = json.dumps({"conn_type": "github"} | fields)
        monkeypatch.setenv("AIRFLOW_CONN_GITHUB_DEFAULT", text)
        return GitHubHook(staging_root=tmp_path)

    return define


def test_the_defaults_of_the_contract(connect):
    """Ten requests a second, five at a time, a minute each; nothing is opened or written."""
    client = connect(host="https://api.github.com/").get_conn()
    assert str(client.base_url) == "https://api.github.com"
    assert (
        client.requests_per_second,
        client.max_concurrent_requests,
        client._transport._timeout_s,
    ) == (10, 5, 60)
    assert not client.has_token


def test_a_connection_as_uri_carries_numbers_as_text(monkeypatch, tmp_path):
    """The URI form knows only text: it is read as numbers."""
    connection = Connection(
        conn_id="x",
        conn_type="github",
        host="http://127.0.0.1:81/api/v3",
        password="p.w-d",
        extra='{"timeout_s": "7.5"}',
    )
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection.get_uri())
    client = GitHubHook("other", staging_root=tmp_path).get_conn()
    assert (str(client.base_url), client._transport.budget.tokens[0].text, client._transport._timeout_s) == (
        "http://127.0.0.1:81/api/v3",
        "p.w-d",
        7.5,
    )


async def test_processes_that_ask_at_once_share_a_pace(connect, postgres_server, monkeypatch):
    """Through Postgres, by the tokens they share; one alone needs none. So many hold the lease."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", postgres_server.airflow_connection())
    fields = {"host": "https://api.github.com", "password": "ghp_b ghp_a"}
    assert isinstance(connect(**fields).get_conn()._transport._make_pace(), Pacer)
    hook = connect(**fields, extra={"processes": 2, "requests_per_second": 5})
    pace = hook.get_conn()._transport._make_pace()
    assert isinstance(pace, SharedPacer)
    assert pace.interval_s == pytest.approx(2 * GUARD / 5)
    await pace.wait()
    await pace.close()
    with hook.lease(), hook.lease(), pytest.raises(LeaseTaken):
        hook.lease().__enter__()


def test_null_and_absent_options_are_the_defaults(connect):
    """The form of the UI saves an empty field as null."""
    extra = {"requests_per_second": None, "max_concurrent_requests": 3}
    client = connect(host="https://api.github.com", extra=extra).get_conn()
    assert (client.requests_per_second, client.max_concurrent_requests) == (10, 3)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "host"),
        ({"host": "  "}, "host"),
        ({"host": "api.github.com"}, "host"),
        ({"host": "ftp://api.github.com"}, "host"),
        ({"host": "https://"}, "host"),
        ({"host": "https://a b"}, "host"),
        ({"host": "https://x:99999"}, "host"),
        ({"host": "http://127.0.0.1:"}, "host"),
        ({"host": "https://api..github.com"}, "host"),
        ({"host": f"https://{'a' * 64}.com"}, "host"),
        ({"host": f"https://me:{TOKEN}@api.github.com"}, "host"),
        ({"host": "https://api.github.com?x=1"}, "host"),
        ({"host": "https://api.github.com", "port": 443}, "port"),
        ({"host": "https://api.github.com", "password": f"{TOKEN} é"}, "password"),
        (
            {"host": "https://api.github.com", "password": f"{TOKEN}\n" + " ".join("abcdefghijklmnopqrst")},
            "password",
        ),
        ({"host": "https://api.github.com", "extra": "{rps: 5"}, "extra"),
        ({"host": "https://api.github.com", "extra": "[1]"}, "extra"),
        ({"host": "https://api.github.com", "extra": {"rps": TOKEN}}, "extra.rps"),
        *(
            ({"host": "https://api.github.com", "extra": {name: value}}, f"extra.{name}")
            for name, value in [
                ("requests_per_second", 0),
                ("requests_per_second", -1),
                ("requests_per_second", True),
                ("requests_per_second", "fast"),
                ("requests_per_second", 1e9),
                ("requests_per_second", float("inf")),
                ("requests_per_second", float("nan")),
                ("max_concurrent_requests", 0),
                ("max_concurrent_requests", 2.5),
                ("max_concurrent_requests", 101),
                ("reserve", 1),
                ("reserve", -0.1),
                ("processes", 0),
                ("processes", 21),
                ("processes", True),
                ("timeout_s", 0),
                ("timeout_s", []),
            ]
        ),
    ],
)
def test_a_mistake_is_one_line_with_connection_and_field(connect, fields, named):
    """BadConnection, before anything is opened, without the token."""
    with pytest.raises(BadConnection) as mistake:
        connect(**fields).get_conn()
    text = str(mistake.value)
    assert mistake.value.field == named
    assert text.startswith(f"connection 'github_default', {named}")
    assert text.isprintable()
    assert TOKEN not in text


@pytest.mark.parametrize(
    "password",
    [
        f"{TOKEN};{TOKEN}",
        json.dumps([TOKEN, TOKEN]),
        f"Bearer:{TOKEN}",
        f"-----BEGIN EC PRIVATE KEY-----\n{TOKEN}+/\n-----END EC PRIVATE KEY-----",
    ],
)
def test_what_stands_between_tokens_is_named(connect, password):
    """Where it is something else, or a word is no token; no part of the text is shown."""
    with pytest.raises(BadConnection, match="tokens are separated by whitespace or commas") as mistake:
        connect(host="https://api.github.com", password=password).get_conn()
    assert not [word for word in re.split(r"\W+", password) if word and word in str(mistake.value)]


@pytest.mark.parametrize("reserve", ["10%", 10, True])
def test_a_reserve_that_is_no_share_is_told_what_one_is(connect, reserve):
    """Whatever else pydantic says of it."""
    with pytest.raises(BadConnection, match=r"extra\.reserve: .*\(a share: 0\.1 is 10 %\)\. Next: "):
        connect(host="https://api.github.com", extra={"reserve": reserve}).get_conn()


def test_a_missing_connection_is_named(monkeypatch):
    """Without a connection the error says how to make one."""
    monkeypatch.delenv("AIRFLOW_CONN_GITHUB_DEFAULT", raising=False)
    with pytest.raises(BadConnection, match="github_default"):
        GitHubHook().lease_names()


def test_the_lease_is_of_the_account(connect):
    """One name for one host and token; the token itself is not in it; host in any case."""
    (mine,) = connect(host="https://API.github.com", password=TOKEN).lease_names()
    assert (mine,) == connect(host="https://api.github.com/", password=TOKEN).lease_names()
    assert mine.startswith("github:api.github.com:")
    assert TOKEN not in mine
    assert (mine,) != connect(host="https://api.github.com").lease_names()
    assert (mine,) != connect(host="https://ghe.example/api/v3", password=TOKEN).lease_names()


@pytest.mark.parametrize("separator", [" ", ",", "\n", ",\r\n\t"])
def test_several_tokens(connect, separator):
    """Each has its lease, in one order whatever theirs is; a token that is there twice counts once."""
    password = separator.join([*TOKENS, TOKENS[0], ""])
    hook = connect(host="https://api.github.com", password=password)
    assert [token.text for token in hook.get_conn()._transport.budget.tokens] == TOKENS
    leases = hook.lease_names()
    single = [connect(host="https://api.github.com", password=token).lease_names()[0] for token in TOKENS]
    assert list(leases) == sorted(single)


def test_without_a_staging_root_there_is_no_client(connect):
    """Closed limits must be remembered somewhere."""
    connect(host="https://api.github.com")
    with pytest.raises(ValueError, match="staging_root"):
        GitHubHook().get_conn()


def test_the_token_is_masked_in_the_log(connect):
    """Each of several; also in base64."""
    from airflow.sdk._shared.secrets_masker import redact

    connect(host="https://api.github.com", password="an0ther-with.signs, s3cret-with.signs_").get_conn()
    assert redact(f"a s3cret-with.signs_ b {b64encode(b's3cret-with.signs_').decode()} c") == "a *** b *** c"


async def test_the_client_works(connect, stand_in):
    """A client of the hook talks to the API with the token."""
    app, url = await stand_in()
    async with connect(host=str(url), password=TOKEN).get_conn() as client:
        await client.get(client.url("rate_limit"), bool, RequestCost())
    assert [request.status for request in app[REQUEST_LOG].requests] == [200]


async def test_the_test_button(connect, stand_in):
    """Green for the root of an API with a good token; red, in one line without the token, for the rest."""
    _, url = await stand_in(revoked_tokens=[TOKEN])
    press = lambda **fields: asyncio.to_thread(connect(**fields).test_connection)  # noqa: E731
    well, message = await press(host=str(url))
    assert (well, "without a token" in message) == (True, True)
    well, message = await press(host=str(url), password="ghp_another_token")
    assert (well, "token is accepted" in message) == (True, True)
    well, message = await press(host=str(url), password=TOKEN)
    assert (well, "the token was rejected" in message, TOKEN in message) == (False, True, False)
    well, message = await press(host=str(url), password=f"ghp_another_token {TOKEN}")
    assert (well, "token 2 of 2: " in message, TOKEN in message) == (False, True, False)
    well, message = await press(host=f"{url}rate_limit")
    assert (well, "not the root of a GitHub API" in message) == (False, True)
    well, message = await press(host="http://127.0.0.1:9")
    assert (well, "Connect" in message) == (False, True)
    well, message = await press(host="")
    assert (well, message) == (False, message)
    assert "host" in message
