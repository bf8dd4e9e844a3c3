"""Who may see what: every route, asked of a real API server by everybody."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from include.monitoring.tables import DAG_IDS
from tests.integration.plugin.api_server import USERS, ApiServer
from tests.integration.plugin.reports import CALLED, CALLED_ON

CALLS = f"/api-calls/{CALLED_ON}/{CALLED}/"
ROUTES = {  # as the app names it: as somebody asks for it
    "/static/frame.css": "/static/frame.css",
    "/static/frame.js": "/static/frame.js",
    "/static/progress.js": "/static/progress.js",
    "/static/upload.js": "/static/upload.js",
    "/data/": "/data/?late=1",
    "/phrase-views/": "/phrase-views/?day=2026-11-20&campaign=1111111",
    "/phrase-views/{day}/index.html": "/phrase-views/2026-11-20/index.html",
    "/phrase-views/{day}/rows.csv": "/phrase-views/2026-11-20/rows.csv",
    "/phrase-views/{day}/{campaign}.tsv": "/phrase-views/2026-11-20/1111111.tsv",
    "/phrase-views/{day}/{campaign}.html": "/phrase-views/2026-11-20/1111111.html",
    "/top-repositories/": "/top-repositories/",
    "/top-repositories/{day}/index.html": "/top-repositories/2026-11-20/index.html",
    "/top-repositories/{day}/repositories.csv": "/top-repositories/2026-11-20/repositories.csv",
    "/shop/": "/shop/",
    "/shop/{day}/index.html": "/shop/2026-11-20/index.html",
    "/shop/{day}/{report}.csv": "/shop/2026-11-20/revenue_by_day.csv",
    "/events/": "/events/",
    "/events/{dag_id}/": "/events/user_events/",
    "/events/{dag_id}/{day}/index.html": "/events/user_events/2026-11-20/index.html",
    "/events/{dag_id}/{day}/{report}.csv": "/events/user_events/2026-11-20/by_hour.csv",
    "/runs/": "/runs/?dag_id=github_top_repositories&run_id=ranked__2026-11-20T00%3A30%3A00%2B00%3A00",
    "/db/version": "/db/version",
    "/api-calls/": "/api-calls/",
    "/api-calls/{day}/{folder}/": CALLS,
    "/api-calls/{day}/{folder}/progress": f"{CALLS}progress",
    "/api-calls/{day}/{folder}/index.html": f"{CALLS}index.html",
    "/api-calls/{day}/{folder}/{name}": f"{CALLS}results.csv",
    "/inbox/": "/inbox/?folder=august",
    "/inbox/file": "/inbox/file?path=august/users.csv",
}
UPLOAD = "/inbox/uploads"  # the one route that writes: test_uploads.py
OPEN_TO_ALL_SIGNED_IN = {
    "/static/frame.css",
    "/static/frame.js",
    "/static/progress.js",
    "/static/upload.js",
}
SECTIONS = {
    "phrase-views": "phrase_views_report",
    "shop": "shop_sync",
    "events": "user_events",  # and who may not read it, user_sessions: test_events.py
    "db": "postgres_health",
    "api-calls": "api_calls",
    "inbox": "api_calls",  # and after it phrases_views_import: test_inbox.py
}
EVERY_ROUTE = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture(scope="module")
def app(metadb: None) -> FastAPI:
    """The app alone, in this process."""
    from stagehouse.ui.app import create_app

    return create_app()


@pytest.fixture(scope="module")
def clients(server: ApiServer) -> Iterator[dict[str, httpx.Client]]:
    """A client of each user's."""
    opened = {name: server.client(name) for name in USERS}
    yield opened
    for client in opened.values():
        client.close()


def test_no_route_is_forgotten(app: FastAPI):
    """Tries below every route that the app has; none but that of uploads has a method other than GET."""
    assert {route.path for route in app.routes} == {*ROUTES, UPLOAD}
    methods = {(route.path, method) for route in app.routes for method in route.methods}
    assert methods == {*((route, "GET") for route in ROUTES), (UPLOAD, "PUT")}


@EVERY_ROUTE
def test_nobody_sees_nothing(server: ApiServer, route: str):
    """Answers 401 to somebody without a token, also where the file does not exist."""
    for path in (ROUTES[route], ROUTES[route].replace("2026-11-20", "2001-01-01")):
        answer = httpx.get(f"{server.url}/stagehouse{path}")
        assert answer.status_code == 401
        assert answer.json() == {
            "detail": "Not signed in, or the session has ended: sign in to Airflow again"
        }


@EVERY_ROUTE
def test_a_forged_token_opens_nothing(server: ApiServer, route: str):
    """Answers 403 to a token, or a cookie, that Airflow did not sign."""
    forged = server.token("admin")[:-4] + "AAAA"
    url = f"{server.url}/stagehouse{ROUTES[route]}"
    assert httpx.get(url, headers={"Authorization": f"Bearer {forged}"}).status_code == 403
    assert httpx.get(url, cookies={"_token": forged}).status_code in (401, 403)


@EVERY_ROUTE
@pytest.mark.parametrize("user", USERS)
def test_who_may_read_the_dag_sees_its_pages(clients: dict[str, httpx.Client], user: str, route: str):
    """Shows every page to every role of Airflow that may read DAGs."""
    answer = clients[user].get(f"/stagehouse{ROUTES[route]}")
    assert answer.status_code == (303 if route in ("/runs/", "/events/") else 200), answer.text


@EVERY_ROUTE
def test_nothing_can_be_changed(clients: dict[str, httpx.Client], route: str):
    """Refuses every method that writes, from an admin too."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert clients["admin"].request(method, f"/stagehouse{ROUTES[route]}").status_code == 405


@EVERY_ROUTE
def test_who_may_not_read_the_dag_sees_nothing(app: FastAPI, monkeypatch: pytest.MonkeyPatch, route: str):
    """Answers 403 to a signed-in user whom Airflow's auth manager refuses that very DAG."""
    from airflow.api_fastapi.core_api import security

    asked = set()

    class Refusing:
        def is_authorized_dag(self, *, method, details, **_: object) -> bool:
            asked.add((method, details.id))
            return False

    monkeypatch.setattr(security, "get_auth_manager", Refusing)
    monkeypatch.setitem(app.dependency_overrides, security.get_user, lambda: "somebody")
    answer = TestClient(app).get(ROUTES[route], headers={"accept": "text/html"})
    if route in OPEN_TO_ALL_SIGNED_IN:
        assert answer.status_code == 200
        return
    section = SECTIONS.get(route.split("/")[1], "github_top_repositories")
    sections = (
        set(DAG_IDS)
        if route == "/data/"
        else {section} | ({"user_sessions"} if route == "/events/" else set())
    )
    assert (answer.status_code, asked) == (403, {("GET", each) for each in sections})
    assert "Your role in Airflow may not see this" in answer.text


def test_a_failure_nobody_thought_of_is_fenced_in(app: FastAPI, monkeypatch: pytest.MonkeyPatch):
    """Answers 500 with the headers of any answer, and tells nothing but where to look."""
    from airflow.api_fastapi.core_api import security

    def fail() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setitem(app.dependency_overrides, security.get_user, fail)
    answer = TestClient(app).get("/phrase-views/")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "This failed for a reason that the log of the API server tells"}
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
