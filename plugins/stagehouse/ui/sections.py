"""The sections of our pages, and the DAG that makes each."""

from __future__ import annotations

from typing import NamedTuple


class Section(NamedTuple):
    """One kind of page.

    Attributes: folder, under reports_root; slug, in the URL; title; dag_id: who may read this DAG may read
    its pages.
    """

    folder: str
    slug: str
    title: str
    dag_id: str


PHRASE_VIEWS = Section("phrase_views", "phrase-views", "Phrase views", "phrase_views_report")
TOP_REPOSITORIES = Section(
    "top_repositories", "top-repositories", "Top repositories", "github_top_repositories"
)
API_CALLS = Section("api_calls", "api-calls", "API calls", "api_calls")
SHOP = Section("shop", "shop", "Shop", "shop_sync")
SECTIONS = {section.dag_id: section for section in (PHRASE_VIEWS, TOP_REPOSITORIES, API_CALLS, SHOP)}
