"""Passwords and tokens are nowhere: canaries in every connection, over green and red runs of the DAGs."""

import json
import socket
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from airflow.sdk.log import mask_secret
from psycopg2 import sql

from include.github.api.responses import read_value
from include.github_stand_in.faults import Fault
from include.http.answers import Answer
from include.http.errors import AnswerError
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from stagehouse.hooks.github_hook import GitHubHook
from stagehouse.hooks.postgres_hook import StagehousePostgresHook
from stagehouse.pipeline.notifications import LONGEST_REASON, failure_notice
from tests.clock import DAY
from tests.dags.sample_github import sample_github
from tests.faults.canaries import command_lines, forms, leaks
from tests.faults.canary_place import (
    AWS,
    AWS_LOGIN,
    BUCKET,
    CANARIES,
    CLICKHOUSE,
    GITHUB,
    GITHUB_TOO,
    POSTGRES,
    SECRETS,
    Place,
)
from tests.faults.dag_process import DagProcess
from tests.integration.plugin.api_server import ApiServer
from tests.servers.clickhouse import running_clickhouse
from tests.servers.free_port import free_ports
from tests.servers.mailbox import Mailbox
from tests.servers.object_store import ObjectStore
from tests.servers.postgres import PostgresServer

MAIN, IMPORT, REPORT = "github_top_repositories", "phrases_views_import", "phrase_views_report"
HEALTH, WATCH = "postgres_health", "day_published_watch"
COUNTERS = f"campaign_id,phrase,views,dt\n7,a,1,{DAY} 10:00:00\n7,a,5,{DAY} 11:00:00\n"
PAGES = ("/db/version", "/phrase-views/", "/top-repositories/", f"/top-repositories/{DAY}/index.html")
USER = """<yandex><users><canary>
    <password_sha256_hex>{}</password_sha256_hex><profile>default</profile><quota>default</quota>
    <networks><ip>127.0.0.1</ip></networks>
</canary></users></yandex>"""


@pytest.fixture(scope="module")
def place(
    metadb: None, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """All servers, with an account whose password is a canary."""
    directory, database = tmp_path_factory.mktemp("written"), tmp_path_factory.mktemp("clickhouse")
    (directory / "inbox").mkdir()
    (directory / "inbox" / "a.csv").write_text(COUNTERS)
    (database / "users.d").mkdir()
    (database / "users.d" / "canary.xml").write_text(USER.format(sha256(CLICKHOUSE.encode()).hexdigest()))
    create = sql.SQL("CREATE ROLE canary SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(POSTGRES))
    postgres_server.execute(create)
    mailbox, store = Mailbox(), ObjectStore()
    try:
        store.s3.create_bucket(Bucket=BUCKET)
        store.check_keys(on=False)
        with sample_github() as github, running_clickhouse(directory=database) as clickhouse:
            clickhouse.execute("CREATE DATABASE stagehouse")
            yield Place(github, clickhouse, postgres_server, mailbox, store, directory)
    finally:
        mailbox.stop()
        store.stop()
        postgres_server.execute("DROP ROLE canary")


@pytest.fixture(scope="module")
def run(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """Run a DAG, and hold all that it said and left to the oracle; return the states and what it said."""
    with DagProcess(tmp_path_factory.mktemp("output") / "output.log") as process:

        def run_dag(dag_id: str, write=as_it_is, kinds=(), roots=None, **how) -> tuple[dict[str, str], str]:
            environment = place.environment(write, *kinds) | (roots or {})
            states, said = process.run(dag_id, environment, **how)
            assert "[DAG TEST]" in said
            assert leaks(CANARIES, place.texts(said)) == []
            return states, said

        yield run_dag


def test_every_form_of_a_secret_is_found():
    """The oracle of this file can fail."""
    for canary in CANARIES:
        for form, text in forms(canary).items():
            assert leaks(CANARIES, {form: f"a {text} b".encode()}), form


def test_green_runs_show_no_secret(run: Callable, place: Place):
    """Every DAG that publishes, and what its runs leave."""
    for dag_id, conf in ((MAIN, {"top": 5}), (IMPORT, {"path": "a.csv"}), (REPORT, {}), (WATCH, {})):
        states, _ = run(dag_id, conf=conf)
        assert set(states.values()) == {"success"}, (dag_id, states)


def test_a_green_run_on_s3_shows_no_secret(run: Callable, place: Place):
    """Neither the store's keys, nor the token of a session, also in what is in the bucket."""
    states, _ = run(MAIN, roots=place.on_s3(as_it_is), conf={"top": 5})
    assert set(states.values()) == {"success"}, states
    assert {key.split("/")[0] for key in place.store.files(BUCKET)} == {"staging", "reports"}


def as_it_is(_: str, fields: dict) -> str:
    """A connection that works."""
    return json.dumps(fields)


def to_nobody(_: str, fields: dict) -> str:
    """A port where nobody listens."""
    return json.dumps(fields | {"port": free_ports(1)[0]})


def of_another(_: str, fields: dict) -> str:
    """Somebody else's password."""
    return json.dumps(fields | {"login": "nobody-here"})


def as_url(kind: str, _: dict) -> str:
    """A URL with the password in percent-encoding, of a host that there is not."""
    return f"{kind}://canary:{quote(SECRETS[kind], safe='')}@no-such-host.invalid/x"


def as_bad_url(kind: str, _: dict) -> str:
    """A URL with the password as it is: half of it seems to be a port, or a path."""
    return f"{kind}://canary:{SECRETS[kind]}@no-such-host.invalid/x"


def as_bad_json(_: str, fields: dict) -> str:
    """A comma too many: Airflow cannot read it."""
    return json.dumps(fields)[:-1] + ",}"


def in_an_option(kind: str, fields: dict) -> str:
    """The password as an option that there is not."""
    return json.dumps(fields | {"password": "", "extra": {"pasword": SECRETS[kind]}})


def in_a_number(kind: str, fields: dict) -> str:
    """The password where a number belongs."""
    name = {"github": "timeout_s"}.get(kind, "connect_timeout")
    return json.dumps(fields | {"extra": {name: SECRETS[kind]}})


def in_the_host(kind: str, fields: dict) -> str:
    """The password in a URL, where the name of a host belongs."""
    return json.dumps(fields | {"host": f"https://canary:{SECRETS[kind]}@127.0.0.1"})


FIRST_TO_ASK = {"postgres": (HEALTH, HEALTH), "clickhouse": (REPORT, "tables"), "github": (MAIN, HEALTH)}
WAYS = (as_url, as_bad_url, as_bad_json, in_an_option, in_a_number, in_the_host)
BROKEN = [*product(WAYS, FIRST_TO_ASK), *product((to_nobody, of_another), ("postgres", "clickhouse"))]


@pytest.mark.parametrize(("write", "kind"), BROKEN)
def test_a_red_run_shows_no_secret(run: Callable, place: Place, write: Callable, kind: str):
    """The first task that asks there is red and names the connection; the mail's is broken as well."""
    dag_id, task_id = FIRST_TO_ASK[kind]
    place.mailbox.refuses_logins = write is of_another
    states, said = run(dag_id, write, (kind, "smtp"), last=task_id)
    assert states[task_id] == "failed"
    assert f"{kind}_default" in said
    assert "No notice of this failure was sent" in said


def to_no_store(kind: str, fields: dict) -> str:
    """An endpoint where nobody listens."""
    return with_extra(kind, fields, endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")


def with_the_password_in_the_url(kind: str, fields: dict) -> str:
    """An endpoint as databases have them."""
    return with_extra(kind, fields, endpoint_url=f"http://{AWS_LOGIN}:{AWS}@127.0.0.1:1")


def with_extra(_: str, fields: dict, **extra: object) -> str:
    """Change options."""
    return json.dumps(fields | {"extra": fields["extra"] | extra})


@pytest.mark.parametrize(
    ("write", "bucket", "told"),
    [
        (as_it_is, BUCKET, "check login and password of connection 'aws_default'"),
        (as_it_is, "no-such-bucket", "create the bucket"),
        (to_no_store, BUCKET, "check endpoint_url in the extra of connection 'aws_default'"),
        (with_the_password_in_the_url, BUCKET, "connection 'aws_default', extra.endpoint_url: is no URL"),
    ],
    ids=["refused", "no bucket", "no store", "password in the URL"],
)
def test_a_red_run_on_s3_shows_no_secret(
    run: Callable, place: Place, write: Callable, bucket: str, told: str
):
    """The first task tells what to look at: the store checks keys, and knows none of these."""
    place.store.check_keys(on=bucket == BUCKET)
    try:
        states, said = run(MAIN, roots=place.on_s3(write, bucket), last=HEALTH)
    finally:
        place.store.check_keys(on=False)
    assert states[HEALTH] == "failed"
    assert told in said


def test_a_store_that_says_nothing_shows_no_secret(run: Callable, place: Place):
    """It takes the connection, and lets the client wait."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        extra = {"endpoint_url": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        extra["config_kwargs"] = {"read_timeout": 0.3, "retries": {"total_max_attempts": 1}}
        write = partial(with_extra, **extra)
        states, said = run(MAIN, roots=place.on_s3(write), last=HEALTH)
    assert states[HEALTH] == "failed"
    assert "Read timeout" in said


def test_no_page_shows_a_secret(place: Place, tmp_path: Path):
    """Nor do the log and the arguments of the server that shows them, even where Postgres refuses it."""
    server = ApiServer(tmp_path, **place.environment(of_another, "postgres"))
    server.start()
    try:
        with server.client("admin") as admin:
            pages = {path: admin.get(f"/stagehouse{path}") for path in PAGES}
        texts = {path: page.content + str(page.headers).encode() for path, page in pages.items()}
        texts |= {"log": server.log.read_bytes()} | command_lines()
    finally:
        server.stop()
    assert pages["/db/version"].status_code == 503
    assert leaks(CANARIES, texts) == []


ECHO = {form: text for form, text in forms(GITHUB).items() if form != "cut"}


def test_a_server_that_repeats_the_token(run: Callable, place: Place):
    """What GitHub, or a proxy before it, says of a refusal is logged and told without the token."""
    place.mailbox.refuses_logins = False
    echo = " ".join([*ECHO.values(), GITHUB_TOO])
    refusal = json.dumps({"message": echo}).encode()
    place.github.faults.add(Fault("/search/", times=2, status=401, body=refusal))  # by either token
    states, said = run(MAIN, last="rank")
    assert states["rank"] == "failed"
    assert "token 1 of 2 (sha256 " in said
    assert "the token was rejected: '*** " in said
    assert "the token was rejected" in place.mailbox.mails[-1]["subject"]
    errors = json.dumps({"data": None, "errors": [{"type": "FORBIDDEN", "message": echo}]})
    place.github.faults.add(Fault("/graphql", status=200, body=errors.encode()))
    states, said = run(MAIN, last="fetch")
    assert states["fetch"] == "success"
    assert "GraphQL refuses it: FORBIDDEN: *** " in said


@pytest.mark.parametrize("text", ECHO.values(), ids=ECHO)
@pytest.mark.parametrize("status", [401, 403, 404, 422, 418])
def test_no_error_repeats_the_token(status: int, text: str):
    """In no form, not even in the error itself, which no log has masked yet."""
    for body in (
        text,
        f"<p>{text}</p>" * 9,
        json.dumps({"message": text}),
        json.dumps({"errors": [{"x": GITHUB}]}),
    ):
        headers, secrets = {"x-github-request-id": "1"}, ("ghp_another", GITHUB)
        with pytest.raises(AnswerError) as refused:
            read_value(Answer("https://x", status, headers, body.encode(), secrets))
        assert "***" in str(refused.value)
        assert leaks([GITHUB], {"error": f"{refused.value} {refused.value!r}".encode()}) == []


@pytest.mark.parametrize(("write", "kind"), BROKEN)
def test_no_test_button_shows_a_secret(
    place: Place, write: Callable, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """Nor do the errors behind it: the button shows what they say as it is."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}_DEFAULT", write(kind, place.connection(kind)))
    hook = {"postgres": StagehousePostgresHook, "clickhouse": ClickHouseHook, "github": GitHubHook}[kind]()
    works, shown = hook.test_connection()
    assert (works, leaks(CANARIES, {"button": shown.encode()})) == (False, [])


def test_a_long_reason_is_masked_before_it_is_cut(dagbag):
    """Half of a secret would not be recognized any more."""
    reset_secrets_masker()
    mask_secret(str(GITHUB))
    for length in range(LONGEST_REASON - len(GITHUB), LONGEST_REASON):
        notice = failure_notice({"dag": dagbag.dags[HEALTH], "run_id": "x"}, "y" * length + GITHUB)
        assert leaks(CANARIES, {"notice": notice.encode()}) == []
