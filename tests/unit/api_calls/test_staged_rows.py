"""A staged file gives the rows that are asked for as it gives all of them."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.api_calls import texts
from include.api_calls.request import CallsRequest
from include.api_calls.staging import StagedFile, stage_file
from include.staging.files import run_folder
from tests.clock import DAY, now
from tests.examples import examples
from tests.unit.api_calls.hostile import HEADER, PIECES, TABLES, csv_of

RECIPE = 'method = "POST"\npath = "/x"\n[columns]\na = { type = "text", required = false }\n'


def staged(directory: Path, text: str, form: str = "csv") -> StagedFile:
    """Stage a file with this text; rows of another width are rejected."""
    (directory / "file").write_bytes(text.encode())
    (directory / "r.toml").write_text(RECIPE)
    return stage_file(
        directory,
        directory,
        CallsRequest(path="file", recipe="r", format=form, max_rejected=100),
        directory / run_folder(f"{form} {text}"),
        dag_id="d",
        run_id="r",
        day=DAY,
        host="h",
        now=now,
        tell_rejected=lambda _: "",
    )


def require_wanted(file: StagedFile, wanted: set[int], piece: int) -> None:
    """Ask for some rows: they are there, and no row is another one."""
    every = {row.row: row for row in file}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_PIECE_BYTES", piece)
        blocks = list(file.blocks(lambda first, last: not wanted.isdisjoint(range(first, last + 1))))
    found = {row.row: row for block in blocks for row in block.rows()}
    assert found.keys() >= every.keys() & wanted
    assert found == {number: every[number] for number in found}


@given(TABLES, PIECES, st.sets(st.integers(1, 12)))
@example([["1", "", ""], ["2", "", ""], ["a\nb", "", ""]], 20, {3})
@examples(300, shared_fixtures=True)
def test_rows_of_a_csv_that_are_asked_for(tmp_path: Path, table, piece: int, wanted: set[int]):
    """Whatever is in the file: cells with line ends, also in the last row; rows that are rejected."""
    file = staged(tmp_path, f"{','.join(HEADER)}\n{csv_of(table)}")
    require_wanted(file, wanted, piece)


@given(
    st.lists(st.sampled_from(['{"a": 1}', '{"a": "x\\ny"}', '{"b": 1}', "no", ""])),
    PIECES,
    st.sets(st.integers(1, 12)),
)
@examples(100, shared_fixtures=True)
def test_rows_of_ndjson_that_are_asked_for(tmp_path: Path, lines: list[str], piece: int, wanted: set[int]):
    """With blank lines or without."""
    require_wanted(staged(tmp_path, "\n".join(['{"a": 0}', *lines]), "ndjson"), wanted, piece)


def test_rows_that_nobody_asks_for_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where each row has a line of its own."""
    monkeypatch.setattr(texts, "_PIECE_BYTES", 8)
    file = staged(tmp_path, "a\n" + "".join(f"{row:03d}\n" for row in range(1, 101)))
    found = [
        row.row for block in file.blocks(lambda first, last: first <= 50 <= last) for row in block.rows()
    ]
    assert 50 in found
    assert len(found) < 10
