"""Authorization, quotas, and the headers of every answer.

The order of the checks is GitHub's: user agent, version, token, quota, and only then the call itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from include.github_stand_in.answers import (
    API_VERSIONS,
    Answer,
    bad_credentials,
    json_body,
    no_user_agent,
    not_found,
    quota_spent,
    token_needed,
    unknown_version,
)
from include.github_stand_in.dataset import Dataset
from include.github_stand_in.quota import PERIOD_S, Holder, Quota, QuotaBook, Resource, Window
from include.github_stand_in.rest_api import Call, RestApi

if TYPE_CHECKING:
    from include.github_stand_in.graphql import GraphQLApi

GRAPHQL = ("/graphql", "/api/graphql")  # of GitHub, and of a GitHub Enterprise
UNNAMED_VERSION = "2022-11-28"  # what a request without X-GitHub-Api-Version gets


class Gateway:
    """Decides on each request of one server."""

    def __init__(
        self,
        dataset: Dataset,
        now: Callable[[], datetime],
        anonymous: Quota,
        with_token: Quota,
        revoked_tokens: Collection[str],
        graphql_schema: Path | None,
    ) -> None:
        self._rest_api = RestApi(dataset)
        self._graphql = _graphql_api(dataset, self._rest_api, graphql_schema) if graphql_schema else None
        self._now = now
        self._quotas = QuotaBook(anonymous, with_token)
        self._revoked = frozenset(revoked_tokens)
        self._numbers = itertools.count(1)

    def answer(self, request: web.Request, body: bytes) -> Answer:
        """Return the whole answer: status, body and all headers."""
        now = self._now()
        request_id = f"57A6:{next(self._numbers):06X}:{int(now.timestamp()):08X}"
        version = request.headers.get("X-GitHub-Api-Version", UNNAMED_VERSION)
        holder = self._holder(request)
        window = self._quotas.window(holder, resource_of(request), now)
        answer = (
            self._refuse(request, version)
            or self._rate_limit(request, holder, version, now)
            or self._spent(window, holder, request_id, now)
            or self._charged(window, holder, self._site_answer(request, body, now, window))
        )
        headers = {
            "Date": format_datetime(now, usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
            "Cache-Control": f"{'private' if holder.has_token else 'public'}, max-age=60, s-maxage=60",
            "Vary": "Accept,Accept-Encoding, Accept, X-Requested-With",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": request_id,
        }
        return Answer(answer.status, answer.body, headers | window.headers() | dict(answer.headers))

    def _refuse(self, request: web.Request, version: str) -> Answer | None:
        """Return the refusal of a request that costs no quota."""
        if not request.headers.get(hdrs.USER_AGENT):
            return no_user_agent()
        if version not in API_VERSIONS:
            return unknown_version(version)
        if token_of(request) in self._revoked:
            return bad_credentials()
        return token_needed() if self._is_query(request) and token_of(request) is None else None

    def _is_query(self, request: web.Request) -> bool:
        return self._graphql is not None and request.method == hdrs.METH_POST and request.path in GRAPHQL

    @staticmethod
    def _spent(window: Window, holder: Holder, request_id: str, now: datetime) -> Answer | None:
        if not window.spent:
            return None
        return quota_spent(window.resource, holder.name, _user_id(holder), request_id, now)

    @staticmethod
    def _charged(window: Window, holder: Holder, answer: Answer) -> Answer:
        """Count an answer; that the condition of the request still holds is free for a token."""
        free = answer.status == web.HTTPNotModified.status_code and holder.has_token
        window.used += 0 if free else answer.cost
        return answer

    def _site_answer(self, request: web.Request, body: bytes, now: datetime, window: Window) -> Answer:
        if self._graphql and self._is_query(request):
            return self._graphql.answer(body, now.replace(microsecond=0), window)
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            return not_found()
        base = f"{request.scheme}://{request.host}"
        answer = self._rest_api.answer(
            Call(request.path, base, now.replace(microsecond=0), dict(request.query))
        )
        etag = answer.headers.get("ETag")
        if etag is not None and etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return Answer(web.HTTPNotModified.status_code, b"", answer.headers)
        return answer

    def _rate_limit(self, request: web.Request, holder: Holder, version: str, now: datetime) -> Answer | None:
        """Answer what is left of each quota, if that is asked for; asking is free."""
        if request.path != "/rate_limit":
            return None
        windows = {resource: self._quotas.window(holder, resource, now).as_json() for resource in PERIOD_S}
        body: dict[str, object] = {"resources": windows}
        if version == UNNAMED_VERSION:
            body["rate"] = windows["core"]  # the version after dropped it
        return Answer(200, json_body(body))

    def _holder(self, request: web.Request) -> Holder:
        token = token_of(request)
        if token is None or token in self._revoked:
            return Holder(request.remote or "an unknown address", has_token=False)
        return Holder(token, has_token=True)


def _graphql_api(dataset: Dataset, rest_api: RestApi, schema: Path) -> GraphQLApi:
    # It needs graphql-core, which `make run` does not install.
    from include.github_stand_in.graphql import GraphQLApi

    return GraphQLApi(dataset, rest_api.catalogue, rest_api.index, schema)


def resource_of(request: web.Request) -> Resource:
    """Return whose quota a request belongs to."""
    if request.path in GRAPHQL:
        return "graphql"
    return "search" if request.path.startswith("/search/") else "core"


def token_of(request: web.Request) -> str | None:
    """Return the token of an Authorization header, whatever its scheme."""
    return request.headers.get(hdrs.AUTHORIZATION, "").rpartition(" ")[2] or None


def _user_id(holder: Holder) -> int | None:
    """Return a number for the account of a token, the same for the same token; None without one."""
    return int.from_bytes(sha256(holder.name.encode()).digest()[:3]) if holder.has_token else None
