r"""Lines of text parts in SQL: taken apart into columns, and written again from what is stored.

Both ways are what include/staging/text_kinds.py does, on servers of 2018 as on today's. They wrap some
numbers that are out of range, and make NULL of others, without a word: only a line that comes out again as it
went in has been stored.
"""

from __future__ import annotations

from include.clickhouse.client import quoted
from include.staging.column_kinds import without_null
from include.staging.tables import StagedTable
from include.staging.text_kinds import ESCAPES, NULL

LINES_TABLE = "_part"  # of one column, text: each row has many lines

# No field has a line end: with a letter behind it, it stands for these two while other escapes are replaced.
# (A byte that no UTF-8 has would do as well, but 26.3 does not always find it.)
_ASIDE = {"\\": "\nb", "\n": "\nn"}
# Later ones do not come back the same from each server: what they leave is another line.
_DAYS, _SECONDS = 49_673, 4_291_747_200  # of 2106-01-01


def insert_lines(table: StagedTable, name: str) -> str:
    """Return the statement that inserts the lines of LINES_TABLE into the table `name`."""
    columns = ", ".join(map(quoted, table.columns))
    return f"INSERT INTO {quoted(name)} ({columns}) {select_lines(table)}"


def select_lines(table: StagedTable, lines_table: str = LINES_TABLE) -> str:
    """Return the SELECT of rows from the lines of a table such as LINES_TABLE."""
    kinds = enumerate(table.columns.values(), 1)
    values = ", ".join(_parsed(kind, f"f[{place}]", escapes=table.escapes) for place, kind in kinds)
    lines = rf"splitByChar('\t', arrayJoin(splitByChar('\n', text))) AS f FROM {lines_table}"
    return f"SELECT {values} FROM (SELECT {lines})"


def line_text(table: StagedTable) -> str:
    """Return an expression of a stored row's line."""
    texts = [_text(kind, quoted(column), escapes=table.escapes) for column, kind in table.columns.items()]
    joined = r", '\t', ".join(texts)
    return f"concat({joined})" if len(texts) > 1 else joined


def plain_text(kind: str, column: str) -> str:
    """Return an expression of a stored value as it is written, without escapes; NULL for NULL."""
    return _plain_text(without_null(kind), column, {})


def _parsed(kind: str, field: str, *, escapes: bool) -> str:
    plain, is_null = without_null(kind), f"{field} = {_literal(NULL)}"
    nullable = "OrNull" if plain != kind else ""
    if plain == "String":
        value = _unescaped(field) if escapes else field
        return f"if({is_null}, NULL, {value})" if nullable else value
    if plain == "UUID":
        some = "'00000000-0000-0000-0000-000000000000'"
        return (
            f"if({is_null}, NULL, toUUID(if({is_null}, {some}, {field})))" if nullable else f"toUUID({field})"
        )
    if plain == "Date":
        return f"toDate(toUInt16{nullable}({field}))"
    if plain == "DateTime('UTC')":
        return f"toDateTime(toUInt32{nullable}({field}), 'UTC')"
    if plain == "Float64":
        return f"reinterpretAsFloat64(reinterpretAsString(toInt64{nullable}({field})))"
    return f"to{plain}{nullable}({field})"


def _text(kind: str, column: str, *, escapes: bool) -> str:
    plain = without_null(kind)
    text = _plain_text(plain, column, ESCAPES if escapes else {"\\": ESCAPES["\\"]})
    return text if plain == kind else f"ifNull({text}, {_literal(NULL)})"


def _plain_text(plain: str, column: str, escapes: dict[str, str]) -> str:
    return {
        "String": _escaped(column, escapes),
        "Date": f"toString(modulo(toUInt16({column}), {_DAYS}))",
        "DateTime('UTC')": f"toString(modulo(toUInt32({column}), {_SECONDS}))",
        "Float64": f"toString(reinterpretAsInt64(reinterpretAsString({column})))",
    }.get(plain, f"toString({column})")


def _escaped(text: str, escapes: dict[str, str]) -> str:
    for meant, written in escapes.items():  # the backslash is the first
        text = f"replaceAll({text}, {_literal(meant)}, {_literal(written)})"
    return text


def _unescaped(text: str) -> str:
    for meant, written in ESCAPES.items():  # the backslash is the first
        text = f"replaceAll({text}, {_literal(written)}, {_literal(_ASIDE.get(meant, meant))})"
    for meant, aside in _ASIDE.items():
        text = f"replaceAll({text}, {_literal(aside)}, {_literal(meant)})"
    return text


def _literal(text: str) -> str:
    known = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\x0b"}
    return f"'{''.join(known.get(letter, letter) for letter in text)}'"
