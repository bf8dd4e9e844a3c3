"""The rules on both engines: what is well, what each of them finds, and what is told of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from include.quality.checks import (
    QualityFailed,
    keep,
    newest_findings,
    require_none_failed,
    shrunken,
)
from include.quality.rules import Finding, Rule, find, judged
from include.shop.rules import REFERENCES, RULES, TABLES
from include.shop_stand_in.rows import COLUMNS
from tests.integration.shop.small_shop import ACTIVITY, DAY, NOON, SALES, run, small
from tests.integration.shop.source_tables import ShopTables, add_session

AT = datetime(2026, 11, 21, 0, 6, tzinfo=UTC)


def broken(shop: ShopTables, *, strict: bool = False) -> dict[str, Finding]:
    """Ask all rules; return what is not well, by rule."""
    found = find(shop.clickhouse, RULES, strict=strict)
    assert len(found) == len(RULES)
    return {finding.rule: finding for finding in found if finding.outcome != "ok"}


@pytest.mark.parametrize("sessions", [False, True])
def test_a_shop_that_is_well(shop: ShopTables, sessions: bool):
    """Every rule is asked and finds nothing, with sessions or without."""
    if sessions:
        add_session(shop.clickhouse, "s1", "1", NOON, 4)
    shop.fill(DAY)
    run(shop)
    assert broken(shop, strict=True) == {}


DAMAGE = {
    "totals equal the sales": (
        f"INSERT INTO {SALES} SELECT * FROM {SALES} WHERE date = '2026-11-18' AND dimension = 'total'",
        "2026-11-18", "2 sales, 4 pieces, 50 hundredths", "4 sales, 8 pieces, 100 hundredths",
    ),
    "sellers add up": (
        f"INSERT INTO {SALES} SELECT * FROM {SALES} WHERE date = '2026-11-18' AND dimension = 'seller'",
        "2026-11-18, seller 1", "2 sales, 50 hundredths", "4 sales, 100 hundredths",
    ),
    "categories add up": (
        f"INSERT INTO {SALES} SELECT * FROM {SALES} WHERE date = '2026-11-19' AND dimension = 'category'",
        "2026-11-19, category 2", "1 sales, 1002 hundredths", "2 sales, 2004 hundredths",
    ),
    "activity equals the rows": (
        f"INSERT INTO {ACTIVITY} SELECT * FROM {ACTIVITY} WHERE date = '2026-11-18'",
        "2026-11-18",
        "2 sales, 50 hundredths, 1 adds, 0 sessions, 0 clicks",
        "4 sales, 100 hundredths, 2 adds, 0 sessions, 0 clicks",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "damage"), DAMAGE.items(), ids=DAMAGE)
def test_an_aggregate_that_does_not_add_up(shop: ShopTables, rule: str, damage: tuple[str, ...]):
    """Is found by its rule, with day, both values and the next step; a full run mends it."""
    small(shop)
    run(shop)
    statement, unit, expected, found = damage
    shop.clickhouse.execute(statement)
    ((name, finding),) = broken(shop).items()
    assert (name, finding.unit, finding.expected, finding.found) == (rule, unit, expected, found)
    with pytest.raises(QualityFailed) as red:
        require_none_failed("connection 'c'", [finding])
    assert str(red.value) == (
        f"connection 'c': 1 checks failed: {rule}: table {finding.table}, {unit}: expected {expected}, "
        f"found {found}. Next: start a run of shop_sync with full_check, which makes the day anew"
    )
    run(shop, "run 2", full=True)
    assert broken(shop) == {}


UNRELATED = {  # rows that refer to nothing
    "categories": (50, "c", None),
    "products": (50, None, None, "p", Decimal(1), None, NOON),
    "sales": (50, None, None, None, 1, Decimal(1), NOON),
    "cart_items": (50, None, None, 1, NOON, "active"),
    "product_ratings": (50, None, None, 5, None, NOON),
    "seller_ratings": (50, None, None, 5, NOON),
}


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: f"{r.table}.{r.column}")
def test_a_reference_that_points_nowhere(shop: ShopTables, reference):
    """Is a warning that names the value, and an error where one is strict; NULL refers to nothing."""
    small(shop)
    table = reference.table.removeprefix("shop_")
    row = list(UNRELATED[table])
    shop.put(table, [row])
    run(shop)
    assert broken(shop) == {}
    row[COLUMNS[table].index(reference.column)] = 99
    shop.put(table, [row])
    run(shop, "run 2")
    ((name, finding),) = broken(shop).items()
    assert name == f"{reference.column} leads to {reference.target}"
    assert (finding.table, finding.unit, finding.outcome) == (
        reference.table, f"{reference.column} 99", "warning",
    )  # fmt: skip
    require_none_failed("c", [finding])
    assert broken(shop, strict=True)[name].outcome == "failed"


def test_a_sale_without_a_day(shop: ShopTables):
    """An infinite date is told by the sale's id; the aggregates go on without it."""
    small(shop)
    shop.put("sales", [(50, None, 1, 1, 1, Decimal(1), "infinity")])
    run(shop)
    assert list(broken(shop)) == ["every sale has a day"]
    assert broken(shop)["every sale has a day"].unit == "id 50"


def test_a_rule_of_ones_own(shop: ShopTables):
    """Is a SELECT of three columns of any types; many rows count, the first is shown; NULL is a value."""
    small(shop)
    rules = [
        Rule("no gifts", "shop_sales", "SELECT id AS unit, NULL AS expected, price_at_sale AS found "
             "FROM shop_sales ORDER BY id", "ask who sold it", "warning"),
        Rule("nobody", "shop_users", "SELECT id AS unit, 1 AS expected, 2 AS found FROM no_such_table", "x"),
        Rule("100% well", "shop_users", "SELECT '%' AS unit, '' AS expected, '' AS found "
             "FROM shop_users WHERE username LIKE '%no%'", "x"),
    ]  # fmt: skip
    gifts, nobody, well = find(shop.clickhouse, rules)
    assert (gifts.offending, gifts.unit, gifts.expected, gifts.found) == (5, "1", "NULL", "10")
    assert (nobody.outcome, nobody.next_step) == ("failed", "correct the rule nobody")
    assert "no_such_table" in nobody.found
    assert well.outcome == "ok"


def test_findings_are_kept(shop: ShopTables):
    """As rows, one for each rule and table of a run; a second try replaces those of the first."""
    failed = judged("a", "t", offending=2, unit="bucket 7", expected=5, found=None, next_step="look")
    fine = judged("b", "t", offending=0, next_step="look")
    for findings in ([judged("a", "t", offending=9, next_step="look"), fine], [fine, failed]):
        keep(shop.clickhouse, findings, run_id="run 1", day=DAY, checked_at=AT)
    run_id, at, found = newest_findings(shop.clickhouse)
    assert (run_id, at) == ("run 1", AT)
    assert [(f.rule, f.outcome, f.offending, f.unit, f.expected, f.found) for f in found] == [
        ("a", "failed", 2, "bucket 7", "5", "NULL"), ("b", "ok", 0, "", "", ""),
    ]  # fmt: skip


def test_a_table_that_shrank(shop: ShopTables):
    """Is compared with what the run before has seen, and may be accepted by name."""
    shop.put("users", [(n, f"u{n}", None, None, NOON) for n in range(9)])

    def outcome(run_id: str, *accepted: str) -> str:
        findings = shrunken(shop.clickhouse, ["shop_users"], accepted, run_id=run_id)
        keep(shop.clickhouse, findings, run_id=run_id, day=DAY, checked_at=AT.replace(minute=int(run_id)))
        return findings[1].outcome

    assert outcome("1") == "ok"
    shop.delete("users", 0, 1, 2, 3)
    assert outcome("2") == "ok"
    shop.delete("users", 4, 5, 6)
    assert outcome("3", "shop_users") == "ok"
    assert outcome("3") == "warning"
    assert outcome("4") == "ok"


def test_all_tables_are_counted(shop: ShopTables):
    """Each of the eight, by the rule that the next run compares with."""
    shop.fill(date(2026, 11, 20))
    findings = shrunken(shop.clickhouse, TABLES, [], run_id="1")
    assert {f.table: int(f.found) for f in findings if f.rule == "rows"}["shop_sales"] == 3600
    assert len(findings) == 16
