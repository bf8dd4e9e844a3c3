"""Cells and rows of any kind, for tests of random values."""

import csv
import io
from collections.abc import Sequence

from hypothesis import strategies as st

HEADER = ["a", "b", "c"]
NUMBERS = "0 007 -0 +5 1_000 1.0 1e5 -1.50 ٣ 9223372036854775807 9223372036854775808 -9223372036854775808"
WORDS = "TRUE false truE 2024-02-29 2023-02-29 2024-2-9 a A é . .."
BLANKS = ["", " ", " 7\t", "1\n2", "\xa012", " .", " a", "a,b", "\r", '"', "1" * 41, "9" * 20]
ODD = [*NUMBERS.split(), *WORDS.split(), *BLANKS]
CELLS = st.sampled_from(ODD) | st.text('01-.,;"\n\r aé\t', max_size=6) | st.integers().map(str)
TABLES = st.lists(
    st.lists(CELLS, min_size=1, max_size=4) | st.lists(CELLS, min_size=3, max_size=3), max_size=12
)
PIECES = st.integers(1, 60)  # bytes that are read at once


def csv_of(table: Sequence[Sequence[str]]) -> str:
    """Write rows as the csv module does."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    return file.getvalue()


def opened(text: str):
    """Return what opens a file with the header and this text."""
    data = f"{','.join(HEADER)}\n{text}".encode()
    return lambda: io.BufferedReader(io.BytesIO(data))
