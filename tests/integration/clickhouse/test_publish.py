"""A day gets in exactly once, on both engines."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen
from uuid import uuid4

import pytest

from include.clickhouse.client import NativeClient
from include.clickhouse.errors import DayMismatch, Refused
from include.clickhouse.load import load_part
from include.clickhouse.loads import last_publisher, recorded_load
from include.clickhouse.publish import check_day, publish_day
from include.clickhouse.schema import migrate
from include.clickhouse.staging_tables import create_staging_table, drop_staging_tables, staging_table_name
from include.phrase_views.counters.staging import PHRASES_VIEWS
from include.staging.errors import StagingFileDamaged, StagingFileMissing
from tests.integration.clickhouse.days import (
    COMMITS,
    DAY,
    OTHER_DAY,
    REPOSITORIES,
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

SAMPLED = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
on_a_server = pytest.mark.parametrize("connect", ["18.16 native"], indirect=True)


@pytest.mark.parametrize("rows_per_part", [5000, 700], ids=["one part", "several parts"])
def test_the_published_day_is_the_staged_day(clickhouse, tmp_path, rows_per_part):
    """Rows, the `loads` row and the check agree, and no staging table stays."""
    rows = commits(2000)
    manifest = run(clickhouse, tmp_path, "run 1", (COMMITS, rows), rows_per_part=rows_per_part)
    assert sorted(stored(clickhouse)) == sorted(rows)
    parts = manifest.tables[COMMITS.name]
    assert recorded_load(clickhouse, COMMITS.name, DAY)[:3] == (2000, parts.checksum, "run 1")
    assert staging_tables(clickhouse) == []


def test_a_shorter_list_replaces_the_day_whole_and_leaves_other_days_alone(clickhouse, tmp_path):
    """Nothing of the longer list stays."""
    other = commits(50, OTHER_DAY)
    run(clickhouse, tmp_path, "run 0", (COMMITS, other), day=OTHER_DAY)
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(100)))
    run(clickhouse, tmp_path, "run 2", (COMMITS, commits(7, who="other")))
    assert sorted(stored(clickhouse)) == sorted(commits(7, who="other"))
    assert sorted(stored(clickhouse, day=OTHER_DAY)) == sorted(other)


def test_a_day_without_rows_empties_the_day(clickhouse, tmp_path):
    """Zero rows are published as such, also twice, and recorded in `loads`."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(5)))
    for run_id in ("run 2", "run 3"):
        run(clickhouse, tmp_path, run_id, (COMMITS, []))
        assert stored(clickhouse) == []
        assert recorded_load(clickhouse, COMMITS.name, DAY)[:3] == (0, 0, run_id)


def test_publish_may_be_repeated_after_its_end(clickhouse, tmp_path):
    """The second time it finds its own work, though the staging tables are gone."""
    directory, manifest = stage(tmp_path, "run 1", (REPOSITORIES, repositories(3)), (COMMITS, commits(9)))
    staged = load(clickhouse, directory, manifest)
    first = publish(clickhouse, manifest, staged, "1")
    assert publish(clickhouse, manifest, staged, "2") == first
    check_day(clickhouse, directory, manifest, "1")


def test_publish_of_a_superseded_run_without_staging_says_what_to_clear(clickhouse, tmp_path):
    """It cannot bring its day back, so it changes nothing."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(9)))
    staged = load(clickhouse, directory, manifest)
    publish(clickhouse, manifest, staged, "1")
    run(clickhouse, tmp_path, "run 2", (COMMITS, commits(4)))
    with pytest.raises(DayMismatch, match="clear task load"):
        publish(clickhouse, manifest, staged, "2")
    assert len(stored(clickhouse)) == 4


def test_the_check_of_an_older_run_accepts_what_a_newer_run_published(clickhouse, tmp_path):
    """The day is what `loads` says, whoever wrote it last."""
    older = run(clickhouse, tmp_path, "run 1", (COMMITS, commits(9)))
    run(clickhouse, tmp_path, "run 2", (COMMITS, commits(4)))
    assert check_day(clickhouse, tmp_path, older, "2") == {COMMITS.name: 4}


@pytest.mark.parametrize(
    "damage",
    [
        f"INSERT INTO {COMMITS.name} SELECT * FROM {COMMITS.name}",
        f"INSERT INTO {COMMITS.name} SELECT toDate('{DAY}'), 'octo/repo', 'stranger', 1",
        f"ALTER TABLE {COMMITS.name} DROP PARTITION '{DAY}'",
    ],
    ids=["doubled", "one row more", "lost"],
)
def test_the_check_finds_a_day_that_is_not_what_was_published(clickhouse, tmp_path, damage):
    """The error names the table, the day and the next step."""
    manifest = run(clickhouse, tmp_path, "run 1", (COMMITS, commits(9)))
    clickhouse.execute(damage)
    with pytest.raises(DayMismatch, match=f"{COMMITS.name}, day {DAY}.*clear task load"):
        check_day(clickhouse, tmp_path, manifest, "2")


def test_rows_of_another_day_stop_the_publication(clickhouse, tmp_path):
    """Before anything of it can be seen."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, [*commits(5), *commits(1, OTHER_DAY)]))
    with pytest.raises(DayMismatch, match="outside=1"):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    assert stored(clickhouse) == []


@pytest.mark.parametrize(("table", "rows"), [(COMMITS, commits), (REPOSITORIES, repositories)])
def test_a_doubled_key_stops_the_publication(clickhouse, tmp_path, table, rows):
    """Keys are unique or nothing is published; 26.9 merges doubled rows as they are inserted."""
    directory, manifest = stage(tmp_path, "run 1", (table, [*rows(5), *rows(1)]))
    with pytest.raises(DayMismatch, match=r"keys=5|5 of 6 rows"):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    assert clickhouse.execute(f"SELECT count() FROM {table.name}") == [(0,)]


def test_a_key_doubled_over_two_parts_stops_the_publication(clickhouse, tmp_path):
    """Each part is unique in itself; together they are not."""
    run(clickhouse, tmp_path, "run 0", (COMMITS, commits(3)))
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(5) * 2), rows_per_part=5)
    with pytest.raises(DayMismatch, match="keys=5"):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    assert sorted(stored(clickhouse)) == sorted(commits(3))


def test_a_changed_or_missing_file_stops_the_load(clickhouse, tmp_path):
    """The hash of the manifest is the judge; the missing file's error says which task to clear."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(5)))
    part = manifest.tables[COMMITS.name].parts[0]
    path = directory / part.file
    path.write_bytes(path.read_bytes().replace(b",3]", b",4]"))
    with pytest.raises(StagingFileDamaged, match=r"sha256.*clear task some_task with all after it"):
        load(clickhouse, directory, manifest)
    path.unlink()
    with pytest.raises(StagingFileMissing, match="clear task some_task with all after it"):
        load(clickhouse, directory, manifest)


def test_a_part_that_was_not_loaded_stops_the_publication(clickhouse, tmp_path):
    """The day in sight stays what it was."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(10)), rows_per_part=5)
    staged = load(clickhouse, directory, manifest)
    with pytest.raises(DayMismatch, match="loaded or staged, but not both"):
        publish(clickhouse, manifest, staged[:1], "1")
    clickhouse.execute(f"DROP TABLE {staged[0].staging_table}")
    with pytest.raises(DayMismatch, match="is gone"):
        publish(clickhouse, manifest, staged, "1")
    assert stored(clickhouse) == []


def test_entities_keep_their_newest_row(clickhouse, tmp_path):
    """A table without days holds one row per key under FINAL: the one seen last, not the one loaded last."""
    run(clickhouse, tmp_path, "run 1", (REPOSITORIES, repositories(3, stars=2)))
    run(
        clickhouse,
        tmp_path,
        "run 2",
        (REPOSITORIES, repositories(2, stars=1, fetched_at=now() - timedelta(days=1))),
    )
    run(clickhouse, tmp_path, "run 1 again", (REPOSITORIES, repositories(3, stars=2)))
    assert clickhouse.execute("SELECT id, stars FROM repositories FINAL ORDER BY id") == [
        (1, 2),
        (2, 2),
        (3, 2),
    ]


def test_two_tries_loading_at_once_do_not_mix(connect, clickhouse, tmp_path):
    """Each has a staging table of its own, and either may be published."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(3000)), rows_per_part=3000)
    file = manifest.tables[COMMITS.name].parts[0].file
    clickhouse.disconnect()

    def attempt(number: int):
        with connect() as own:
            return load_part(own, directory, manifest, table=COMMITS.name, file=file, attempt=str(number))

    with ThreadPoolExecutor(3) as pool:
        tries = list(pool.map(attempt, range(3)))
    assert len({each.staging_table for each in tries}) == 3
    publish(clickhouse, manifest, [tries[1]], "1")
    assert len(stored(clickhouse)) == 3000
    assert staging_tables(clickhouse) == []


def test_lost_rows_of_a_table_without_days_are_found_and_mended(clickhouse, tmp_path):
    """The check is red; loading and publishing the same run again brings them back."""
    directory, manifest = stage(tmp_path, "run 1", (REPOSITORIES, repositories(5)), (COMMITS, commits(3)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    clickhouse.execute("CREATE TABLE emptied AS repositories")
    clickhouse.execute("RENAME TABLE repositories TO lost, emptied TO repositories")
    with pytest.raises(DayMismatch, match=r"table repositories, .*5 rows of this run are not there"):
        check_day(clickhouse, directory, manifest, "1")
    publish(clickhouse, manifest, load(clickhouse, directory, manifest, "2"), "2")
    check_day(clickhouse, directory, manifest, "2")
    assert staging_tables(clickhouse) == []


def test_the_check_loads_nothing_again(clickhouse, tmp_path):
    """It compares with the staging tables that publish has kept, not with the files, and drops them."""
    counters = [(1, "phrase", number, SAMPLED + timedelta(seconds=number)) for number in range(9)]
    staged = (REPOSITORIES, repositories(5)), (PHRASES_VIEWS, counters)
    directory, manifest = stage(tmp_path, "run 1", *staged, rows_per_part=4)
    loaded = load(clickhouse, directory, manifest)
    publish(clickhouse, manifest, loaded, "1")
    for parts in manifest.tables.values():
        for part in parts.parts:
            (directory / part.file).unlink()
    assert len(staging_tables(clickhouse)) == 5
    publish(clickhouse, manifest, loaded, "2")
    check_day(clickhouse, directory, manifest, "1")
    assert staging_tables(clickhouse) == []


@pytest.mark.parametrize("lost", ["DROP TABLE", "TRUNCATE TABLE"])
def test_the_check_loads_again_what_was_not_kept(clickhouse, tmp_path, lost):
    """A staging table that is gone, or not what was staged, is no proof of anything."""
    directory, manifest = stage(tmp_path, "run 1", (REPOSITORIES, repositories(5)), rows_per_part=4)
    publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    clickhouse.execute(f"{lost} {staging_tables(clickhouse)[0]}")
    assert check_day(clickhouse, directory, manifest, "1") == {REPOSITORIES.name: 5}
    assert staging_tables(clickhouse) == []


def test_keys_that_staging_calls_unique_and_are_not_stop_the_publication(clickhouse, tmp_path):
    """They are not counted before the rows are inserted; what readers see tells."""
    rows = [(1, "phrase", 5, SAMPLED), (1, "phrase", 6, SAMPLED)]
    directory, manifest = stage(tmp_path, "run 1", (PHRASES_VIEWS, rows), rows_per_part=1)
    parts = manifest.tables[PHRASES_VIEWS.name].model_copy(update={"keys_are_unique": True})
    manifest = manifest.model_copy(update={"tables": {PHRASES_VIEWS.name: parts}})
    with pytest.raises(DayMismatch, match="readers see"):
        publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    assert last_publisher(clickhouse, PHRASES_VIEWS.name) is None


def test_a_publication_by_a_clock_that_is_behind_counts_as_the_newest(clickhouse, tmp_path):
    """`loads` says what the table holds, whatever the workers' clocks say."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(9)))
    directory, manifest = stage(tmp_path, "run 2", (COMMITS, commits(4)))
    behind = now() - timedelta(hours=1)
    staged = load(clickhouse, directory, manifest)
    publish_day(clickhouse, manifest, staged, attempt="1", now=lambda: behind, old_parts_wait_s=0)
    assert check_day(clickhouse, directory, manifest, "1") == {COMMITS.name: 4}


@pytest.mark.parametrize("days", [(DAY, DAY), (OTHER_DAY, DAY), (DAY, OTHER_DAY)])
def test_the_last_of_two_imports_counts_whatever_their_clocks_and_days(clickhouse, tmp_path, days):
    """Of a table without days the newest row in `loads` is that of the run that came last."""
    ahead = now() + timedelta(hours=1)
    for run_id, day, clock in zip(("first", "last"), days, (ahead, now()), strict=True):
        rows = [(1, run_id, 5, SAMPLED)]
        directory, manifest = stage(tmp_path, run_id, (PHRASES_VIEWS, rows), day=day)
        staged = load(clickhouse, directory, manifest)
        publish_day(clickhouse, manifest, staged, attempt="1", now=lambda at=clock: at, old_parts_wait_s=0)
        assert last_publisher(clickhouse, PHRASES_VIEWS.name) == run_id


def test_a_table_whose_last_insert_counts_may_be_staged_with_others(clickhouse, tmp_path):
    """Each is compared with its own rows."""
    counters = [(1, "phrase", 5, SAMPLED)]
    staged = (PHRASES_VIEWS, counters), (REPOSITORIES, repositories(3)), (COMMITS, commits(4))
    assert {
        name: parts.rows for name, parts in run(clickhouse, tmp_path, "run 1", *staged).tables.items()
    } == {
        PHRASES_VIEWS.name: 1,
        REPOSITORIES.name: 3,
        COMMITS.name: 4,
    }
    assert last_publisher(clickhouse, PHRASES_VIEWS.name) == "run 1"


def test_a_lost_lease_ends_the_publication_before_anything_is_seen(clickhouse, tmp_path):
    """It is asked for before each change."""
    directory, manifest = stage(tmp_path, "run 1", (COMMITS, commits(4)))

    def lost() -> None:
        raise TimeoutError("lease lost")

    staged = load(clickhouse, directory, manifest)
    with pytest.raises(TimeoutError):
        publish_day(clickhouse, manifest, staged, attempt="1", now=now, check_lease=lost)
    assert stored(clickhouse) == []


def test_a_run_of_the_same_name_in_another_dag_keeps_its_staging(clickhouse, tmp_path):
    """Run ids are made by people too: publishing drops staging of its own tables only."""
    of_other = load(
        clickhouse, *(upserts := stage(tmp_path / "a", "nightly", (REPOSITORIES, repositories(2))))
    )
    directory, manifest = stage(tmp_path / "b", "nightly", (COMMITS, commits(3)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    assert set(staging_tables(clickhouse)) == {part.staging_table for part in of_other}
    publish(clickhouse, upserts[1], of_other)


def test_tables_of_others_are_never_taken_for_staging_tables(clickhouse, tmp_path):
    """Only names of our own making are dropped, whatever else somebody calls a table."""
    clickhouse.execute("CREATE TABLE orders__stg_mine (n Int32) ENGINE = MergeTree ORDER BY n")
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(4)))
    assert staging_tables(clickhouse) == ["orders__stg_mine"]


def test_a_query_of_others_that_is_no_utf8_keeps_no_staging_table(clickhouse_server, clickhouse_database):
    """It runs while staging tables are dropped, and speaks of some."""
    server, marked = clickhouse_server, uuid4().hex.encode()
    query = b"SELECT sleep(2), '\xff" + marked + b"__stg_'"
    login = {"user": server.user, "password": server.password}
    server.execute(f"CREATE DATABASE {clickhouse_database}")
    with (
        ThreadPoolExecutor(1) as other,
        NativeClient("c", server.host, server.port, clickhouse_database, **login) as clickhouse,
    ):
        migrate(clickhouse)
        create_staging_table(clickhouse, "loads", staging_table_name("loads", "run", "1"))
        slow = other.submit(urlopen, f"http://{server.host}:{server.http_port}/", query)
        running = f"SELECT count() FROM system.processes WHERE position(query, '{marked.decode()}') > 0"
        while clickhouse.execute(running) != [(2,)]:  # with this very look
            assert not slow.done()
        drop_staging_tables(clickhouse, ["loads"], "run")
        assert not slow.done()
        assert staging_tables(clickhouse) == []


def test_an_open_reopened_engine_shows_what_was_published(connect, clickhouse, tmp_path):
    """What REPLACE put away does not come back with the next process that opens the data."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(20)))
    run(clickhouse, tmp_path, "run 2", (COMMITS, commits(6)))
    clickhouse.disconnect()
    with connect() as again:
        assert len(stored(again)) == 6


def test_what_comes_back_with_a_restart_is_found(connect, clickhouse, tmp_path):
    """Engines up to 26.3 show replaced rows again when they are opened: check is red, a new load mends it."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(20)))
    directory, manifest = stage(tmp_path, "run 2", (COMMITS, commits(6)))
    publish(clickhouse, manifest, load(clickhouse, directory, manifest))
    clickhouse.disconnect()
    with connect() as again:
        if len(stored(again)) != 6:
            with pytest.raises(DayMismatch, match="clear task load"):
                check_day(again, directory, manifest, "1")
            publish(again, manifest, load(again, directory, manifest, "2"), "2")
        assert check_day(again, directory, manifest, "2") == {COMMITS.name: 6}


def test_refused_statements_leave_the_old_day(clickhouse, tmp_path):
    """A table that lost a column under us refuses the new rows; readers keep the old day."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(5)))
    directory, manifest = stage(tmp_path, "run 2", (COMMITS, commits(9)))
    staged = load(clickhouse, directory, manifest)
    clickhouse.execute(f"ALTER TABLE {COMMITS.name} DROP COLUMN commits_num")
    with pytest.raises(Refused):
        publish(clickhouse, manifest, staged, "1")
    assert clickhouse.execute(f"SELECT count() FROM {COMMITS.name}") == [(5,)]


@on_a_server
def test_readers_see_the_old_day_or_the_new_one(connect, clickhouse, tmp_path):
    """Never a part of one, never both, while the day is replaced again and again."""
    run(clickhouse, tmp_path, "run 0", (COMMITS, commits(1000)))
    seen, done = set(), threading.Event()

    def read():
        with connect() as reader:
            while not done.is_set():
                seen.add(len(stored(reader)))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(4):
            directory, manifest = stage(
                tmp_path, f"run {number}", (COMMITS, commits(1000 + number % 2)), rows_per_part=300
            )
            publish(clickhouse, manifest, load(clickhouse, directory, manifest), "1")
    finally:
        done.set()
        thread.join()
    assert seen == {1000, 1001}


@on_a_server
def test_a_restart_does_not_bring_the_old_day_back(connect, clickhouse, clickhouse_server, tmp_path):
    """Publishing waits until the replaced parts are off the disk."""
    run(clickhouse, tmp_path, "run 1", (COMMITS, commits(20)))
    run(clickhouse, tmp_path, "run 2", (COMMITS, commits(6)), old_parts_wait_s=60)
    clickhouse.disconnect()
    clickhouse_server.kill()
    clickhouse_server.start()
    with connect() as again:
        assert len(stored(again)) == 6
