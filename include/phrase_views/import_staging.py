"""A file of counters -> staged parts and a manifest, with a reject file beside them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from io import BufferedReader
from itertools import chain

from pydantic import JsonValue

from include.phrase_views.import_errors import ImportFileDamaged, ImportFileTooLarge, TooManyRejected
from include.phrase_views.import_lines import read_lines
from include.phrase_views.import_request import Format
from include.phrase_views.import_rows import CounterRow, Found, Reject, parse_csv, parse_ndjson, reject
from include.staging.files import StagingPath, write_atomically
from include.staging.manifest import Manifest, save_manifest
from include.staging.tables import StagedTable, write_table

log = logging.getLogger(__name__)

PHRASES_VIEWS = StagedTable(
    name="phrases_views",
    columns={"campaign_id": "Int32", "phrase": "String", "views": "Int32", "dt": "DateTime('UTC')"},
    key=("campaign_id", "phrase", "dt"),
    day_column=None,
)
REJECTED = "rejected.ndjson"
MAX_ROWS = 5_000_000  # the samples of a file are remembered, to find those that come twice
_SEEN_BEYOND = 1_000  # rejects written down above the threshold, so that their kinds show


class _Sorter:
    """Keeps the rows of a file apart from its rejects, repetitions and blank lines, and counts them."""

    def __init__(self, path: str, max_rejected: int, max_rows: int) -> None:
        self.path, self.max_rejected, self.max_rows = path, max_rejected, max_rows
        self.rejects: list[Reject] = []
        self.rows = self.blank = self.repeated = 0
        self._samples: dict[tuple[int, str], dict[float, int]] = {}

    def rows_of(self, batches: Iterator[Found]) -> Iterator[CounterRow]:
        """Yield each sample once; end early when far too many lines are rejected."""
        for found in batches:
            self.blank += found.blank
            self.rejects += found.rejects
            for line, row in found.rows:
                campaign_id, phrase, views, dt = row
                samples = self._samples.setdefault((campaign_id, phrase), {})
                first = samples.get(instant := dt.timestamp())
                if first is None:
                    samples[instant] = views
                    self.rows += 1
                    yield row
                elif first == views:
                    self.repeated += 1
                else:
                    self.rejects.append(reject(line, f"views: an earlier line says {first} for this sample"))
            if self.rows > self.max_rows:
                raise ImportFileTooLarge(self.path, f"more than {self.max_rows} rows: split it")
            if len(self.rejects) > self.max_rejected + _SEEN_BEYOND:
                return


def stage_counters(
    directory: StagingPath,
    path: str,
    file: BufferedReader,
    *,
    dag_id: str,
    run_id: str,
    day: date,
    host: str,
    written_at: datetime,
    form: Format = "auto",
    max_rejected: int = 0,
    max_rows: int = MAX_ROWS,
    source: Callable[[], Mapping[str, str]] = dict,
) -> Manifest:
    """Stage the counters in `file`; rejected lines go to `directory`/rejected.ndjson.

    Of two lines for one (campaign, phrase, instant) with different views the later one is rejected; with
    equal views it counts as repeated. Facts of the manifest: rows, rejected, repeated, blank, in lines.

    Args: path, for errors; day of the run, names nothing in the table; max_rejected, lines;
        source, asked after the last line: what else to keep as facts.
    Raises: TooManyRejected, ImportFileError and its kinds: no manifest then, so nothing can be loaded.
    """
    sorter = _Sorter(path, max_rejected, max_rows)
    parts = write_table(directory, PHRASES_VIEWS, sorter.rows_of(_parsed(path, file, form)))
    rejects = sorted(sorter.rejects)
    data = "".join(json.dumps(r._asdict(), ensure_ascii=False) + "\n" for r in rejects)
    write_atomically(directory / REJECTED, data.encode())
    if len(rejects) > max_rejected:
        first = rejects[0]
        rejected_to = str(directory / REJECTED)
        raise TooManyRejected(max_rejected, len(rejects), first.line, first.reason, rejected_to)
    facts: dict[str, JsonValue] = {
        **source(),
        "rejected": len(rejects),
        "repeated": sorter.repeated,
        "blank": sorter.blank,
        "rows": sorter.rows,
        "reject_file": str(directory / REJECTED),
    }
    log.info("%s: %s", path, facts)
    manifest = Manifest(
        dag_id=dag_id,
        run_id=run_id,
        day=day,
        host=host,
        written_at=written_at,
        tables={PHRASES_VIEWS.name: parts},
        facts=facts,
    )
    save_manifest(directory, manifest)
    return manifest


def _parsed(path: str, file: BufferedReader, form: Format) -> Iterator[Found]:
    lines = read_lines(path, file)
    first = next(lines, None)
    if first is None:
        raise ImportFileDamaged(path, "it is empty: deliver it again")
    lines = chain([first], lines)
    is_ndjson = form == "ndjson" or (form == "auto" and first.data.lstrip().startswith(b"{"))
    return parse_ndjson(lines) if is_ndjson else parse_csv(path, lines)
