"""The shop's tables in ClickHouse as a sync leaves them: versions of rows, and views of those that count."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from include.clickhouse.client import ClickHouse, insert_rows
from include.shop_stand_in.rows import COLUMNS, ShopRows

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
_INT = {"id", "category_id", "seller_id", "product_id", "user_id", "parent_id", "quantity", "rating"}
_INSTANTS = {"updated_at", "created_at", "sale_date", "rating_date", "added_at"}
_DAYS = {"joined_on", "born_on"}
_PRICES = {"price", "price_at_sale"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def kept(column: str) -> list[tuple[str, str]]:
    """Return the names and kinds under which a column of the source is kept."""
    if column in _INSTANTS:
        return [(column, "Nullable(DateTime('UTC'))"), (f"{column}_us", "Nullable(Int64)")]
    if column in _DAYS:
        return [(column, "Nullable(Date)"), (f"{column}_days", "Nullable(Int32)")]
    kind = "Int64" if column in _INT | _PRICES else "String"
    return [(column, kind if column == "id" else f"Nullable({kind})")]


def make_tables(clickhouse: ClickHouse) -> None:
    """Make the tables and views of the eight tables, empty."""
    for table, columns in COLUMNS.items():
        ours = [each for column in columns for each in kept(column)]
        clickhouse.execute(f"DROP TABLE IF EXISTS shop_{table}_versions")
        clickhouse.execute(f"DROP TABLE IF EXISTS shop_{table}")
        definition = ", ".join(f"`{name}` {kind}" for name, kind in ours)
        clickhouse.execute(
            f"CREATE TABLE shop_{table}_versions ({definition}, _version UInt64, _deleted UInt8) "
            "ENGINE = ReplacingMergeTree(_version) ORDER BY (id)"
        )
        names = ", ".join(f"`{name}`" for name, _ in ours)
        clickhouse.execute(
            f"CREATE VIEW shop_{table} AS SELECT {names} FROM shop_{table}_versions FINAL WHERE _deleted = 0"
        )


class ShopTables:
    """Brings rows of the source into the tables, each call as one run. Attributes: clickhouse; version."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse, self.version = clickhouse, 0
        make_tables(clickhouse)

    def put(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Insert or replace rows, by id."""
        self.version += 1
        names = [name for column in COLUMNS[table] for name, _ in kept(column)]
        values = [
            [
                *(v for column, value in zip(COLUMNS[table], row, strict=True) for v in _kept(column, value)),
                self.version,
                0,
            ]
            for row in rows
        ]
        insert_rows(self.clickhouse, f"shop_{table}_versions", [*names, "_version", "_deleted"], [values])

    def delete(self, table: str, *ids: int) -> None:
        """Mark rows as gone."""
        self.version += 1
        rows = [(key, self.version, 1) for key in ids]
        insert_rows(self.clickhouse, f"shop_{table}_versions", ["id", "_version", "_deleted"], [rows])

    def fill(self, day: date) -> dict[str, list[tuple]]:
        """Put the whole sample there, and return its rows by table."""
        tables = dict(ShopRows(day).tables())
        for table, rows in tables.items():
            self.put(table, rows)
        return tables


def add_session(clickhouse: ClickHouse, session: str, user: str, start: datetime, clicks: int) -> None:
    """Add a session of a quarter of an hour."""
    row = (session, user, start, start + timedelta(minutes=15), "/", clicks, session, start)
    columns = (
        "session_id", "user_id", "session_start", "session_end", "path", "click_count", "topic",
        "published_at",
    )  # fmt: skip
    insert_rows(clickhouse, "user_sessions", columns, [[row]])


def _kept(column: str, value: object) -> tuple[object, ...]:
    if column in _INSTANTS:
        return _instant(value)
    if column in _DAYS:
        return (None, None) if value is None else _day(value)
    if column in _PRICES and value is not None:
        return (int(Decimal(str(value)).scaleb(2)),)
    return (value,)


def _instant(value: object) -> tuple[object, object]:
    """Return an instant as a sync keeps it; 'infinity' is later than all."""
    if value is None:
        return None, None
    if isinstance(value, str):
        return None, LARGEST if value == "infinity" else SMALLEST
    assert isinstance(value, datetime)
    fits = 1970 <= value.year < 2106
    return value.replace(microsecond=0) if fits else None, (value - _EPOCH) // timedelta(microseconds=1)


def _day(value: object) -> tuple[object, object]:
    assert isinstance(value, date)
    return value if 1970 <= value.year < 2106 else None, (value - date(1970, 1, 1)).days
