"""The sections of our pages, and the DAG that makes each."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """One kind of page.

    Attributes: folder, under reports_root; slug, in the URL; title; dag_id: who may read this DAG may read
    its pages; task, which renders them; first_step, to have the first one, or "".
    """

    folder: str
    slug: str
    title: str
    dag_id: str
    task: str = "render"
    first_step: str = ""


PHRASE_VIEWS = Section("phrase_views", "phrase-views", "Phrase views", "phrase_views_report")
TOP_REPOSITORIES = Section(
    "top_repositories", "top-repositories", "Top repositories", "github_top_repositories"
)
API_CALLS = Section("api_calls", "api-calls", "API calls", "api_calls")
SHOP = Section("shop", "shop", "Shop", "shop_sync")
_CONNECT = (
    "First set the connection kafka_default and the Airflow variable reports_root; then unpause the DAG. Its "
    "first run that finds messages in the topic renders the page."
)
TOPICS = {
    dag_id: Section(dag_id, f"events/{dag_id}", title, dag_id, "again", _CONNECT)
    for dag_id, title in {"user_events": "Events", "user_sessions": "Sessions"}.items()
}
SECTIONS = {
    section.dag_id: section for section in (PHRASE_VIEWS, TOP_REPOSITORIES, API_CALLS, SHOP, *TOPICS.values())
}
