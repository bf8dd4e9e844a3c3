"""The stand-in's API: POST /posts and GET /users/{id}/todos, with a limit on requests in any second.

It knows the users 1 to 50. A post of another user, or one without a title, is refused with 422; the to-dos of
another user are not found. One request more than allowed within a second is answered with 429.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

USERS = range(1, 51)
TODOS = 4  # of each user
MAX_TITLE = 200


class Allowance:
    """So many requests in any second. Args: clock, seconds that only grow."""

    def __init__(self, requests_per_second: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken = deque[float](maxlen=requests_per_second)

    def take(self) -> bool:
        """Tell whether one more request is allowed now. One that is refused counts for nothing."""
        now = self._clock()
        if len(self._taken) == self._taken.maxlen and now - self._taken[0] < 1:
            return False
        self._taken.append(now)
        return True


def create_app(requests_per_second: int, clock: Callable[[], float]) -> web.Application:
    """Return the API. It forgets all posts when it ends."""
    allowance, posts = Allowance(requests_per_second, clock), list[dict[str, Any]]()

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not allowance.take():
            said = f"more than {requests_per_second} requests within a second"
            return web.json_response({"error": said}, status=429, headers={"Retry-After": "1"})
        return await handler(request)

    async def create_post(request: web.Request) -> web.Response:
        post, refused = _post(await request.read())
        if refused:
            return web.json_response({"error": refused}, status=422)
        posts.append(post)
        return web.json_response({"id": len(posts), **post}, status=201)

    app = web.Application(middlewares=[limited])
    app.router.add_post("/posts", create_post)
    app.router.add_get(r"/users/{user_id:\d{1,9}}/todos", _todos)
    return app


async def _todos(request: web.Request) -> web.Response:
    user = int(request.match_info["user_id"])
    if user not in USERS:
        return web.json_response({"error": f"no user {user}"}, status=404)
    done = request.query.get("completed")
    todos = [
        {
            "id": TODOS * (user - 1) + number,
            "userId": user,
            "title": f"to do {number}",
            "completed": number % 2 == 1,
        }
        for number in range(1, TODOS + 1)
    ]
    return web.json_response([each for each in todos if done in (None, str(each["completed"]).lower())])


def _post(body: bytes) -> tuple[dict[str, Any], str]:
    """Return the post of a request, and why it is refused, or ""."""
    try:
        post = json.loads(body)
    except ValueError:
        return {}, "the body is no JSON"
    if not isinstance(post, dict):
        return {}, "the body is no object"
    user, title = post.get("userId"), post.get("title")
    if type(user) is not int or user not in USERS:
        return {}, f"no user {user}"[:100]
    if not isinstance(title, str) or not 0 < len(title) <= MAX_TITLE:
        return {}, f"title: 1 to {MAX_TITLE} characters"
    return post, ""
