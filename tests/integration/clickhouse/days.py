"""Staged days to load: small tables of invented rows, and the steps a run takes with them."""

from datetime import UTC, date, datetime
from pathlib import Path

from include.clickhouse.load import StagedPart, load_part
from include.clickhouse.publish import check_day, publish_day
from include.staging.files import run_directory
from include.staging.manifest import MANIFEST, Manifest, save_manifest
from include.staging.parts import write_table
from include.staging.tables import StagedTable

DAY, OTHER_DAY = date(2026, 8, 20), date(2026, 8, 19)
COMMITS = StagedTable(
    name="repositories_authors_commits",
    columns={"date": "Date", "repo": "String", "author": "String", "commits_num": "Int32"},
    key=("date", "repo", "author"),
)
REPOSITORIES = StagedTable(
    name="repositories",
    columns={
        "id": "UInt64", "owner": "String", "name": "String", "stars": "Int32", "watchers": "Int32",
        "forks": "Int32", "language": "String", "updated": "DateTime('UTC')",
        "pushed_at": "DateTime('UTC')", "fetched_at": "DateTime('UTC')",
    },
    key=("owner", "name"),
    day_column=None,
)  # fmt: skip


def now() -> datetime:
    """The clock of these tests."""
    return datetime(2026, 8, 21, 1, 2, 3, tzinfo=UTC)


def commits(count: int, day: date = DAY, who: str = "author") -> list[tuple]:
    """`count` rows of one day."""
    return [(day, "octo/repo", f"{who} №{number}", number % 7 + 1) for number in range(count)]


def repositories(count: int, stars: int = 1, fetched_at: datetime | None = None) -> list[tuple]:
    """`count` repositories as seen at one moment."""
    seen = fetched_at or now()
    return [(n, "octo", f"repo-{n}", stars, stars, 0, "", seen, seen, seen) for n in range(1, count + 1)]


def stage(
    root: Path,
    run_id: str,
    *rows: tuple[StagedTable, list[tuple]],
    day: date = DAY,
    rows_per_part: int = 1000,
) -> tuple[Path, Manifest]:
    """Write the rows as the staging files of a run."""
    directory = run_directory(root, "some_dag", day, run_id)
    tables = {t.name: write_table(directory, t, r, rows_per_part) for t, r in rows}
    manifest = Manifest(
        dag_id="some_dag",
        run_id=run_id,
        day=day,
        task="some_task",
        host="here",
        written_at=now(),
        tables=tables,
    )
    save_manifest(directory, manifest)
    return directory, manifest


def staged_in(directory: Path) -> Manifest:
    """Return the manifest of whatever run staged here."""
    return Manifest.model_validate_json((directory / MANIFEST).read_bytes())


def load(clickhouse, directory: Path, manifest: Manifest, attempt: str = "1") -> list[StagedPart]:
    """Load every part."""
    return [
        load_part(clickhouse, directory, manifest, table=name, file=part.file, attempt=attempt)
        for name, parts in manifest.tables.items()
        for part in parts.parts
    ]


def publish(
    clickhouse, manifest: Manifest, staged: list[StagedPart], attempt: str = "1", wait_s: float = 0, **how
):
    """Publish without waiting for the server to clean up: 18.16 takes 10 s for it."""
    return publish_day(clickhouse, manifest, staged, attempt=attempt, now=now, old_parts_wait_s=wait_s, **how)


def run(
    clickhouse,
    root: Path,
    run_id: str,
    *rows: tuple[StagedTable, list[tuple]],
    old_parts_wait_s: float = 0,
    **how,
) -> Manifest:
    """Take a day from rows to readers: stage, load, publish, check."""
    directory, manifest = stage(root, run_id, *rows, **how)
    publish(clickhouse, manifest, load(clickhouse, directory, manifest), wait_s=old_parts_wait_s)
    check_day(clickhouse, directory, manifest, "1")
    return manifest


def stored(clickhouse, table: StagedTable = COMMITS, day: date = DAY) -> list[tuple]:
    """What a reader sees of a day."""
    columns = ", ".join(table.columns)
    return clickhouse.execute(f"SELECT {columns} FROM {table.name} WHERE date = %(day)s", {"day": day})


def staging_tables(clickhouse) -> list[str]:
    """Staging tables that are there."""
    return [name for (name,) in clickhouse.execute("SHOW TABLES") if "__stg_" in name]
