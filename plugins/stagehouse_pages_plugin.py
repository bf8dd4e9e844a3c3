"""Pages in Airflow's UI: views, repositories, *API calls*, *Shop*, *Events*, *Inbox*, and each run's.

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
ICON = (  # the navigation cuts long names short, so each entry has a picture of its own
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='%236b8fc4'>{}</svg>"
)
BARS = "<path d='M1 9h3v6H1zM6.5 5h3v10h-3zM12 1h3v14h-3z'/>"
STAR = "<path d='m8 1 2.2 4.6 5 .7-3.6 3.5.8 5L8 12.4l-4.4 2.4.8-5L.8 6.3l5-.7z'/>"
ARROWS = "<path d='M1 3h9V1l5 3.5L10 8V6H1zM15 13H6v2l-5-3.5L6 8v2h9z'/>"
BASKET = "<path d='M1 2h2l2 8h8l2-6H5zM6 12h2v2H6zM11 12h2v2h-2z'/>"
PULSE = "<path d='M0 9V7h3l3-6 4 10 2-4h4v2h-3l-3 6-4-10-2 4z'/>"
TRAY = "<path d='M7 1h2v5h3L8 10 4 6h3zM1 9h3l2 3h4l2-3h3v6H1z'/>"
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

    external_views = [  # noqa: RUF012 - the attribute as Airflow defines it
        {
            "name": "Phrase views",
            "href": "stagehouse/phrase-views/",
            "destination": "nav",
            "url_route": "phrase-views",
            "icon": ICON.format(BARS),
            "nav_top_level": True,
        },
        {
            "name": "Top repositories",
            "href": "stagehouse/top-repositories/",
            "destination": "nav",
            "url_route": "top-repositories",
            "icon": ICON.format(STAR),
            "nav_top_level": True,
        },
        {
            "name": "API calls",
            "href": "stagehouse/api-calls/",
            "destination": "nav",
            "url_route": "api-calls",
            "icon": ICON.format(ARROWS),
            "nav_top_level": True,
        },
        {
            "name": "Shop",
            "href": "stagehouse/shop/",
            "destination": "nav",
            "url_route": "shop",
            "icon": ICON.format(BASKET),
            "nav_top_level": True,
        },
        {
            "name": "Events",
            "href": "stagehouse/events/",
            "destination": "nav",
            "url_route": "events",
            "icon": ICON.format(PULSE),
            "nav_top_level": True,
        },
        {
            "name": "Inbox",
            "href": "stagehouse/inbox/",
            "destination": "nav",
            "url_route": "inbox",
            "icon": ICON.format(TRAY),
            "nav_top_level": True,
        },
        {"name": "Page", "href": RUN_PAGE, "destination": "dag_run", "url_route": "run-page"},
        {"name": "Page", "href": RUN_PAGE, "destination": "task_instance", "url_route": "task-page"},
    ]
