"""Pages for people in Airflow's UI: *Data*, which leads to the others, and the page of each run.

Every Airflow process, every task's too, runs this file, so it imports nothing but what it subclasses. The app
behind it (plugins/stagehouse/ui) is made when somebody reads `fastapi_apps`, which only the API server does.
"""
# ruff: noqa: INP001 - plugins/ is no package, Airflow loads each of its files by itself

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/stagehouse"
ICON = (  # the navigation cuts long names short, so the entry has a picture of its own
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%236b8fc4'>"
    "<path d='M1 9h3v6H1zM6.5 5h3v10h-3zM12 1h3v14h-3z'/></svg>"
)
OTHERS = (
    ("Phrase views", "phrase-views"),
    ("Top repositories", "top-repositories"),
    ("API calls", "api-calls"),
    ("Shop", "shop"),
    ("Events", "events"),
    ("Inbox", "inbox"),
)
RUN_PAGE = "stagehouse/runs/?dag_id={DAG_ID}&run_id={RUN_ID}"  # the UI fills in and encodes the names


class StagehousePages(AirflowPlugin):
    """Mounts the app and tells the UI where to show it.

    Source: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
    """

    name = "stagehouse_pages"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app itself, not a shim around it: Airflow runs the lifespan of mounted FastAPI objects only."""
        try:
            import stagehouse.preconditions  # noqa: F401 - says what is missing

            from stagehouse.hooks.connection_types import offer_types

            offer_types()  # before the app: it imports a SQL hook, with which Airflow makes its list of types
            from stagehouse.ui.app import create_app
        except ImportError:  # raised from here, it would keep the API server from starting
            logging.getLogger(__name__).exception("The pages and connection types of Stagehouse are missing")
            return []
        return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "Stagehouse pages"}]

    # One entry leads to all. The others keep their addresses in Airflow's UI, which shows no entry of `base`.
    external_views = [  # noqa: RUF012 - the attribute as Airflow defines it
        {
            "name": "Data",
            "href": "stagehouse/data/",
            "destination": "nav",
            "url_route": "data",
            "icon": ICON,
            "nav_top_level": True,
        },
        *(
            {"name": name, "href": f"stagehouse/{slug}/", "destination": "base", "url_route": slug}
            for name, slug in OTHERS
        ),
        {"name": "Page", "href": RUN_PAGE, "destination": "dag_run", "url_route": "run-page"},
        {"name": "Page", "href": RUN_PAGE, "destination": "task_instance", "url_route": "task-page"},
    ]
