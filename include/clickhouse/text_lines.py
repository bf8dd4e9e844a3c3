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

# A byte that no UTF-8 has stands for a backslash while the other escapes are replaced.
_ASIDE = "unhex('FF')"
# Later ones do not come back the same from each server: what they leave is another line.
_DAYS, _SECONDS = 49_673, 4_291_747_200  # of 2106-01-01


def insert_lines(table: StagedTable, name: str) -> str:
    """Return the statement that inserts the lines of LINES_TABLE into the table `name`."""
    columns = ", ".join(map(quoted, table.columns))
    kinds = enumerate(table.columns.values(), 1)
    values = ", ".join(_parsed(kind, f"f[{place}]", escapes=table.escapes) for place, kind in kinds)
    lines = rf"splitByChar('\t', arrayJoin(splitByChar('\n', text))) AS f FROM {LINES_TABLE}"
    return f"INSERT INTO {quoted(name)} ({columns}) SELECT {values} FROM (SELECT {lines})"


def line_text(table: StagedTable) -> str:
    """Return an expression of a stored row's line."""
    texts = [_text(kind, quoted(column), escapes=table.escapes) for column, kind in table.columns.items()]
    joined = r", '\t', ".join(texts)
    return f"concat({joined})" if len(texts) > 1 else joined


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
    text = {
        "String": _escaped(column, ESCAPES if escapes else {"\\": ESCAPES["\\"]}),
        "Date": f"toString(modulo(toUInt16({column}), {_DAYS}))",
        "DateTime('UTC')": f"toString(modulo(toUInt32({column}), {_SECONDS}))",
        "Float64": f"toString(reinterpretAsInt64(reinterpretAsString({column})))",
    }.get(plain, f"toString({column})")
    return text if plain == kind else f"ifNull({text}, {_literal(NULL)})"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    for meant, written in escapes.items():  # the backslash is the first
        text = f"replaceAll({text}, {_literal(meant)}, {_literal(written)})"
    return text


def _unescaped(text: str) -> str:
    (backslash, twice), *others = ESCAPES.items()
    text = f"replaceAll({text}, {_literal(twice)}, {_ASIDE})"
    for meant, written in others:
        text = f"replaceAll({text}, {_literal(written)}, {_literal(meant)})"
    return f"replaceAll({text}, {_ASIDE}, {_literal(backslash)})"


def _literal(text: str) -> str:
    known = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\x0b"}
    return f"'{''.join(known.get(letter, letter) for letter in text)}'"
