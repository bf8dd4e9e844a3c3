"""The embedded engine keeps its word as a server does: what it refuses raises, what it returns is there."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.clickhouse.client import insert_rows
from include.clickhouse.embedded import EmbeddedClient
from include.clickhouse.error_text import error_text
from include.clickhouse.errors import Refused
from include.clickhouse.schema import migrate

WHERE = "connection 'embedded'"
DAYS = [(date(2026, 1, 1) + timedelta(days=number), number) for number in range(101)]
REFUSED = {
    "a partition that cannot be computed": (
        "(d Date, n Int32) ENGINE = MergeTree PARTITION BY intDiv(1, n) ORDER BY n",
        [*DAYS[1:3], (date(2026, 1, 1), 0)],
        153,
        "Division by zero",
    ),
    "a constraint": (
        "(d Date, n Int32, CONSTRAINT positive CHECK n > 0) ENGINE = MergeTree ORDER BY n",
        [*DAYS[1:3], (date(2026, 1, 1), -1)],
        469,
        "positive",
    ),
    "a constraint, by a text that is no UTF-8": (
        "(d Date, n String, CONSTRAINT long CHECK length(n) > 1) ENGINE = MergeTree ORDER BY n",
        [(date(2026, 1, 1), "ab"), (date(2026, 1, 1), "cd"), (date(2026, 1, 1), b"\xff")],
        469,
        r"\\xff",
    ),
}  # fmt: skip


@pytest.fixture
def clickhouse(chdb_path: Path) -> Iterator[EmbeddedClient]:
    """An engine with the project's tables."""
    with EmbeddedClient(WHERE, chdb_path, "stagehouse") as engine:
        migrate(engine)
        yield engine


@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_are_refused_as_they_are_committed(clickhouse: EmbeddedClient, case: str):
    """The INSERT raises by the server's code and stores nothing; the engine serves on."""
    table, rows, code, words = REFUSED[case]
    clickhouse.execute(f"CREATE TABLE t {table}")
    with pytest.raises(Refused, match=words) as caught:
        insert_rows(clickhouse, "t", ("d", "n"), [rows])
    assert caught.value.code == code
    assert clickhouse.execute("SELECT count() FROM t") == [(0,)]
    assert insert_rows(clickhouse, "t", ("d", "n"), [rows[:1], rows[1:2]]) == 2
    assert clickhouse.execute("SELECT count() FROM t") == [(2,)]


def test_an_error_whose_text_python_has_lost(clickhouse: EmbeddedClient):
    """Is the one that the engine has just noted, as 3.11.2 needs it; an error with a text keeps its own."""
    engine = clickhouse._engine()
    with pytest.raises(Refused, match=r"\\xd1"):
        clickhouse.execute("SELECT toInt32(unhex('D1'))")
    assert re.match(r"Code: 6\. DB::Exception: .*\\xd1", error_text(RuntimeError(), engine))
    assert error_text(RuntimeError("Code: 1"), engine) == "Code: 1"


def test_rows_of_many_partitions(clickhouse: EmbeddedClient):
    """An INSERT takes them, though the engine's own limit is 100: events come months late."""
    clickhouse.execute("CREATE TABLE t (d Date, n Int32) ENGINE = MergeTree PARTITION BY d ORDER BY n")
    assert insert_rows(clickhouse, "t", ("d", "n"), [DAYS]) == len(DAYS) == 101
    assert clickhouse.execute("SELECT count(), uniqExact(d) FROM t") == [(101, 101)]


def test_a_result_that_cannot_be_read_is_none(clickhouse: EmbeddedClient):
    """A statement with a FORMAT of its own is refused, not taken for one without rows."""
    with pytest.raises(Refused, match="FORMAT of its own"):
        clickhouse.execute("SELECT 1 FORMAT CSV")
    assert clickhouse.execute("SELECT 1") == [(1,)]


def test_blocks_of_columns_in_any_order(clickhouse: EmbeddedClient):
    """Two tables one after the other, whose columns have other names and types; defaults are filled in."""
    clickhouse.execute("CREATE TABLE a (`a column` Int32, n UInt8 DEFAULT 5) ENGINE = MergeTree ORDER BY n")
    clickhouse.execute("CREATE TABLE b (s Array(String), t DateTime('UTC')) ENGINE = MergeTree ORDER BY t")
    assert clickhouse.execute("INSERT INTO a (`a column`) VALUES", [(-1,)]) == 1
    assert clickhouse.execute("INSERT INTO b (s) VALUES", [(["it's", "ф"],)]) == 1
    assert clickhouse.execute("INSERT INTO a (n, `a column`) VALUES", [(7, -2)]) == 1
    assert clickhouse.execute("SELECT `a column`, n FROM a ORDER BY n") == [(-1, 5), (-2, 7)]
    assert clickhouse.execute("SELECT s FROM b") == [(["it's", "ф"],)]


def test_columns_and_tables_with_a_percent_sign(clickhouse: EmbeddedClient):
    """Are inserted into as any other, and read by statements with and without params."""
    clickhouse.execute("CREATE TABLE `50%s` (`a%` Int32) ENGINE = MergeTree ORDER BY tuple()")
    assert clickhouse.execute("INSERT INTO `50%s` (`a%`) VALUES", [(1,)]) == 1
    assert clickhouse.execute("SELECT `a%` FROM `50%s`") == [(1,)]
    assert clickhouse.execute("SELECT `a%%` FROM `50%%s` WHERE `a%%` = %(n)s", {"n": 1}) == [(1,)]


@pytest.mark.parametrize(
    "name", ["stage-house", "1stage", "stage.house", "Stage House", "стадия", "a\\b", "a`b", "50%s"]
)
def test_database_names_that_a_server_takes(chdb_path: Path, name: str):
    """Made, migrated, and found again."""
    for applied in (True, False):
        with EmbeddedClient(WHERE, chdb_path, name) as clickhouse:
            assert bool(migrate(clickhouse)) is applied
            assert clickhouse.execute("SELECT currentDatabase()") == [(name,)]
            assert clickhouse.execute("SELECT count() FROM loads") == [(0,)]
