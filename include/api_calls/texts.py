"""The text of a file, decoded, a piece of whole lines in memory; bytes that are not text are told by line."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator

from include.api_calls.errors import UnreadableRow

MAX_LINE = 1_048_576  # characters
_PIECE_BYTES = 16 * 1024  # some hundred lines: Python looks for garbage where 700 more objects are there


class Texts:
    """The lines of a file, in pieces.

    Attributes: first, the number of the first line of the last piece; lines, up to its end; given, those of
    pieces that were given out.
    """

    def __init__(self, path: str, file: io.BufferedReader, encoding: str) -> None:
        self._path, self._file, self._encoding = path, file, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.first = self.lines = self.given = 0

    @property
    def left_out(self) -> int:
        """Lines before the last piece that were not given out."""
        return self.lines - self.given

    def pieces(self, wanted: Callable[[int, int], bool] | None = None) -> Iterator[io.StringIO]:
        """Yield whole lines with their ends, many at a time; the last line may have none.

        Args: wanted: tells whether the lines from a first to a last are; others are left out, but not those
            of the first piece.
        Raises: UnreadableRow.
        """
        rest, ended = "", False
        while not ended:
            data = self._file.read(_PIECE_BYTES)
            ended = not data
            text = rest + self._decoded(data, rest)
            self._require_text(text)
            end = len(text) if ended else text.rfind("\n") + 1
            piece, rest = text[:end], text[end:]
            if not piece:
                continue
            self.first = self.lines + 1
            self.lines += piece.count("\n") + (not piece.endswith("\n"))
            if wanted is None or self.given == 0 or wanted(self.first, self.lines):
                self.given += self.lines - self.first + 1
                yield io.StringIO(piece, newline="\n")

    def _require_text(self, text: str) -> None:
        if "\0" in text:
            raise self._damaged(self.lines + 1 + text[: text.index("\0")].count("\n"), "it has a NUL")
        end = text.find("\n")  # no other line of a piece can be so long
        if (len(text) if end < 0 else end) > MAX_LINE:
            raise self._damaged(self.lines + 1, f"longer than {MAX_LINE} characters")

    def _decoded(self, data: bytes, rest: str) -> str:
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeError as error:
            before = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            line = self.lines + 1 + rest.count("\n") + before.count(b"\n")
            raise self._damaged(line, f"no text in {self._encoding}") from error

    def _damaged(self, line: int, reason: str) -> UnreadableRow:
        return UnreadableRow(self._path, f"line {line}: {reason}")
