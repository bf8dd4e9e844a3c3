"""The servers the other tests stand on do what they say."""

import psycopg2
import pytest

from tests.servers.clickhouse import ClickHouseServer, running_clickhouse
from tests.servers.postgres import PostgresServer


def test_postgres_keeps_its_data_over_a_restart(postgres_server: PostgresServer, postgres_database: str):
    """Comes back with the same databases after stop() and start()."""
    postgres_server.stop()
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        postgres_server.connect()
    postgres_server.start()
    postgres_server.connect(dbname=postgres_database).close()


def test_postgres_asks_for_passwords(postgres_server: PostgresServer):
    """Refuses a wrong password over TCP, and lets its reader in with the right one."""
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        postgres_server.connect(password="wrong")
    postgres_server.connect(user=postgres_server.reader, password=postgres_server.reader_password).close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_clickhouse_keeps_its_data_over_a_restart(
    clickhouse_server: ClickHouseServer, clickhouse_database: str, end: str
):
    """Comes back with the same rows after stop() or kill(), then start()."""
    clickhouse_server.execute(f"CREATE DATABASE {clickhouse_database}")
    clickhouse_server.execute(f"CREATE TABLE {clickhouse_database}.t (n UInt8) ENGINE = MergeTree ORDER BY n")
    clickhouse_server.execute(f"INSERT INTO {clickhouse_database}.t VALUES (1), (2)")
    getattr(clickhouse_server, end)()
    with pytest.raises(OSError, match="refused"):
        clickhouse_server.execute("SELECT 1")
    clickhouse_server.start()
    assert clickhouse_server.execute(f"SELECT sum(n) FROM {clickhouse_database}.t") == "3"


def test_clickhouse_asks_its_loader_for_a_password(clickhouse_server: ClickHouseServer):
    """Speaks the native protocol to a user with the right password only."""
    from clickhouse_driver import Client, errors

    address = {"host": clickhouse_server.host, "port": clickhouse_server.port, "user": clickhouse_server.user}
    with Client(**address, password=clickhouse_server.password) as client:
        assert client.execute("SELECT 1, timezone()") == [(1, "Etc/UTC")]
    with Client(**address, password="wrong") as client, pytest.raises(errors.ServerException):
        client.execute("SELECT 1")


def test_clickhouse_runs_in_another_zone():
    """Takes its time zone from the fixture's parameter."""
    with running_clickhouse("Asia/Tokyo") as server:
        assert server.execute("SELECT timezone()") == "Asia/Tokyo"
    assert not server.directory.exists()
