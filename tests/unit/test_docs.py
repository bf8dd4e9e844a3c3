"""The pages for people say what is there: paths, links, commands, connections, variables, tables."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from include.api_calls.table import API_CALLS
from include.github.tables import AUTHORS_COMMITS, OUTCOMES, POSITIONS, REPOSITORIES
from include.kafka.events import USER_EVENTS
from include.kafka.ledger import OFFSETS
from include.kafka.messages import DEAD_LETTERS
from include.kafka.sessions import USER_SESSIONS
from include.monitoring.metrics import METRICS, PREFIX
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.phrase_views.gains import BY_HOUR
from include.shop.aggregates import DAILY_SALES, USER_ACTIVITY
from stagehouse.hooks.clickhouse_hook import ClickHouseOptions
from stagehouse.hooks.github_hook import GitHubOptions
from stagehouse.hooks.http_api_hook import HttpApiOptions
from tests import example_source

ROOT = Path(__file__).resolve().parents[2]
README, CONTRIBUTING, DOCS = ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs"
PAGES = [README, CONTRIBUTING, *sorted(DOCS.glob("*.md"))]
README_LINES = 120
APPENDED = [USER_EVENTS.staged, USER_SESSIONS.staged, DEAD_LETTERS, OFFSETS]

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# A path from the root: not a part of a URL, of another path, or of a name.
PATH = re.compile(r"(?<![\w/.:-])(?:dags|plugins|include|tests|docs|\.ci)/(?:[\w./-]*\w/?)?")
NAMED_TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
TEST_OF_A_FAULT = re.compile(
    r"`[\w/]+\.py::test_\w+`"
)  # from tests/ on: tests/faults/test_table.py looks there
FILE_OF_A_PAGE = re.compile(r"`([\w./-]+\.(?:py|sql|md|toml|yaml|lock|html|css|js|txt))`")
MODULE = re.compile(r"python -m ((?:include|tests)[\w.]*\w)")
COMMAND = re.compile(r"(?:^|`|\(|&& |\s)make ([a-z]+(?:-[a-z]+)*)(?=[\s`,;:.)#]|$)", re.MULTILINE)
CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)\n\) (ENGINE = [^;]+);", re.DOTALL)
ADD = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (?:IF NOT EXISTS )?`?(\w+)`? (.+?)(?: DEFAULT .+)?;")
ENGINE = re.compile(r"ENGINE = (\w+)(?:\((\w+)\))?(?: PARTITION BY (\S+))? ORDER BY \(([^)]+)\)")


class Table(NamedTuple):
    """A table as the migrations leave it.

    Attributes: columns, (name, type) in order; engine, in the words of the page.
    """

    columns: list[tuple[str, str]]
    engine: str


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    return request.param


def text_of(page: Path) -> str:
    """Return what a page says of this project: an example is of one that has it, and is tested there."""
    text = page.read_text()
    return example_source.without_example(text) if page == example_source.PAGE else text


def slugs(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def migrated() -> dict[str, Table]:
    """Return the tables that the migrations make. Any statement but CREATE and ADD COLUMN is an error."""
    tables: dict[str, Table] = {}
    for path in sorted((ROOT / "include" / "clickhouse" / "migrations").glob("*.sql")):
        text = re.sub(r"^--.*\n", "", path.read_text(), flags=re.MULTILINE)
        for name, columns, engine in CREATE.findall(text):
            pairs = [line.strip().rstrip(",").split(" ", 1) for line in columns.splitlines()]
            tables[name] = Table([(column.strip("`"), kind) for column, kind in pairs], engine_of(engine))
        for name, column, kind in ADD.findall(text):
            tables[name].columns.append((column, kind))
        assert not ADD.sub("", CREATE.sub("", text)).strip(), path
    return tables


def engine_of(text: str) -> str:
    """Return an engine in the words of the page."""
    found = ENGINE.fullmatch(text)
    assert found, text
    engine, version, partition, order = found.groups()
    parts = [f"{engine}({version})" if version else engine]
    parts += [f"partitioned by {partition}"] if partition else []
    return ", ".join([*parts, f"ordered by ({order.replace('`', '')})"])


def documented() -> Iterator[tuple[str, str]]:
    """Yield the name and the section of each table in tables.md."""
    for section in re.split(r"^## ", (DOCS / "tables.md").read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        if heading.startswith("`"):
            yield heading.strip("`"), text


def rows_of(text: str, header: str) -> list[list[str]]:
    """Return the rows of the tables with this header."""
    rows = []
    for table in f"\n{text}".split(f"\n{header}\n")[1:]:
        for line in table.splitlines()[1:]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip("| ").split(" | ")])
    return rows


def test_the_readme_is_a_front_door():
    """It is short, and leads to every page."""
    assert len(README.read_text().splitlines()) <= README_LINES
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(README.read_text())}
    assert [path for path in PAGES[1:] if path not in linked] == []


def test_every_link_leads_somewhere(page: Path):
    """Files and headings; addresses of others are not asked."""
    for link in LINK.findall(text_of(page)):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        if anchor:
            assert anchor in slugs(target), link


def test_every_picture_is_shown():
    """By a page."""
    shown = {Path(link).name for path in PAGES for link in LINK.findall(path.read_text())}
    assert {path.name for path in DOCS.glob("*.png")} <= shown


def test_every_path_exists(page: Path):
    """Whether it stands in a sentence, in a table or in a drawing of the tree."""
    text = text_of(page)
    if page.name == "faults.md":
        text = TEST_OF_A_FAULT.sub("", text)
    paths = PATH.findall(text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_file_is_named_by_its_path_from_the_root(page: Path):
    """So that a reader can open it; but for what a run writes, or another project has."""
    written = {"rows.csv", "index.html", "__init__.py"}
    files = [file for file in FILE_OF_A_PAGE.findall(text_of(page)) if file not in written]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_test_and_module_that_is_named_exists(page: Path):
    """Tests by path and name; modules that are run by name. tests/faults/test_table.py reads faults.md."""
    text = text_of(page)
    for file, name in NAMED_TEST.findall(text):
        body = ast.parse((ROOT / file).read_text()).body
        assert name in {node.name for node in body if hasattr(node, "name")}, (file, name)
    for module in MODULE.findall(text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_command_is_a_target_of_the_makefile(page: Path):
    """In code, where a command can be meant."""
    text = text_of(page)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join([*FENCED.findall(text), *re.findall(r"`[^`\n]+`", FENCED.sub("", text))])
    assert set(COMMAND.findall(code)) <= targets


def test_contributing_explains_every_command():
    """That `make help` lists."""
    listed = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    assert [
        name for name in listed if name != "help" and f"`make {name}" not in CONTRIBUTING.read_text()
    ] == []


def test_the_options_of_connections_are_written_down():
    """All names and defaults of the models that read them."""
    text = (DOCS / "configuration.md").read_text()
    github = {row[0].strip("`"): row[1] for row in rows_of(text, "| extra | default | meaning |")}
    assert github == {name: f"`{field.default:g}`" for name, field in GitHubOptions.model_fields.items()}
    http = {row[0].strip("`"): row[1] for row in rows_of(text, "| option | default | meaning |")}
    defaults = {name: field.default for name, field in HttpApiOptions.model_fields.items()}
    assert http == {name: f"`{value:g}`" if value else "empty" for name, value in defaults.items()}
    clickhouse = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows_of(text, "| extra | meaning |")))
    assert sorted(clickhouse) == sorted(ClickHouseOptions.model_fields)


def test_the_metrics_are_written_down():
    """Each, with its labels and what it says."""
    rows = rows_of((DOCS / "monitoring.md").read_text(), "| metric | labels | meaning |")
    labels = {name: re.findall(r"`(\w+)`", cell) for name, cell, _ in rows}
    assert labels == {f"`{PREFIX}{name}`": list(metric.labels) for name, metric in METRICS.items()}
    assert [row[2] for row in rows] == [metric.says for metric in METRICS.values()]


def test_the_settings_of_containers_are_written_down():
    """Each of .env.example."""
    settings = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    rows = rows_of((DOCS / "configuration.md").read_text(), "| setting | meaning |")
    assert sorted(re.findall(r"`([A-Z_]+)`", " ".join(row[0] for row in rows))) == sorted(settings)


def test_the_variables_are_written_down():
    """Each that the hooks read."""
    rows = rows_of((DOCS / "configuration.md").read_text(), "| variable | meaning |")
    names = {row[0].strip("`") for row in rows}
    roots = {"staging_root", "reports_root", "inbox_root", "recipes_root"}
    assert names == roots | {"published_by_hour", "failure_notifier", "inbox_uploads"}
    text = "".join(path.read_text() for path in (ROOT / "plugins" / "stagehouse").rglob("*.py"))
    assert all(f'"{name}"' in text for name in names)


def test_every_table_is_written_down():
    """Each table of the migrations has a section, in the same order, and a line in the list at the top."""
    tables = migrated()
    assert sorted(name for name, _ in documented()) == sorted(tables)
    listed = rows_of(
        (DOCS / "tables.md").read_text(), "| table | one row is | read with `FINAL` | replaced |"
    )
    added_to = {table.name for table in APPENDED}
    kept = {True: ["yes", "by key"], False: ["no", "by day"]}
    assert {re.sub(r"\W*`\W.*", "", row[0]).strip("[`"): row[2:] for row in listed} == {
        name: ["no", "never, added to"] if name in added_to else kept[table.engine.startswith("Replacing")]
        for name, table in tables.items()
    }


@pytest.mark.parametrize("table", APPENDED, ids=lambda table: table.name)
def test_what_is_added_to_is_a_column_of_the_page(table):
    """What is staged and what the publication fills in; the engine's order is the key that is there once."""
    migrated_table = migrated()[table.name]
    assert {*table.columns, *table.stamps} == {column for column, _ in migrated_table.columns}
    assert migrated_table.engine.endswith(f"ordered by ({', '.join(table.key)})")


@pytest.mark.parametrize(("name", "text"), documented(), ids=lambda value: value.partition("\n")[0] or None)
def test_every_column_is_written_down(name: str, text: str):
    """In the table's order, with its type, a unit and a meaning; and how the table is kept."""
    table = migrated()[name]
    rows = rows_of(text, "| column | type | unit | meaning |")
    assert [(row[0].strip("`"), row[1].strip("`")) for row in rows] == table.columns
    assert all(len(row) == 4 and all(row) for row in rows)
    assert f"Engine: {table.engine}" in text


@pytest.mark.parametrize(
    "table",
    [POSITIONS, AUTHORS_COMMITS, OUTCOMES, BY_HOUR, DAILY_SALES, USER_ACTIVITY],
    ids=lambda table: table.name,
)
def test_the_key_within_a_day_is_written_down(table):
    """The columns that are proved to be unique when a day is published."""
    text = dict(documented())[table.name].replace("\n", " ")
    assert f"Unique within a day: {', '.join(f'`{column}`' for column in table.key)}." in text


@pytest.mark.parametrize(
    "table",
    [
        REPOSITORIES,
        POSITIONS,
        AUTHORS_COMMITS,
        OUTCOMES,
        BY_HOUR,
        PHRASES_VIEWS,
        API_CALLS,
        DAILY_SALES,
        USER_ACTIVITY,
    ],
    ids=lambda table: table.name,
)
def test_what_is_staged_is_a_column_of_the_page(table):
    """The migrations and the code that stages agree on names and order, so the page serves both."""
    assert list(table.columns) == [column for column, _ in migrated()[table.name].columns]
