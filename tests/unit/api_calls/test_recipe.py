"""Recipes: what a mistake in one says, and that those of the docs are none."""

import re
from pathlib import Path

import pytest

from include.api_calls.errors import BadRecipe
from include.api_calls.recipe import parse_recipe, read_recipe

GOOD = """
method = "POST"
path = "/posts/{userId}"
ok_statuses = [200, 201]
[columns]
userId = { type = "integer" }
title = { type = "text", max_length = 200 }
kind = { type = "choice", choices = ["a", "b"], required = false }
[body]
userId = "{userId}"
title = "{title}"
more = { kind = ["{kind}"], text = "{not a column} {", number = 1.5, yes = true }
[query]
page = 1
[keep]
id = "id"
[idempotency]
header = "Idempotency-Key"
hours = 24.0
"""

MISTAKES = [
    ('method = "POST"', 'method = "SEND"', "method", "'POST'"),
    ('method = "POST"', 'metod = "POST"', "method", "is missing"),
    ('type = "integer"', 'type = "int"', "columns.userId.type", "'integer'"),
    ('type = "integer"', 'type = "integer", size = 3', "columns.userId.size", "known: type, required"),
    ('type = "integer"', 'type = "integer", max_length = 3', "columns.userId", "for type text"),
    ("max_length = 200", 'max_length = "200"', "columns.title.max_length", "valid integer"),
    ("max_length = 200", 'pattern = "("', "columns.title", "no regular expression"),
    ('choices = ["a", "b"], ', "", "columns.kind", "type choice needs it"),
    ("ok_statuses = [200, 201]", "ok_statuses = [20]", "ok_statuses.0", "greater than or equal to 200"),
    ("ok_statuses = [200, 201]", "ok_statuses = [201]\nnot_done = [201]", "not_done", "ok_statuses too"),
    ("ok_statuses = [200, 201]", 'unique = ["id"]', "unique", "not in [columns]"),
    ("ok_statuses = [200, 201]", 'headers = { a = "{title}" }', "headers", "known: connection, method"),
    ("/posts/{userId}", "posts", "path", "begins with '/'"),
    ("/posts/{userId}", "/posts/{id}", "path", "no column of [columns]: userId, title, kind"),
    ("/posts/{userId}", "/posts/p-{userId}", "path", "whole {column}"),
    ("/posts/{userId}", "/posts/{kind}", "path", "is not required"),
    ("/posts/{userId}", "/posts/../x", "path", "segment '..'"),
    ("/posts/{userId}", "//evil.example/x", "path", "segment ''"),
    ("/posts/{userId}", "/posts?x=1", "path", "neither plain text"),
    ("/posts/{userId}", "/po%2Fsts", "path", "neither plain text"),
    ('title = "{title}"', 'title = "Mr {title}"', "body.title", "beside text"),
    ('title = "{title}"', 'title = "{Title}"', "body.title", "no column of [columns]"),
    ("page = 1", 'page = "{Title}"', "query.page", "no column of [columns]"),
    ("page = 1", "page = [1]", "query.page", "a text, a whole number, true or false"),
    ("page = 1", "page = 1.5", "query.page", "a text, a whole number, true or false"),
    ("number = 1.5", "number = nan", "body.more.number", "no number of JSON"),
    ("number = 1.5", "number = 2026-08-20", "body", "valid"),
    ('id = "id"', 'id = "id["', "keep.id", "no JMESPath"),
    ('id = "id"', 'id = "[].size(id)"', "keep.id", "no function size; known: abs, avg"),
    ('id = "id"', 'id = "length()"', "keep.id", "length"),
    ('id = "id"', '"a b" = "id"', "keep.a b", "pattern"),
    ("hours = 24.0", "hours = 0.0", "idempotency.hours", "greater than 0"),
    ("hours = 24.0", "hour = 24.0", "idempotency.hours", "is missing"),
    ('header = "Idempotency-Key"', 'header = "a: b"', "idempotency.header", "pattern"),
    ('header = "Idempotency-Key"', 'header = "Authorization"', "idempotency.header", "of HTTP's own"),
    ("[query]", "[query", "", "no TOML"),
]


def test_a_recipe_that_is_right():
    """Braces that name no column are text."""
    recipe = parse_recipe("posts.toml", GOOD)
    assert recipe.segments == ("posts", "{userId}")
    assert not recipe.is_repeatable
    assert recipe.is_ok(201)
    assert not recipe.is_ok(204)


@pytest.mark.parametrize(("good", "bad", "key", "told"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_named(good: str, bad: str, key: str, told: str):
    """By file, key and what is allowed, in one line."""
    assert good in GOOD
    with pytest.raises(BadRecipe) as caught:
        parse_recipe("posts.toml", GOOD.replace(good, bad, 1))
    assert caught.value.key.startswith(key), str(caught.value)
    assert told in str(caught.value)
    assert str(caught.value).startswith("recipe posts.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    ["a[1:2].b", "merge(a, b, c)", "sort_by(@, &b)[0]", "a[?b == 'c'].d | [0]", "{x: length(a), y: !b}"],
)
def test_an_expression_to_keep_that_is_right(expression: str):
    """A slice, a function of any number of values, one of an expression."""
    parse_recipe("posts.toml", GOOD.replace('id = "id"', f'id = "{expression}"', 1))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_only_asks_has_no_body(method: str):
    """A body of it would be ignored, or refused by a proxy."""
    with pytest.raises(BadRecipe, match="body: a"):
        parse_recipe("x.toml", GOOD.replace("POST", method))


def test_a_name_leads_nowhere_else(tmp_path: Path):
    """No path, no other ending; one that is not there is named with its place."""
    (tmp_path / "secret.toml").write_text(GOOD)
    root = tmp_path / "recipes"
    root.mkdir()
    for name in ("../secret", "a/b", "", ".", "..", "x" * 200, "a\0b"):
        with pytest.raises(BadRecipe):
            read_recipe(root, name)
    with pytest.raises(BadRecipe, match="none of that name"):
        read_recipe(root, "posts")
    (root / "posts.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRecipe, match="UTF-8"):
        read_recipe(root, "posts")


def test_the_recipes_of_the_docs_are_right(root: Path):
    """One that asks, one that creates."""
    page = (root / "docs" / "api-calls.md").read_text()
    texts = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    methods = {parse_recipe("docs.toml", text).method for text in texts}
    assert methods == {"GET", "POST"}
