"""A row becomes one request: values stay values, types go by their digits."""

import json
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from include.api_calls.calling import CallMaker
from include.api_calls.columns import Column
from include.api_calls.recipe import parse_recipe
from include.api_calls.rules import CallRules
from include.api_calls.sender import request_of
from include.http.tokens import Token

RECIPE = parse_recipe(
    "t.toml",
    """
    method = "POST"
    path = "/users/{a}/x"
    unique = ["a"]
    [columns]
    a = {}
    b = { required = false }
    [query]
    q = "{b}"
    fixed = true
    [body]
    a = "{a}"
    deep = [{ b = "{b}", c = "text" }]
    [idempotency]
    header = "Idempotency-Key"
    hours = 1.0
    quoted = true
    """,
)
MAKER = CallMaker("t", RECIPE, ["note", "b", "a"])
HOSTILE = [
    '","admin":true,"x":"',
    "../../admin",
    "a/b",
    "%2e%2e%2f",
    "..%2f",
    "x?admin=1",
    "x#y",
    "x&admin=1",
    "//evil.example/",
    "@evil.example",
    "\r\nX-Admin: 1",
    "{b}",
    "\\u0022",
    "\u202e\u0000"[:1],
    "пять",
    " leading and trailing ",
    "{{ 7*7 }}",
    "\\",
]


def made(maker: CallMaker, *cells: str, row: int = 1):
    """Return the call of a row that is checked, and its key."""
    maker.check(cells)
    assert maker.fit([cells])
    ((call, key),) = maker.calls([row], [cells])
    assert maker.keys([row], [cells]) == [key]
    return call, key


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_stays_a_value(value: str):
    """Whatever is in it: no key, no segment, no parameter, no header, no host more; it arrives as it was."""
    request = request_of(RECIPE, "https://api.example/v1", *made(MAKER, "", value, value))
    sent = urlsplit(str(request.url))
    assert (sent.scheme, sent.netloc, sent.fragment) == ("https", "api.example", "")
    segments = sent.path.split("/")
    assert [unquote(segment) for segment in segments] == ["", "v1", "users", value, "x"]
    assert [unquote(pair) for pair in sent.query.split("&")] == [f"q={value}", "fixed=true"]
    assert json.loads(request.body) == {"a": value, "deep": [{"b": value, "c": "text"}]}
    assert set(request.headers) == {"Content-Type", "Idempotency-Key"}
    assert request.headers["Idempotency-Key"].strip('"').isalnum()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_text_stays_a_value(value: str):
    """As above, for any text."""
    if value not in (".", ".."):
        test_a_value_stays_a_value(value)


@pytest.mark.parametrize("value", [".", ".."])
def test_a_segment_that_leads_up_is_refused(value: str):
    """The row is rejected; encoded, servers read it as what it means."""
    with pytest.raises(ValueError, match="no segment"):
        MAKER.check(["", "", value])
    assert not MAKER.fit([["", "", "a"], ["", "", value]])


def test_an_empty_optional_cell():
    """Is null in the body, and left out of the query."""
    call, _ = made(MAKER, "", "", "a")
    assert call.target == "/users/a/x?fixed=true"
    assert json.loads(call.body) == {"a": "a", "deep": [{"b": None, "c": "text"}]}


GOOD_CELLS = [
    ({"type": "integer"}, " 7 ", "7"),
    ({"type": "integer"}, "-12", "-12"),
    ({"type": "integer"}, "9223372036854775807", "9223372036854775807"),
    ({"type": "number"}, "1.10", "1.10"),
    ({"type": "number"}, "12345678901234567890.0625", "12345678901234567890.0625"),
    ({"type": "number"}, "-1e5", "-1e5"),
    ({"type": "boolean"}, "TRUE", "true"),
    ({"type": "date"}, "2024-02-29", '"2024-02-29"'),
    ({"type": "choice", "choices": ["a", "b"]}, " b ", '"b"'),
    ({"type": "text"}, " 007 ", '" 007 "'),
    ({"type": "text", "max_length": 2}, "яя", '"яя"'),
    ({"type": "text", "pattern": "[0-9]+"}, "007", '"007"'),
]
BAD_CELLS = [
    *(({"type": "integer"}, cell) for cell in ("1_000", "1.0", "+5", "007", "-0", "٣", "1e3", "", "\uff19")),
    ({"type": "integer"}, "9223372036854775808"),
    *(
        ({"type": "number"}, cell)
        for cell in ("1_000", "+5", ".5", "5.", "nan", "Infinity", "0x1", "1,5", "01")
    ),
    *(({"type": "boolean"}, cell) for cell in ("1", "yes", "")),
    *(
        ({"type": "date"}, cell)
        for cell in ("2023-02-29", "20240229", "2024-W01-1", "2024-2-9", "٢٠٢٤-01-01")
    ),
    ({"type": "choice", "choices": ["a"]}, "A"),
    ({"type": "text"}, ""),
    ({"type": "text", "max_length": 2}, "яяя"),
    ({"type": "text", "pattern": "[0-9]+"}, "007\n"),
]


@pytest.mark.parametrize(("column", "cell", "sent"), GOOD_CELLS)
def test_a_cell_that_fits(column: dict, cell: str, sent: str):
    """Goes into the body by its digits."""
    recipe = parse_recipe("t.toml", 'method="POST"\npath="/x"\n[columns]\nc={}\n[body]\nc="{c}"\n')
    recipe = recipe.model_copy(update={"columns": {"c": Column(**column)}})
    maker = CallMaker("t", recipe, ["c"])
    assert made(maker, cell)[0].body.decode() == f'{{"c":{sent}}}'


@pytest.mark.parametrize(("column", "cell"), BAD_CELLS)
def test_a_cell_that_does_not_fit(column: dict, cell: str):
    """Is told in one line."""
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Column(**column).check(cell)
    assert not Column(**column).fit([cell])


def test_keys_name_what_is_sent():
    """The same row of another file has the same one where the recipe has unique columns, else not."""

    def key(maker: CallMaker, row: int, a: str = "a") -> str:
        return made(maker, "", "", a, row=row)[1]

    header = ["note", "b", "a"]
    assert key(MAKER, 1) == key(CallMaker("t", RECIPE, header, "other file"), 2)
    assert key(MAKER, 1) != key(MAKER, 1, "b")
    assert key(MAKER, 1) != key(CallMaker("u", RECIPE, header), 1)
    assert key(MAKER, 1) != key(CallMaker("t", RECIPE, header, salt="run"), 1)
    plain = RECIPE.model_copy(update={"unique": []})
    one, other = CallMaker("t", plain, header, "one"), CallMaker("t", plain, header, "other")
    assert len({key(one, 1), key(one, 2), key(other, 1)}) == 3


def test_the_secret_goes_where_the_connection_says():
    """A bearer token, a header, or the query; the URL of the request, which errors show, never has it."""
    url, token = URL("https://api.example/x?a=%2F", encoded=True), Token("s3cret&more=1/2")
    assert CallRules("c").credentials(token) == {"Authorization": "Bearer s3cret&more=1/2"}
    assert CallRules("c", header="X-Key").credentials(token) == {"X-Key": "s3cret&more=1/2"}
    rules = CallRules("c", query_parameter="key")
    assert rules.credentials(token) == {}
    assert str(rules.addressed(url, token)) == "https://api.example/x?a=%2F&key=s3cret%26more%3D1%2F2"
    assert rules.addressed(url, Token("")) == url
