"""Settings of the user's profile do not change what our SQL means: they are sent otherwise, or named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_driver import Client

from include.clickhouse import settings
from include.clickhouse.client import ClickHouse, NativeClient
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.errors import NotAllowed, WrongConnection
from include.clickhouse.schema import migrate
from include.clickhouse.settings import RELIED_ON
from include.errors import PermanentError
from include.quality.rules import find
from include.shop.rules import RULES
from stagehouse.hooks.clickhouse_hook import ClickHouseHook
from tests.integration.clickhouse.days import COMMITS, REPOSITORIES, commits, repositories, stored
from tests.integration.clickhouse.days import run as run_day
from tests.integration.phrase_views.days import ask, counters, hours_of, insert
from tests.integration.phrase_views.days import run as run_report
from tests.integration.shop.small_shop import run as aggregate_shop
from tests.integration.shop.small_shop import small
from tests.integration.shop.source_tables import ShopTables
from tests.integration.shop.truth import daily_sales
from tests.servers.clickhouse import ClickHouseServer, running_clickhouse

OTHERWISE = {name: {"throw": "break", "0": "1", "1": "0"}.get(value, "") for name, value in RELIED_ON.items()}
OTHERWISE |= {
    "additional_result_filter": "0",
    "additional_table_filters": "{'loads': '0', 'phrases_views': '0'}",
    "alter_sync": "2",
    "distributed_ddl_output_mode": "none",
    "force_data_skipping_indices": "x",
    "force_optimize_projection_name": "x",
    "implicit_table_at_top_level": "loads",
    "session_timezone": "Asia/Tokyo",
}
del OTHERWISE["use_query_cache"]  # the engine takes it with no overflow mode but throw
# Which of them a server of 2018 has.
OF_2018 = {
    "distinct_overflow_mode", "distributed_group_by_no_merge", "empty_result_for_aggregation_by_empty_set",
    "extremes", "force_index_by_date", "force_primary_key", "group_by_overflow_mode", "join_overflow_mode",
    "join_use_nulls", "optimize_throw_if_noop", "read_overflow_mode", "replication_alter_partitions_sync",
    "result_overflow_mode", "set_overflow_mode", "skip_unavailable_shards", "sort_overflow_mode",
    "timeout_overflow_mode", "transfer_overflow_mode",
}  # fmt: skip


@contextmanager
def server_with_profile(directory: Path, settings: dict[str, str]) -> Iterator[ClickHouseServer]:
    """A server whose user `loader` has these settings in his profile; `default` has none."""
    with running_clickhouse(directory=directory) as server:
        server.stop()
        profile = "".join(f"<{name}>{value}</{name}>" for name, value in settings.items())
        users = (directory / "users.xml").read_text()
        users = users.replace("<default/></profiles>", f"<default/><loader>{profile}</loader></profiles>")
        own = f"{server.password}</password><profile>"
        (directory / "users.xml").write_text(users.replace(f"{own}default", f"{own}loader"))
        server.start()
        server.execute("CREATE DATABASE stagehouse")
        yield server


def native(server: ClickHouseServer, **options: object) -> NativeClient:
    """A client of the user with the profile."""
    login = {"user": server.user, "password": server.password}
    return NativeClient("c", server.host, server.port, "stagehouse", **login, **options)


def names_of_engine(path: Path) -> set[str]:
    """Which of them the embedded engine has: all of them, but where an older one is tried."""
    with EmbeddedClient("c", path, "stagehouse", relied_on={}) as engine:
        ((version,),) = engine.execute("SELECT version()")
        found = {name for (name,) in engine.execute("SELECT name FROM system.settings")}
    assert found >= OTHERWISE.keys() or not version.startswith("26.9")
    return found & OTHERWISE.keys()


@pytest.fixture(params=["18.16 native", "26.9 embedded"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., ClickHouse]]:
    """What opens an engine that has every setting otherwise than our SQL relies on."""
    if request.param == "26.9 embedded":
        path = tmp_path / "chdb"
        known = {name: OTHERWISE[name] for name in names_of_engine(path)}
        yield lambda **how: EmbeddedClient("c", path, "stagehouse", settings=known, **how)
        return
    (tmp_path / "server").mkdir()
    profile = {name: OTHERWISE[name] for name in sorted(OF_2018)}
    with server_with_profile(tmp_path / "server", profile) as server:
        yield lambda **how: native(server, **how)


def test_a_day_and_a_report_are_what_they_are(connect: Callable[..., ClickHouse], tmp_path: Path):
    """With every setting that would change their SQL set otherwise: staged, published, checked, read."""
    rows = commits(7)
    with connect() as clickhouse:
        migrate(clickhouse)
        assert migrate(clickhouse) == []
        for run_id in ("one", "two"):
            run_day(clickhouse, tmp_path, run_id, (COMMITS, rows), (REPOSITORIES, repositories(5)))
        assert sorted(stored(clickhouse)) == sorted(rows)
        insert(clickhouse, counters("-1/23:50=5 00:10=4 01:10=9") + counters("00:10=7 00:20=9", "b", 9))
        report = run_report(clickhouse, ask(falls="reset"))
        assert hours_of(row for row in report if row.campaign_id == 7) == [(0, 4, "reset"), (1, 5, "gap")]
        assert run_report(clickhouse, ask(9, falls="reset"), "of some campaigns") == report


def test_no_result_is_of_a_moment_ago(chdb_path: Path):
    """Also where the profile wants results to be cached."""
    cached = {"use_query_cache": 1}
    with EmbeddedClient("c", chdb_path, "stagehouse", settings=cached) as clickhouse:
        migrate(clickhouse)
        for rows in (1, 2):
            insert(clickhouse, counters("00:10=4", phrase=f"phrase {rows}"))
            assert clickhouse.execute("SELECT count() FROM phrases_views") == [(rows,)]


def test_settings_that_are_set_meanwhile(connect: Callable[..., ClickHouse]):
    """Hold for no statement of ours that comes after."""
    with connect() as clickhouse:
        migrate(clickhouse)
        clickhouse.execute("SET empty_result_for_aggregation_by_empty_set = 1, extremes = 1")
        assert clickhouse.execute("SELECT count(), max(rows) FROM loads") == [(0, 0)]


def test_the_servers_names_are_all_known_to_the_driver(tmp_path: Path):
    """Those that a server of 2018 has can be sent to it."""
    with server_with_profile(tmp_path, {}) as server, native(server) as clickhouse:
        found = clickhouse.execute("SELECT name FROM system.settings")
    assert {name for (name,) in found} & RELIED_ON.keys() == OF_2018


def test_the_aggregates_of_a_shop_are_what_they_are(connect: Callable[..., ClickHouse]):
    """What has no name is named '', not NULL, and each sale without a product is counted."""
    with connect() as clickhouse:
        migrate(clickhouse)
        shop = ShopTables(clickhouse)
        tables = small(shop)
        aggregate_shop(shop)
        assert sorted(clickhouse.execute("SELECT * FROM daily_sales_aggregation")) == daily_sales(tables)
        assert {each.outcome for each in find(clickhouse, RULES, strict=True)} == {"ok"}


@pytest.mark.parametrize("name", ["force_data_skipping_indices", "force_optimize_projection_name"])
def test_a_setting_that_no_value_turns_off(name: str):
    """A server is not sent '', which it would refuse each statement for: the setting is named."""
    with pytest.raises(WrongConnection, match=f"{name} = ''.*Next: change them there"):
        settings.to_send("c", RELIED_ON, [("extremes", "1"), (name, "x")])


def test_deleted_rows_stay_deleted(chdb_path: Path):
    """Also where the profile wants to see them."""
    shown = {"apply_deleted_mask": 0}
    with EmbeddedClient("c", chdb_path, "stagehouse", settings=shown) as clickhouse:
        migrate(clickhouse)
        insert(clickhouse, counters("00:10=4") + counters("00:10=4", phrase="another"))
        clickhouse.execute("DELETE FROM phrases_views WHERE phrase = 'another'")
        assert clickhouse.execute("SELECT count() FROM phrases_views") == [(1,)]


@pytest.mark.parametrize("setting", ["empty_result_for_aggregation_by_empty_set", "extremes"])
def test_a_profile_that_may_not_be_changed(tmp_path: Path, setting: str):
    """Names the setting in the first task, and no retry helps."""
    with server_with_profile(tmp_path, {setting: "1", "readonly": "1"}) as server:
        clickhouse = native(server)
        for _ in range(2):
            with clickhouse, pytest.raises(WrongConnection, match=f"{setting} = 0.*readonly.*") as caught:
                migrate(clickhouse)
            assert isinstance(caught.value, PermanentError)
            assert str(caught.value).isprintable()


def test_a_reader_who_may_change_nothing(tmp_path: Path):
    """Reads on, where his profile has nothing otherwise."""
    with server_with_profile(tmp_path, {"readonly": "1"}) as server, native(server) as clickhouse:
        assert clickhouse.execute("SELECT count() FROM system.one") == [(1,)]


def test_a_reader_whose_profile_has_settings_of_writers(tmp_path: Path):
    """Reads on: they change no read."""
    profile = {"optimize_throw_if_noop": "1", "replication_alter_partitions_sync": "2", "readonly": "1"}
    with server_with_profile(tmp_path, profile) as server, native(server) as clickhouse:
        assert clickhouse.execute("SELECT count() FROM system.one") == [(1,)]
        with pytest.raises(NotAllowed, match="give this user of the connection the right to write"):
            migrate(clickhouse)


def test_a_limit_stays_a_limit(connect: Callable[..., ClickHouse]):
    """A result that is too long is an error, where the profile would have cut it."""
    with connect() as clickhouse:
        clickhouse.execute("SET max_rows_to_read = 1000")
        with pytest.raises(Exception, match=r"code (158|307)"):
            clickhouse.execute("SELECT count() FROM (SELECT * FROM system.numbers LIMIT 100000)")


def test_statements_of_others_have_their_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Through the hook's DB-API connection, which Airflow's SQL operators use."""
    with server_with_profile(tmp_path, {"extremes": "1"}) as server:
        monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", server.airflow_connection())
        with ClickHouseHook().get_client() as ours:
            assert ours.execute("SELECT 5 AS n") == [(5,)]
        assert ClickHouseHook().get_records("SELECT 5 AS n") == [(5,), (5,), (5,)]


def test_settings_of_the_connection_reach_the_embedded_engine(
    chdb_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As they reach a server; one that it does not know is named."""
    connection = '{"conn_type": "clickhouse", "extra": {"path": "%s", "settings": {"%s": 1}}}'
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", connection % (chdb_path, "max_result_rows"))
    with ClickHouseHook().get_client() as clickhouse, pytest.raises(Exception, match="code 396"):
        clickhouse.execute("SELECT number FROM numbers(2)")
    monkeypatch.setenv("AIRFLOW_CONN_CLICKHOUSE_DEFAULT", connection % (chdb_path, "nothing_like_it"))
    with (
        ClickHouseHook().get_client() as clickhouse,
        pytest.raises(WrongConnection, match=r"extra\.settings"),
    ):
        clickhouse.execute("SELECT 1")


@pytest.mark.parametrize(
    "option", sorted({*Client.available_client_settings} - {"input_format_null_as_default"})
)
def test_options_of_the_driver_are_no_settings_of_the_embedded_engine(chdb_path: Path, option: str):
    """One connection's `settings` serve both engines."""
    with EmbeddedClient("c", chdb_path, "stagehouse", settings={option: True}) as clickhouse:
        assert clickhouse.execute("SELECT 'a', [1]") == [("a", [1])]


@pytest.mark.parametrize("option", ["strings_as_bytes", "use_numpy"])
def test_options_of_the_driver_change_no_result(tmp_path: Path, option: str):
    """Texts are texts, whatever `settings` of the connection say."""
    with server_with_profile(tmp_path, {}) as server, native(server, settings={option: True}) as clickhouse:
        assert clickhouse.execute("SELECT 'a', [1]") == [("a", [1])]
