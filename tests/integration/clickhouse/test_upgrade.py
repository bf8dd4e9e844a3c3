"""From one schema version to the next while a run is in progress, back, and forward again, on both engines.

The next version is a real one: a copy of the migrations with one more file, and tables whose staged rows have
the column that it adds.
"""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from include.clickhouse import publish as publishing
from include.clickhouse.client import insert_rows
from include.clickhouse.errors import DayMismatch, Refused
from include.clickhouse.fingerprint import fingerprint
from include.clickhouse.load import load_part
from include.clickhouse.loads import record_load
from include.clickhouse.partitions import require_recorded
from include.clickhouse.publish import check_day
from include.clickhouse.schema import MIGRATIONS, MigrationRefused, migrate
from include.github.tables import AUTHORS_COMMITS, OUTCOMES, POSITIONS, REPOSITORIES
from include.pages.top_repositories_data import read_top_repositories
from include.phrase_views import report
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.phrase_views.gains import BY_HOUR
from include.published_days import TABLES, require_published
from include.staging.units import Unit
from tests.integration.clickhouse.days import (
    DAY,
    OTHER_DAY,
    commits,
    load,
    now,
    publish,
    repositories,
    run,
    stage,
    staging_tables,
    stored,
)  # fmt: skip
from tests.integration.phrase_views.days import ask, counters, insert
from tests.integration.phrase_views.days import publish as publish_report

# What existing installations have recorded.
CHECKSUMS = {
    1: "89c4e2f35d41ae8691cc8cb5cfc70010",
    2: "52ea85cf24d07d802183f805003a0808",
    3: "355610efdfb43860fed501319d95fc21",
    4: "3e6e0bae537a4201ffd91531e6d52fd8",
    5: "08c1ba2166a3f902c512afb4f6e66113",
    6: "8442ba02a29599bf6ee34499b4bcdba4",
    7: "4c4342f9407cf6e99ccf7f4663f1baf7",
    8: "1084943def21b90e2af8dae46073af2d",
    9: "4ac56d1f00f468ec6a8dfd69b540f76c",
    10: "bf3e9e33c6b013b43abb7ab836bf7010",
    11: "23334113d594ba2df46a0a0edfba6753",
}
NEXT_VERSION = len(CHECKSUMS) + 1
ADDITIVE = (
    r"CREATE TABLE IF NOT EXISTS \w+ \(.+",
    r"ALTER TABLE \w+ ADD COLUMN \w+ [\w()']+ DEFAULT (\d+|'\w*')",
)
NEXT = """-- The next version of the project.
ALTER TABLE repositories_positions ADD COLUMN topic String DEFAULT 'none';
ALTER TABLE repositories_authors_commits ADD COLUMN signed UInt32 DEFAULT 0;
ALTER TABLE repositories ADD COLUMN license String DEFAULT 'unknown';
ALTER TABLE phrases_views_by_hour ADD COLUMN clicks UInt32 DEFAULT 0;
"""
NEXT_COMMITS = AUTHORS_COMMITS.model_copy(update={"columns": AUTHORS_COMMITS.columns | {"signed": "UInt32"}})
RANKED = [(DAY, f"octo/repo-{n}", n, n, 100 - n) for n in range(1, 9)]
FETCHED = [(DAY, f"octo/repo-{n}", "ok", 1, 1) for n in range(1, 9)]


@pytest.fixture
def following(tmp_path):
    """The migrations of the next version."""
    files = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    (files / f"{NEXT_VERSION:03}_next.sql").write_text(NEXT)
    return files


def of_next_version(rows):
    """The rows as the next version stages them."""
    return [(*row, number % 3) for number, row in enumerate(rows)]


def is_additive(statement):
    """Whether the version before works with what the statement made, and it may run twice."""
    return any(re.fullmatch(form, " ".join(statement.split()), re.DOTALL) for form in ADDITIVE)


def test_migrations_only_add(following):
    """So the version before works on the schema after, and going back needs no migration."""
    for migration in MigrationStorage(following).migrations():
        code = re.sub("--.*", "", migration.script)
        statements = Migrator.script_to_statements(code, multi_statement=True)
        assert all(is_additive(statement.rstrip("; \n")) for statement in statements)
    for change in ("DROP COLUMN a", "MODIFY COLUMN a String", "ADD COLUMN a String", "RENAME COLUMN a TO b"):
        assert not is_additive(f"ALTER TABLE t {change}")
    assert not is_additive("ALTER TABLE t ADD COLUMN a String DEFAULT '' AFTER b")  # see the next test
    assert not is_additive("ALTER TABLE t ADD COLUMN a String DEFAULT '', ADD COLUMN b String DEFAULT ''")


def test_recorded_migrations_are_as_they_were():
    """An edited one would be refused by each existing installation."""
    files = {each.version: each.md5 for each in MigrationStorage(MIGRATIONS).migrations()}
    assert files.items() >= CHECKSUMS.items()


def test_staged_columns_are_the_first_of_their_table(clickhouse):
    """In its order: other versions hash a day over more of them, or fewer."""
    for table in (REPOSITORIES, POSITIONS, AUTHORS_COMMITS, OUTCOMES, BY_HOUR, PHRASES_VIEWS):
        names = [name for name, *_ in clickhouse.execute(f"DESCRIBE TABLE {table.name}")]
        assert names[: len(table.columns)] == list(table.columns)


def test_text_is_staged_by_the_types_of_the_table(clickhouse):
    """So a version that knows text, and nothing of this table in it, loads such a run too."""
    types = {name: kind for name, kind, *_ in clickhouse.execute(f"DESCRIBE TABLE {PHRASES_VIEWS.name}")}
    assert types == PHRASES_VIEWS.columns


def test_two_workers_may_add_columns_at_once(connect, following):
    """Each takes the columns of the other for its own."""

    def work(_):
        with connect() as connection:
            return migrate(connection, following)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert work(None) == []


def test_a_run_goes_on_over_an_upgrade(clickhouse, following, tmp_path):
    """Of its parts some were loaded before, some after; the rows are exact, the new columns have defaults."""
    rows = commits(2500)
    staged = (REPOSITORIES, repositories(9)), (POSITIONS, RANKED), (AUTHORS_COMMITS, rows)
    directory, manifest = stage(tmp_path, "a run", *staged)
    before = load(clickhouse, directory, manifest)
    assert migrate(clickhouse, following) == [NEXT_VERSION]
    again = before.pop()
    after = load_part(
        clickhouse, directory, manifest, table=again.table, file=again.file, attempt="after the upgrade"
    )
    publish(clickhouse, manifest, [*before, after])
    check_day(clickhouse, directory, manifest, "1")
    assert sorted(stored(clickhouse, AUTHORS_COMMITS)) == sorted(rows)
    assert sorted(stored(clickhouse, POSITIONS)) == RANKED
    assert clickhouse.execute("SELECT DISTINCT topic FROM repositories_positions") == [("none",)]
    assert clickhouse.execute("SELECT DISTINCT signed FROM repositories_authors_commits") == [(0,)]
    assert clickhouse.execute("SELECT license, count() FROM repositories FINAL GROUP BY license") == [
        ("unknown", 9)
    ]
    assert staging_tables(clickhouse) == []


def test_an_upgrade_in_the_middle_of_publishing_is_mended_by_the_next_try(
    clickhouse, following, tmp_path, monkeypatch
):
    """The try is red, says what to look for, and changed nothing; readers have the old day until the next."""
    run(clickhouse, tmp_path, "earlier", (AUTHORS_COMMITS, commits(5)))
    directory, manifest = stage(tmp_path, "a run", (AUTHORS_COMMITS, commits(9)))
    staged = load(clickhouse, directory, manifest)
    gathered = publishing._gathered

    def then_migrated(*args):
        source = gathered(*args)
        migrate(clickhouse, following)
        return source

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_gathered", then_migrated)
        with pytest.raises(Refused, match=r"code 122.*Next: was the table migrated"):
            publish(clickhouse, manifest, staged)
    assert len(stored(clickhouse, AUTHORS_COMMITS)) == 5
    publish(clickhouse, manifest, staged, attempt="2")
    check_day(clickhouse, directory, manifest, "2")
    assert sorted(stored(clickhouse, AUTHORS_COMMITS)) == sorted(commits(9))


def test_the_version_before_works_on_the_schema_after(clickhouse, following, tmp_path, caplog, monkeypatch):
    """Back: a warning, the newer version's days are read, own ones published, exactly; and forward again."""
    migrate(clickhouse, following)
    newer_rows = of_next_version(commits(1500, OTHER_DAY))
    newer = run(clickhouse, tmp_path, "newer", (NEXT_COMMITS, newer_rows), day=OTHER_DAY)

    assert migrate(clickhouse) == []
    assert f"migrations of a newer version of the project stay: {NEXT_VERSION}" in caplog.text
    assert read_top_repositories(clickhouse, OTHER_DAY).author_count == 1500
    tables = (REPOSITORIES, repositories(9)), (POSITIONS, RANKED), (OUTCOMES, FETCHED)
    older = run(clickhouse, tmp_path, "older", *tables, (AUTHORS_COMMITS, commits(1200)))
    assert sorted(stored(clickhouse, AUTHORS_COMMITS)) == sorted(commits(1200))
    assert len(read_top_repositories(clickhouse, DAY).repositories) == 8
    github, _ = TABLES
    assert require_published(clickhouse, DAY, [github])[AUTHORS_COMMITS.name] == 1200

    assert migrate(clickhouse, following) == []
    monkeypatch.setitem(TABLES, github, (POSITIONS, NEXT_COMMITS, OUTCOMES))
    assert require_published(clickhouse, DAY, [github])[AUTHORS_COMMITS.name] == 1200
    for manifest, day in ((newer, OTHER_DAY), (older, DAY)):
        assert require_recorded(clickhouse, NEXT_COMMITS, day, "").run_id == manifest.run_id
    assert sorted(stored(clickhouse, NEXT_COMMITS, OTHER_DAY)) == sorted(newer_rows)
    run(clickhouse, tmp_path, "newest", (NEXT_COMMITS, of_next_version(commits(700))))
    assert sorted(stored(clickhouse, NEXT_COMMITS)) == sorted(of_next_version(commits(700)))


def test_a_day_that_was_changed_by_hand_is_not_taken_for_another_versions(clickhouse, following, tmp_path):
    """Whatever number of columns is hashed."""
    migrate(clickhouse, following)
    run(clickhouse, tmp_path, "newer", (NEXT_COMMITS, of_next_version(commits(3))))
    wrong = [(DAY, "octo/repo", "author №0", 1, 0), (DAY, "octo/repo", "author №1", 2, 1)]
    wrong.append((DAY, "octo/repo", "author №2", 3, 9))  # signed: 2
    clickhouse.execute(f"ALTER TABLE {AUTHORS_COMMITS.name} DROP PARTITION '{DAY}'")
    insert_rows(clickhouse, AUTHORS_COMMITS.name, list(NEXT_COMMITS.columns), [wrong])
    with pytest.raises(DayMismatch):
        require_recorded(clickhouse, AUTHORS_COMMITS, DAY, "")


def test_a_report_goes_on_over_an_upgrade_and_keeps_what_a_newer_version_knows(clickhouse, following):
    """Computed before, published after; one of some campaigns keeps new columns of the others."""
    insert(clickhouse, counters("-1/23:50=1 00:10=5 12:00=9"))
    insert(clickhouse, counters("-1/23:50=1 00:10=2", campaign_id=8))
    computed = report.compute_report(clickhouse, ask(), "run 1", "1")
    migrate(clickhouse, following)
    published = publish_report(clickhouse, ask(), computed)
    assert report.check_report(clickhouse, ask(), published, "run 1") == 3

    with_clicks = [(*row, 7) for row in stored(clickhouse, BY_HOUR)]
    newer = BY_HOUR.model_copy(update={"columns": BY_HOUR.columns | {"clicks": "UInt32"}})
    clickhouse.execute(f"ALTER TABLE {newer.name} DROP PARTITION '{DAY}'")
    insert_rows(clickhouse, newer.name, list(newer.columns), [with_clicks])
    found = fingerprint(clickhouse, newer, str(DAY))
    record_load(clickhouse, newer.name, Unit.of_day(DAY), found, "newer run", now())

    computed = report.compute_report(clickhouse, ask(8), "run 2", "1")
    publish_report(clickhouse, ask(8), computed, "run 2")
    assert sorted(stored(clickhouse, BY_HOUR)) == sorted(row[:-1] for row in with_clicks)
    clicks = "SELECT campaign_id, sum(clicks) FROM phrases_views_by_hour GROUP BY campaign_id"
    assert sorted(clickhouse.execute(clicks)) == [(7, 14), (8, 0)]


def test_a_rolled_back_version_still_refuses_edited_and_missing_files(clickhouse, following, tmp_path):
    """Only what is newer than all of its files may be unknown to it."""
    migrate(clickhouse, following)
    edited = shutil.copytree(MIGRATIONS, tmp_path / "edited")
    (edited / "002_loads.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationRefused, match="version is 2"):
        migrate(clickhouse, edited)
    (edited / "002_loads.sql").unlink()
    with pytest.raises(MigrationRefused, match="gone missing"):
        migrate(clickhouse, edited)
