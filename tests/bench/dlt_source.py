"""Read the commits of a day with dlt's rest_api source, in its environment; print how many there were.

`python -m tests.bench.dlt_source URL DAY`, configured as its documentation does for GitHub.
"""

import sys

from dlt.sources.rest_api import rest_api_source


def main(url: str, day: str) -> None:
    """Ask for the list, then for each repository's commits."""
    search = {"q": "stars:>1", "sort": "stars", "order": "desc", "per_page": 100}
    of_day = {"since": f"{day}T00:00:00Z", "until": f"{day}T23:59:59Z", "per_page": 100}
    commits_path = "repos/{resources.repositories.full_name}/commits"
    repositories = {"path": "search/repositories", "params": search, "data_selector": "items"}
    source = rest_api_source(
        {
            "client": {"base_url": url, "paginator": "header_link"},
            "resources": [
                {"name": "repositories", "endpoint": repositories | {"paginator": "single_page"}},
                {"name": "commits", "endpoint": {"path": commits_path, "params": of_day}},
            ],
        }
    )
    sys.stdout.write(f"{sum(1 for _ in source.resources['commits'])}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
