"""Writers that do anything, at random, while runs go on: each run is what the source was at its instant."""

import threading

import pytest

from tests.integration.change_capture.writers import Watched, Writer, truth

RUNS, WRITERS = 8, 3


@pytest.mark.parametrize("seed", [1])
def test_each_run_is_what_the_source_was_at_its_instant(place, seed):
    """Three writers, eight runs, every row compared."""
    place.run()
    source = place.source
    place.source = Watched(source.connection, source.connect, source.tables, source.prefix)
    done = threading.Event()
    writers = [Writer(place.another, seed * 100 + number, done) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(RUNS):
            place.run(accept_shrink=list(place.source.tables))
            for table, rows in truth.items():
                place.require_rows(table, rows)
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert min(writer.changes for writer in writers) > 0
    place.run(accept_shrink=list(place.source.tables), full_check=True)
    place.require_same()
