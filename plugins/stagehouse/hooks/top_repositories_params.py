"""The params of github_top_repositories, as the form in Airflow's UI shows them."""

from __future__ import annotations

from airflow.sdk import Param

from include.github.request import APIS, DEFAULT_QUERY, DEFAULT_TOP, MAX_QUERY, MAX_TOP, MAX_VERIFY


def run_params() -> dict[str, Param]:
    """Return them with titles and limits; a run checks what it is given once more, by our own words."""
    return {
        "top": Param(
            DEFAULT_TOP,
            type="integer",
            minimum=1,
            maximum=MAX_TOP,
            title="Repositories",
            description=f"How many of the top repositories, 1 to {MAX_TOP}.",
        ),
        "query": Param(
            DEFAULT_QUERY,
            type="string",
            minLength=1,
            maxLength=MAX_QUERY,
            title="Search",
            description="Which repositories are ranked, in GitHub's search syntax.",
        ),
        "day": Param(
            "",
            type=["null", "string"],
            pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            title="Day (UTC)",
            description="YYYY-MM-DD, not in the future. Empty: the run's own day; by hand, yesterday.",
        ),
        "api": Param(
            "auto",
            type="string",
            enum=list(APIS),
            title="API",
            description="Which of GitHub's APIs is asked. auto: graphql where the connection has a token.",
        ),
        "verify": Param(
            0,
            type="integer",
            minimum=0,
            maximum=MAX_VERIFY,
            title="Verify",
            description="How many repositories a run by GraphQL reads again by REST, to compare the two.",
        ),
        "plan_only": Param(
            default=False,
            type="boolean",
            title="Plan only",
            description="Rank, say what the day's commits would cost, and stop before asking for them.",
        ),
    }
