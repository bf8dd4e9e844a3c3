"""A store with a certificate of an authority of one's own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stagehouse.hooks.connection_fields import BadConnection
from stagehouse.hooks.storage_roots import StorageAway, require_storage, staging_root
from tests.servers.certificates import certified
from tests.servers.http_proxy import join
from tests.servers.object_store import ONCE, ObjectStore


@pytest.fixture
async def tls(object_store: ObjectStore, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The store's URL by TLS, and the file of those who trust it."""
    context, authority = certified(tmp_path, "localhost")

    async def pass_on(*here: asyncio.StreamReader | asyncio.StreamWriter) -> None:
        await join(here, await asyncio.open_connection("127.0.0.1", object_store.port))
        here[1].close()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}", authority
    server.close()


@pytest.fixture
def define(
    object_store: ObjectStore, bucket: str, tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Define `staging_root` on that store; more of the connection's extra is the argument."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_VAR_STAGING_ROOT", f"s3://{bucket}/x")

    def defined(**extra: object) -> None:
        connection = object_store.airflow_connection(endpoint_url=tls[0], config_kwargs=ONCE, **extra)
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection)

    return defined


def write_and_read() -> bytes:
    """Do so, below the root."""
    path = staging_root() / "file"
    path.write_bytes(b"data")
    return path.read_bytes()


async def test_the_bundle_of_the_connection_is_trusted(define, tls: tuple[str, Path]):
    """As Airflow's own hooks of AWS do: `verify` in extra names a file, or is false."""
    define(verify=str(tls[1]))
    assert await asyncio.to_thread(write_and_read) == b"data"


async def test_what_is_not_to_be_verified_is_not(define):
    """As the connection says."""
    define(verify=False)
    assert await asyncio.to_thread(write_and_read) == b"data"


async def test_an_authority_that_nobody_trusts(define):
    """Is told, and where to look."""
    define()
    with pytest.raises(StorageAway, match=r"certificate.*verify in the extra of connection 'aws_default'"):
        await asyncio.to_thread(require_storage, "staging_root")


@pytest.mark.parametrize("verify", ["/no/such/file", 7, "s3cret"])
async def test_a_bundle_that_is_none(define, verify: object):
    """Is told with the field, without the value, before anything is opened."""
    define(verify=verify)
    with pytest.raises(BadConnection, match=r"'aws_default', extra\.verify: ") as told:
        await asyncio.to_thread(require_storage, "staging_root")
    assert str(verify) not in str(told.value).replace("'aws_default'", "")
