"""Both engines behind one face: values, parameters, errors."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from include.clickhouse.client import insert_rows, quoted
from include.clickhouse.errors import ClickHouseError, Refused

COLUMNS = "d Date, s String, n Int32, u UInt64, t DateTime('UTC'), a Array(Int64)"
ROW = (
    date(2026, 8, 20),
    "it's \\ 'ф' \U0001f600\n\t",
    -(2**31),
    2**64 - 1,
    datetime(2026, 8, 20, 23, tzinfo=UTC),
)


@pytest.fixture
def table(clickhouse):
    """A table with a column of each kind."""
    clickhouse.execute(f"CREATE TABLE t ({COLUMNS}) ENGINE = MergeTree PARTITION BY d ORDER BY s")
    return "t"


@pytest.mark.parametrize("columnar", [True, False])
def test_every_value_comes_back_as_it_went_in(clickhouse, table, columnar):
    """Extremes, quotes, emoji and nested values survive, inserted by rows or by columns."""
    row = (*ROW, [-(2**63), 5])
    data = [row, row]
    if columnar:
        data = list(zip(*data, strict=True))
    assert clickhouse.execute("INSERT INTO t (d, s, n, u, t, a) VALUES", data, columnar=columnar) == 2
    *values, stamp, nested = clickhouse.execute("SELECT d, s, n, u, t, a FROM t")[1]
    assert (*values, nested) == (*ROW[:4], row[5])
    assert stamp.replace(tzinfo=UTC) == ROW[4]


def test_parameters_are_bound_not_pasted(clickhouse):
    """A quote in a parameter stays text."""
    evil = "'); DROP TABLE repositories; -- \\"
    assert clickhouse.execute(
        "SELECT %(text)s, %(n)s, %(d)s", {"text": evil, "n": 5, "d": date(2026, 1, 2)}
    ) == [(evil, 5, "2026-01-02")]


def test_an_instant_is_stored_in_utc_whatever_its_zone(clickhouse, table):
    """03:00 in UTC+3 is midnight UTC."""
    moment = datetime(2026, 8, 21, 3, tzinfo=timezone(timedelta(hours=3)))
    insert_rows(clickhouse, table, ["t"], [[(moment,)]])
    assert clickhouse.execute("SELECT toString(t) FROM t") == [("2026-08-21 00:00:00",)]


def test_a_refusal_that_quotes_what_is_no_utf8(clickhouse):
    """Is one as any other, with the bytes escaped; the client serves on."""
    clickhouse.execute("CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY s")
    clickhouse.execute("INSERT INTO t (s) VALUES", [(b"\xd1",)])
    with pytest.raises(Refused, match=r": code \d+: .*\\xd1.* Next: ") as caught:
        clickhouse.execute("SELECT toInt32(s) FROM t")
    assert caught.value.code > 0
    assert str(caught.value).startswith(caught.value.where)
    assert str(caught.value).isprintable()
    assert clickhouse.execute("SELECT s FROM t") == [(b"\xd1",)]


def test_a_refusal_is_one_line_with_its_code(clickhouse):
    """No stack trace, no "DB::Exception", but the connection, the code and the server's words."""
    with pytest.raises(Refused) as caught:
        clickhouse.execute("SELECT nothing_of_the_kind FROM repositories")
    assert caught.value.code == 47
    assert str(caught.value).startswith(caught.value.where)
    assert "nothing_of_the_kind" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "DB::" not in str(caught.value)


def test_a_column_that_is_not_there_is_named(clickhouse, table):
    """Inserting into it stores nothing."""
    with pytest.raises(ClickHouseError, match="nope"):
        insert_rows(clickhouse, table, ["s", "nope"], [[("a", "b")]])
    assert clickhouse.execute("SELECT count() FROM t") == [(0,)]


def test_the_connection_serves_on_after_a_refusal(clickhouse):
    """An error does not cost the session its database."""
    with pytest.raises(Refused):
        clickhouse.execute("SELEKT 1")
    assert clickhouse.execute("SELECT currentDatabase()") == [(clickhouse.database,)]


def test_empty_batches_are_skipped(clickhouse, table):
    """An INSERT without data would hang until the timeout."""
    assert insert_rows(clickhouse, table, ["s"], [[], [("a",)], []]) == 1


@pytest.mark.parametrize("name", ["a b", "a`b", "1a", "a\n", "", "a" * 201, "a;b"])
def test_only_plain_names_are_quoted(name):
    """Names cannot be bound, so nothing but letters, digits and underscores passes."""
    with pytest.raises(ValueError, match="not a table or column name"):
        quoted(name)
