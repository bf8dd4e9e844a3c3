"""The connection types of Stagehouse for Airflow's UI: their forms and their Test buttons.

Airflow finds this through the entry point in plugins/stagehouse_connections-0.1.dist-info, as it finds
that of an installed provider. Nothing of a hook is imported until somebody presses Test.
"""

from __future__ import annotations

from typing import Any

VERSION = "0.1"


def get_provider_info() -> dict[str, Any]:
    """Return what a provider says of itself.

    Source: https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
    """
    return {
        "package-name": "stagehouse-connections",
        "name": "Stagehouse",
        "description": "Connections to the GitHub API, to other HTTP APIs and to ClickHouse",
        "versions": [VERSION],
        "connection-types": [_github(), _http_api(), _clickhouse()],
    }


def offer_types() -> None:
    """Tell the API server of the types, before its first form.

    It looks for providers once, before it puts plugins/ on Python's path: where PYTHONPATH does not name
    plugins/, it has not found the entry point.
    """
    from airflow.providers_manager import ProviderInfo, ProvidersManager

    info = get_provider_info()
    providers = ProvidersManager().providers  # type: ignore[no-untyped-call]
    providers.setdefault(info["package-name"], ProviderInfo(VERSION, info))


def _github() -> dict[str, Any]:
    return {
        "connection-type": "github",
        "hook-class-name": "stagehouse.hooks.github_hook.GitHubHook",
        "hook-name": "GitHub",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "port", "schema"],
            "relabeling": {"host": "Root of the API", "password": "Tokens"},
            "placeholders": {
                "host": "https://api.github.com",
                "password": "one or more, spaces between; may be empty: 60 requests an hour",
            },
        },
        "conn-fields": _asking(
            requests_per_second=10,
            reserve=_field(
                "Share of each token's limits left to others (0.1 is 10 %)",
                "number",
                default=0.1,
                minimum=0,
                maximum=0.9,
            ),
        ),
    }


def _http_api() -> dict[str, Any]:
    return {
        "connection-type": "http_api",
        "hook-class-name": "stagehouse.hooks.http_api_hook.HttpApiHook",
        "hook-name": "HTTP API with a rate limit",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "port", "schema"],
            "relabeling": {"host": "Root of the API", "password": "Secret"},
            "placeholders": {
                "host": "https://api.example.com/v1",
                "password": "a bearer token, unless a header or query parameter is named; may be empty",
            },
        },
        "conn-fields": {
            **_asking(requests_per_second=7),
            "header": _field("Header that holds the secret (empty: Authorization: Bearer)", "string"),
            "query_parameter": _field("Query parameter that holds the secret, instead of a header", "string"),
            "test_path": _field(
                "Path that the Test button asks for by GET, such as /me: a harmless one", "string"
            ),
        },
    }


def _clickhouse() -> dict[str, Any]:
    return {
        "connection-type": "clickhouse",
        "hook-class-name": "stagehouse.hooks.clickhouse_hook.ClickHouseHook",
        "hook-name": "ClickHouse",
        "ui-field-behaviour": {
            "relabeling": {"schema": "Database"},
            "placeholders": {
                "host": "empty for the embedded engine",
                "port": "9000, the native protocol (not HTTP)",
                "schema": "stagehouse",
            },
        },
        "conn-fields": {
            "path": _field("Directory of the embedded engine (instead of a host)", "string"),
            "secure": _field("TLS", "boolean"),
            "verify": _field("Verify the server's certificate", "boolean"),
            "compression": _field("Compression", "string", enum=["lz4", "lz4hc", "zstd"]),
        },
    }


def _asking(*, requests_per_second: int, **fields: dict[str, Any]) -> dict[str, Any]:
    """Return how an API is asked, with fields of its own before `processes`."""
    return {
        "requests_per_second": _field(
            "Requests per second", "number", default=requests_per_second, minimum=0.01, maximum=1000
        ),
        "max_concurrent_requests": _field(
            "Requests at the same time", "integer", default=5, minimum=1, maximum=100
        ),
        "timeout_s": _field("Seconds to wait for an answer", "number", default=60, minimum=0.1, maximum=3600),
        **fields,
        "processes": _field(
            "Processes that may ask at the same time", "integer", default=1, minimum=1, maximum=20
        ),
    }


def _field(label: str, kind: str, **schema: object) -> dict[str, Any]:
    return {"label": label, "schema": {"type": [kind, "null"], **schema}}
