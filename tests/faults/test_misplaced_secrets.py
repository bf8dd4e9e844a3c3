"""Secrets where they do not belong: the error names connection and field, and shows none of them."""

import asyncio
import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from airflow.sdk.log import redact
from psycopg import pq

from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.connection_fields import read_connection
from stagehouse.hooks.github_hook import GitHubHook
from stagehouse.hooks.postgres_hook import CHOICES, NUMBERS, SECRETS, StagehousePostgresHook
from stagehouse.hooks.storage_roots import require_storage
from tests.faults.canaries import Canary, forms, leaks

CANARY = Canary("Egret")
WORD = "Egret1and2letters3only"  # as tokens are: nothing tells it from a name but where it stands
RIGHT = {
    "github": {"host": "http://127.0.0.1:1"},
    "clickhouse": {"host": "127.0.0.1", "port": 1},
    "postgres": {"host": "127.0.0.1", "port": 1, "login": "u", "schema": "d"},
    "aws": {"login": "AKIA", "extra": {"endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}},
}
AS_URLS = ("https://u:{}@host", "https://{}@host", "https://host?token={}", "https://host#{}", "ftp://{}/")
NEVER_RIGHT = [
    *(("github", "host", text) for text in ("{}", *AS_URLS)),
    *(("github", f"extra.{name}", "{}") for name in ("timeout_s", "requests_per_second")),
    ("github", "extra.max_concurrent_requests", "{}"),
    ("github", "password", "ghp_another {} \u00e9"),
    *((kind, "port", "{}") for kind in RIGHT),
    *(("clickhouse", "host", text) for text in ("u:{}@host", "{}@host", "host:{}", "host/{}", *AS_URLS)),
    *(("clickhouse", f"extra.{name}", "{}") for name in ("connect_timeout", "secure", "compression", "path")),
    *(("clickhouse", "extra.alt_hosts", text) for text in ("u:{}@host:9000", "https://u:{}@host")),
    *(("postgres", "host", text) for text in ("u:{}@host", "{}@host", "host:{}", *AS_URLS)),
    *(("postgres", f"extra.{name}", "{}") for name in sorted({*CHOICES, *NUMBERS})),
    *(("aws", "extra.endpoint_url", text) for text in ("{}", *AS_URLS)),
    *((kind, "extra", '{{"name": {}') for kind in RIGHT),
]
OPTIONS = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} - SECRETS
NAMES_OR_PATHS = sorted(OPTIONS - {*CHOICES, *NUMBERS, "user", "dbname"})
A_NAME_IS_RIGHT = [
    ("clickhouse", "host", "{}"),
    ("postgres", "host", "{}"),
    ("github", "host", "https://{}"),
    ("github", "host", "https://host/{}"),
    *((kind, field, "{}") for kind in ("clickhouse", "postgres") for field in ("schema", "login")),
    ("clickhouse", "extra.settings", {"max_threads": "{}"}),
    *(("postgres", f"extra.{name}", "{}") for name in NAMES_OR_PATHS),
    ("aws", "extra.region_name", "{}"),
]
WAYS = [
    *((CANARY, *way) for way in (*NEVER_RIGHT, *A_NAME_IS_RIGHT)),
    *((WORD, *way) for way in NEVER_RIGHT),
]
ROOTS = [
    "s3://AKIA:{}@bucket/p",
    "s3://:{}@bucket",
    "s3://{}:@bucket",
    "https://u:{}@host/p",
    "file://u:{}@h/p",
]
ROOTS += ["s3://[{}", "s3://AKIA:{}/p", "{}"]
NAMES = [
    "api_key",
    "token",
    "secret",
    "password",
    "aws_session_token",
    "aws_secret_access_key",
    "sslpassword",
]
NAMES += ["private_key", "Authorization", "scram_client_key"]
IN_EXTRA = [{name: str(CANARY)} for name in NAMES]
IN_EXTRA += [{"proxies": {"https": str(CANARY)}}, {"session_kwargs": [{"token": str(CANARY)}]}]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], object]]:
    """How each kind of connection is used."""
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", "s3://bucket/prefix")
    return {
        "github": lambda: GitHubHook(staging_root=tmp_path).get_conn(),
        "clickhouse": lambda: ClickHouseHook().get_client().execute("SELECT 1"),
        "postgres": lambda: asyncio.run(StagehousePostgresHook().check_health()),
        "aws": lambda: require_storage("staging_root"),
    }


def define(monkeypatch: pytest.MonkeyPatch, kind: str, field: str, value: object) -> None:
    """Define a connection that is right, but for this field."""
    fields = {"conn_type": kind, **RIGHT[kind]}
    if (option := field.removeprefix("extra.")) != field:
        fields["extra"] = {**RIGHT[kind].get("extra", {}), option: value}
    else:
        fields[field] = value
    monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}_DEFAULT", json.dumps(fields))


def put(secret: str, text: str | dict[str, str]) -> object:
    """Write the secret into the text, or into what is in it."""
    if isinstance(text, dict):
        return {name: put(secret, inner) for name, inner in text.items()}
    return text.format(secret)


def require_unseen(secret: str, texts: dict[str, str]) -> None:
    """In no form, whole or half."""
    found = [text for text in texts.values() if WORD in text] if secret == WORD else []
    assert found + leaks([CANARY], {name: text.encode() for name, text in texts.items()}) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way[1:])))
def test_a_secret_in_a_wrong_field(
    ask: dict,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    caplog: pytest.LogCaptureFixture,
    way: tuple,
):
    """Is refused by connection and field, before anything is opened; nothing shows it."""
    secret, kind, field, text = way
    reset_secrets_masker()  # no log helps
    define(monkeypatch, kind, field, put(secret, text))
    with pytest.raises(Exception, match=f"^connection '{kind}_default', {field}: ") as refused:
        ask[kind]()
    told = "".join(traceback.format_exception(refused.value))
    said = "".join(capfd.readouterr())
    require_unseen(secret, {"error": told, "repr": repr(refused.value), "output": said, "log": caplog.text})


@pytest.mark.parametrize("secret", [CANARY, WORD], ids=["canary", "word"])
@pytest.mark.parametrize("text", ROOTS)
def test_a_secret_in_a_root(monkeypatch: pytest.MonkeyPatch, secret: str, text: str):
    """Is refused by the variable's name. A secret key may hold a "/"."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT", raising=False)
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", text.format(secret))
    with pytest.raises(Exception, match=r"^variable 'staging_root': ") as refused:
        require_storage("staging_root")
    require_unseen(secret, {"error": "".join(traceback.format_exception(refused.value))})


@pytest.mark.parametrize("extra", IN_EXTRA, ids=str)
def test_a_secret_in_extra_is_masked_in_each_form(monkeypatch: pytest.MonkeyPatch, extra: dict):
    """By its own name, or that of what it is in; what has no such name is as it was."""
    reset_secrets_masker()
    open_to_all = {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:1", "keepalives": "20000"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": extra | open_to_all})
    )
    read_connection("aws_default")
    for form, text in forms(CANARY).items():
        if form != "cut":  # nobody but the canary's own oracle could find that
            assert leaks([CANARY], {form: str(redact(f"a {text} b")).encode()}) == []
    assert redact(f"{open_to_all}") == f"{open_to_all}"
