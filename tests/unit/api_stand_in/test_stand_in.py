"""The stand-in API: what it answers, to whom it says no, and how many requests it takes."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
from aiohttp.test_utils import TestClient, TestServer

from include.api_stand_in.app import Allowance, create_app


@pytest.fixture
async def api() -> AsyncIterator[TestClient]:
    """An API whose clock goes on by a second with each request, so that none is one too many."""
    async with TestClient(TestServer(create_app(7, count().__next__))) as client:
        yield client


async def test_posts_are_numbered_in_the_order_they_come(api: TestClient):
    """The answer has the number and what was sent."""
    for number in (1, 2):
        answer = await api.post("/posts", json={"userId": 50, "title": "hello"})
        assert answer.status == 201
        assert await answer.json() == {"id": number, "userId": 50, "title": "hello"}


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        ({"userId": 51, "title": "t"}, "no user 51"),
        ({"userId": "7", "title": "t"}, "no user 7"),
        ({"userId": True, "title": "t"}, "no user True"),
        ({"userId": 7}, "title: 1 to 200 characters"),
        ({"userId": 7, "title": "t" * 201}, "title: 1 to 200 characters"),
        ([], "the body is no object"),
    ],
)
async def test_a_post_that_breaks_a_rule_is_refused(api: TestClient, post, reason):
    """With 422 and the reason; it is not counted."""
    answer = await api.post("/posts", json=post)
    assert (answer.status, await answer.json()) == (422, {"error": reason})
    assert (await (await api.post("/posts", json={"userId": 1, "title": "t"})).json())["id"] == 1


async def test_a_body_that_is_no_json_is_refused(api: TestClient):
    """Likewise."""
    assert (await api.post("/posts", data=b"{")).status == 422


async def test_to_dos_of_a_user(api: TestClient):
    """All, or those that are done or not; a user who is not there is not found."""
    everything = await (await api.get("/users/7/todos")).json()
    done = await (await api.get("/users/7/todos?completed=true")).json()
    still_open = await (await api.get("/users/7/todos?completed=false")).json()
    assert {each["id"] for each in done} | {each["id"] for each in still_open} == {25, 26, 27, 28}
    assert len(everything) == 4
    assert {each["completed"] for each in still_open} == {False}
    assert (await api.get("/users/51/todos")).status == 404


def test_no_second_has_more_than_allowed():
    """Wherever the second begins; what is refused counts for nothing."""
    moments = iter((0.0, 0.5, 0.9, 0.99, 1.0, 1.2, 1.5))
    allowance = Allowance(2, moments.__next__)
    assert [allowance.take() for _ in range(7)] == [True, True, False, False, True, False, True]


async def test_one_request_too_many_is_told_when_to_come_back():
    """429 with Retry-After."""
    async with TestClient(TestServer(create_app(1, lambda: 0.0))) as api:
        assert (await api.get("/users/1/todos")).status == 200
        refused = await api.get("/users/1/todos")
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
