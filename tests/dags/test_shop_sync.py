"""The DAG shop_sync through Airflow's own runner: real PostgreSQL, chDB and files."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from include.change_capture.errors import Differs, Overtaken, SourceRefused, TableShrank
from include.clickhouse.embedded import EmbeddedClient
from include.errors import PermanentError
from tests.dags.dag_runs import parsed, red_at, states
from tests.servers.postgres import PostgresServer

DAG_ID = "shop_sync"
TASKS = ["postgres_health", "tables", "stage", "load", "publish", "aggregate", "quality", "render"]
SHOP = """
CREATE TABLE categories (id bigint PRIMARY KEY, name text NOT NULL, parent_id bigint);
CREATE TABLE sellers (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE products (
    id bigint PRIMARY KEY, category_id bigint, seller_id bigint, name text, price numeric(10,2)
);
CREATE TABLE users (id bigint PRIMARY KEY, username text);
CREATE TABLE sales (
    id bigint PRIMARY KEY, product_id bigint, user_id bigint, seller_id bigint, quantity int,
    price_at_sale numeric(10,2), sale_date timestamptz
);
CREATE TABLE product_ratings (
    id bigint PRIMARY KEY, product_id bigint, user_id bigint, rating int, rating_date timestamptz
);
CREATE TABLE seller_ratings (
    id bigint PRIMARY KEY, seller_id bigint, user_id bigint, rating int, rating_date timestamptz
);
CREATE TABLE cart_items (
    id bigint PRIMARY KEY, user_id bigint, product_id bigint, quantity int, added_at timestamptz, status text
);
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 20) AS n;
INSERT INTO sales
    SELECT n, 1, n % 20, 1, 2, 12.50, timestamptz '2026-08-20 01:02:03.4+00' FROM generate_series(1, 99) AS n;
CREATE ROLE shop_reader LOGIN PASSWORD 'shop-reader-s3cret';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader;
"""


class Place:
    """What a run works with. Attributes: source, connected to the shop; engine, staging, reports: paths."""

    def __init__(self, directory: Path, server: PostgresServer, database: str) -> None:
        self.source = server.connect(dbname=database)
        self.engine, self.staging = directory / "chdb", directory / "staging"
        self.reports = directory / "reports"

    def sql(self, statement: str) -> None:
        """Run statements in the shop."""
        with self.source.cursor() as cursor:
            cursor.execute(statement)

    def read(self, select: str) -> list[tuple]:
        """Ask ClickHouse."""
        with EmbeddedClient("test", self.engine, "stagehouse", wait_s=5) as clickhouse:
            return clickhouse.execute(select)


@pytest.fixture
def place(tmp_path: Path, postgres_server, postgres_database, monkeypatch: pytest.MonkeyPatch):
    """A shop whose reader may do nothing but read."""
    made = Place(tmp_path, postgres_server, postgres_database)
    made.sql(SHOP)
    clickhouse = {"conn_type": "clickhouse", "schema": "stagehouse", "extra": {"path": str(made.engine)}}
    reader = {"login": "shop_reader", "password": "shop-reader-s3cret", "schema": postgres_database}
    for name, value in {
        "CONN_POSTGRES_DEFAULT": postgres_server.airflow_connection(),
        "CONN_SHOP_DEFAULT": postgres_server.airflow_connection(**reader),
        "CONN_CLICKHOUSE_DEFAULT": json.dumps(clickhouse),
        "VAR_STAGING_ROOT": str(made.staging),
        "VAR_REPORTS_ROOT": str(made.reports),
    }.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    yield made
    made.sql("DROP OWNED BY shop_reader; DROP ROLE shop_reader")
    made.source.close()


@pytest.fixture
def run(root: Path, metadb: None):
    """A function that runs the DAG with params."""
    return lambda **params: parsed(root, DAG_ID).test(run_conf=params)


def test_tasks_follow_each_other_as_documented(dagbag):
    """One line, in the order of the table in the documentation."""
    dag = dagbag.dags[DAG_ID]
    documented = [line.split("`")[1] for line in dag.doc_md.splitlines() if line.startswith("| `")]
    assert documented == TASKS
    assert [task.task_id for task in dag.topological_sort()] == TASKS
    for before, after in pairwise(TASKS):
        assert after in dag.task_dict[before].downstream_task_ids
    assert {task.task_id for task in dag.tasks if task.is_mapped} == {"load"}
    assert dag.max_active_runs == 1
    assert list(dag.params) == ["full_check", "strict", "accept_shrink", "reread", "accept_dropped"]


@pytest.mark.parametrize("error", [SourceRefused, TableShrank, Overtaken, Differs])
def test_what_no_retry_helps_is_red_at_once(error):
    """The retry policy of all DAGs asks for this class."""
    assert issubclass(error, PermanentError)


def test_a_shop_is_there_and_stays_so(run, place: Place):
    """Everything, then nothing, then what changed; by a role that may only SELECT."""
    first = run()
    assert states(first) == dict.fromkeys(TASKS, "success")
    sale = (
        "SELECT id, quantity, price_at_sale, toString(sale_date), sale_date_us FROM shop_sales WHERE id = 7"
    )
    assert place.read(sale) == [(7, 2, 1250, "2026-08-20 01:02:03", 1787187723400000)]
    idle = run()
    assert states(idle) == dict.fromkeys(TASKS, "success") | {"load": "skipped"}
    place.sql("DELETE FROM users WHERE id > 15; UPDATE sales SET quantity = 3 WHERE id = 7")
    assert states(run()) == dict.fromkeys(TASKS, "success")
    assert place.read("SELECT count(), max(id) FROM shop_users") == [(15, 15)]
    assert place.read(sale)[0][1] == 3
    assert place.read("SELECT count(), uniqExact(version) FROM source_snapshots FINAL") == [(3, 3)]
    assert [table for (table,) in place.read("SHOW TABLES") if "__stg_" in table] == []


TOTALS = """
    SELECT toString(date), total_sales, toString(total_revenue) FROM daily_sales_aggregation
    WHERE dimension = 'total' ORDER BY date
"""


def page(place: Place) -> str:
    """The page of the only day there is."""
    (file,) = place.reports.glob("shop/*/index.html")
    return file.read_text()


def test_aggregates_checks_and_the_page(run, place: Place):
    """Days are made anew where something changed; what is checked is kept, and shown with how new it is."""
    place.sql("INSERT INTO sellers VALUES (1, 'Ann'); INSERT INTO products VALUES (1, NULL, 1, 'x', 1)")
    place.sql("UPDATE users SET id = 0 WHERE id = 20")
    assert states(run()) == dict.fromkeys(TASKS, "success")
    assert place.read(TOTALS) == [("2026-08-20", 99, "2475")]
    assert place.read("SELECT DISTINCT outcome FROM quality_checks FINAL") == [("ok",)]
    checked = place.read("SELECT uniqExact(rule), uniqExact(`table`) FROM quality_checks FINAL")
    assert checked[0][0] > 10
    assert "99 sales of 2,475.00 in these days" in page(place)
    place.sql("DELETE FROM sales WHERE id = 7; UPDATE sales SET sale_date = '2026-08-21' WHERE id = 8")
    assert states(run()) == dict.fromkeys(TASKS, "success")
    assert place.read(TOTALS) == [("2026-08-20", 97, "2425"), ("2026-08-21", 1, "25")]
    before = place.read("SELECT count() FROM quality_checks FINAL")
    assert states(run())["quality"] == "success"  # idle: no rule is asked
    assert place.read("SELECT count() FROM quality_checks FINAL") == before


def test_a_check_that_fails_is_on_the_page(run, place: Place, capfd):
    """A reference that points nowhere is a warning, and red by `strict`: with table, key, and what to do."""
    assert states(run()) == dict.fromkeys(TASKS, "success")
    assert "3 warnings" in page(place)
    red = run(strict=True)
    assert states(red)["quality"] == "failed"
    said = capfd.readouterr().out
    assert "seller_id leads to shop_sellers: table shop_sales, seller_id 1: expected a row of" in said
    assert "checks failed" in page(place)


def test_a_right_that_is_missing_is_named_before_anything_is_done(run, place: Place, capfd):
    """With the statement that gives it."""
    place.sql("REVOKE SELECT ON users FROM shop_reader")
    assert states(run()) == red_at("postgres_health", TASKS)
    assert 'run GRANT SELECT ON "public"."users" TO "shop_reader"' in capfd.readouterr().out
    assert not place.engine.exists()


def test_a_table_that_lost_most_rows_waits_for_a_word(run, place: Place):
    """Nothing is published, of no table, until a run accepts it."""
    run()
    place.sql("DELETE FROM users WHERE id > 3; DELETE FROM sales WHERE id = 1")
    assert states(run()) == red_at("stage", TASKS)
    assert place.read("SELECT (SELECT count() FROM shop_users), count() FROM shop_sales") == [(20, 99)]
    assert run(accept_shrink=["users"]).state == "success"
    assert place.read("SELECT (SELECT count() FROM shop_users), count() FROM shop_sales") == [(3, 98)]


def test_rows_that_differ_are_found_and_reread(run, place: Place):
    """By the bucket, and mended by a run with `reread`."""
    run()
    place.read(
        "INSERT INTO shop_users_versions SELECT id, 'somebody else', _version + 1, 0 FROM shop_users_versions"
        " WHERE id = 7"
    )
    assert states(run(full_check=True)) == dict.fromkeys(TASKS, "success") | {
        "load": "skipped",
        "quality": "failed",
        "render": "upstream_failed",
    }
    assert run(full_check=True, reread=["users"]).state == "success"
    assert place.read("SELECT username FROM shop_users WHERE id = 7") == [("user 7",)]


@pytest.mark.parametrize(
    "params", [{"reread": ["nothing"]}, {"accept_dropped": ["users"]}, {"typo": True}], ids=str
)
def test_a_bad_param_is_refused_first(run, place: Place, params):
    """It is named, and nothing is read."""
    assert states(run(**params)) == red_at("postgres_health", TASKS)
    assert not place.engine.exists()
