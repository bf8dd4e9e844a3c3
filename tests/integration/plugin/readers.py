"""The app alone, without Airflow's API server, for somebody who may read some DAGs."""

from collections.abc import Collection

import pytest
from fastapi.testclient import TestClient


def who_may_read(monkeypatch: pytest.MonkeyPatch, dag_ids: Collection[str]) -> TestClient:
    """Return a client of the app for who may read these DAGs only, which may change meanwhile."""
    from airflow.api_fastapi.core_api import security

    from stagehouse.ui.app import create_app

    class OfSomeDags:
        def is_authorized_dag(self, *, details, **_: object) -> bool:
            return details.id in dag_ids

    app = create_app()
    monkeypatch.setattr(security, "get_auth_manager", OfSomeDags)
    app.dependency_overrides[security.get_user] = lambda: "somebody"
    return TestClient(app, headers={"accept": "text/html"}, follow_redirects=False)
