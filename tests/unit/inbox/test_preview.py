"""The first lines of any bytes are shown: bounded, and nothing in them hides."""

import gzip
from io import BufferedReader, BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.inbox.preview import HEAD_BYTES, MAX_CHARACTERS, MAX_LINES, Preview, first_lines, visible


def preview(data: bytes) -> Preview:
    """Return how a file with these bytes begins."""
    return first_lines(BufferedReader(BytesIO(data)))


@pytest.mark.parametrize(
    ("data", "lines", "encoding"),
    [
        (b"", [], "utf-8"),
        (b"id,name\r\n007,Ada\r\n", ["id,name", "007,Ada"], "utf-8"),
        (b"no end", ["no end"], "utf-8"),
        (b"\n\n", ["", ""], "utf-8"),
        ("a\tжик\n".encode(), ["a\tжик"], "utf-8"),
        ("жук\n".encode("utf-8-sig"), ["жук"], "utf-8-sig"),
        ("жук\n".encode("utf-16"), ["жук"], "utf-16"),
        (b"\xfe\xff" + "жук\n".encode("utf-16-be"), ["жук"], "utf-16"),
        ("жук\n".encode("cp1251"), [r"\xe6\xf3\xea"], ""),
        (b"\xff\xfe\x00", [r"\x00"], ""),
        (b"a\0b\x1b[31m\x7f", [r"a\x00b\x1b[31m\x7f"], "utf-8"),
        ("a\u202eb\u200bc\u2028d\u00a0".encode(), [r"a\u202eb\u200bc\u2028d\xa0"], "utf-8"),
        (b"<script>&amp;\n", ["<script>&amp;"], "utf-8"),  # escaped where it is shown
    ],
)
def test_lines(data: bytes, lines: list[str], encoding: str):
    """What cannot be seen is written out; what is no text too."""
    assert preview(data) == Preview(lines, is_whole=True, is_packed=False, encoding=encoding)
    assert preview(gzip.compress(data, mtime=0)) == Preview(
        lines, is_whole=True, is_packed=True, encoding=encoding
    )


@pytest.mark.parametrize(
    "data", [b"x\n" * (MAX_LINES + 1), b"x" * (MAX_CHARACTERS + 1), b"x\n" * 10**6, "ж".encode() * 10**6]
)
def test_a_long_file_is_cut(data: bytes):
    """In lines and in characters, not in the middle of a letter; the rest is not read, nor unpacked."""
    for packed in (data, gzip.compress(data, mtime=0)):
        file = BufferedReader(BytesIO(packed))
        found = first_lines(file)
        assert not found.is_whole
        assert found.encoding == "utf-8"
        assert len(found.lines) <= MAX_LINES
        assert all(len(line) <= MAX_CHARACTERS + 1 for line in found.lines)
        assert file.raw.tell() <= HEAD_BYTES + 8192 + 1


def test_a_gzip_bomb_unpacks_no_further_than_is_shown():
    """2 GiB in 2 MB would."""
    packed = gzip.compress(b"0" * 10**7, mtime=0)
    assert preview(packed).lines == ["0" * MAX_CHARACTERS + "…"]


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b", b"\x1f\x8bnot at all", gzip.compress(b"a,b\n" * 9, mtime=0)[:-3]]
)
def test_a_damaged_gzip_says_so(data: bytes):
    """And shows what there is."""
    assert preview(data).problem


@given(st.binary(max_size=300))
def test_any_bytes_can_be_shown(data: bytes):
    """As text that a page can carry, on lines of its own."""
    for line in preview(data).lines:
        assert all(each.isprintable() or each == "\t" for each in line)
        line.encode()


@given(st.text())
def test_any_text_can_be_shown(text: str):
    """A name from a disk with bytes that are no text too."""
    assert visible(text).replace("\t", "").isprintable()
    visible(f"{text}\udcff").encode()
