"""What users can say to `make run`."""

from datetime import date
from pathlib import Path

import pytest

from include.local_stack.errors import BadSetting
from include.local_stack.settings import GITHUB, Settings, read_settings


def read(tmp_path: Path, **environ: str) -> Settings:
    """Read settings from just these variables."""
    return read_settings(environ, tmp_path, state=tmp_path / "state", dags=tmp_path / "dags")


def test_nothing_given_means_the_stand_in_at_its_pace(tmp_path):
    """Without any variable: no API outside, 10 requests/s, 5 at a time, the DAG's own params."""
    settings = read(tmp_path)
    assert settings.github_api is None
    assert (settings.requests_per_second, settings.max_concurrent_requests) == (10.0, 5)
    assert settings.conf == {}


def test_a_token_alone_means_github_itself(tmp_path):
    """A token without an address goes to GitHub."""
    settings = read(tmp_path, GITHUB_TOKEN="ghp_secret")
    assert settings.github_api == GITHUB
    assert settings.github_token.get_secret_value() == "ghp_secret"
    assert "ghp_secret" not in repr(settings)


def test_an_address_alone_is_used_without_a_token(tmp_path):
    """GITHUB_API needs no token; a closing slash is dropped."""
    settings = read(tmp_path, GITHUB_API="http://127.0.0.1:8/api/v3/")
    assert settings.github_api == "http://127.0.0.1:8/api/v3"
    assert settings.github_token.get_secret_value() == ""


def test_only_given_params_reach_the_run(tmp_path):
    """TOP and DAY become params of the run; empty ones do not."""
    assert read(tmp_path, TOP="50", DAY="2026-08-20").conf == {"top": 50, "day": "2026-08-20"}
    assert read(tmp_path, TOP="", DAY="").conf == {}
    assert read(tmp_path, DAY="2024-02-29").day == date(2024, 2, 29)


def test_only_names_one_job(tmp_path):
    """Without it all jobs run; the import stands before the report that reads what it brought."""
    assert read(tmp_path, ONLY="api").jobs == (("api_calls",),)
    assert read(tmp_path, ONLY="phrases").jobs == (("phrases_views_import", "phrase_views_report"),)
    assert read(tmp_path, ONLY="shop").jobs == (("shop_migration", "shop_sync"),)
    everything = read(tmp_path, ONLY="").jobs
    assert everything == tuple(
        read(tmp_path, ONLY=name).jobs[0] for name in ("github", "phrases", "api", "shop", "events")
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONLY", "shops"),
        ("ONLY", "API"),
        ("ONLY", "api,github"),
        ("TOP", "0"),
        ("TOP", "100001"),
        ("TOP", "-5"),
        ("TOP", "ten"),
        ("TOP", "\u0663"),
        ("TOP", "1e2"),
        ("TOP", "9" * 5000),
        ("DAY", "2026-13-01"),
        ("DAY", "2025-02-29"),
        ("DAY", "2026-1-1"),
        ("DAY", "2026-01-01\n"),
        ("DAY", "yesterday"),
        ("GITHUB_API", "api.github.com"),
        ("GITHUB_API", "ftp://api.github.com"),
        ("GITHUB_API", "https://"),
        ("GITHUB_API", "http://127.0.0.1:"),
        ("GITHUB_API", "http://[::1]:/api/v3"),
        ("GITHUB_DATA", "/no/such/directory"),
        ("RPS", "0"),
        ("RPS", "nan"),
        ("RPS", "-1"),
        ("MONITORING", "yes"),
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "2.5"),
    ],
)
def test_refuses_what_cannot_be_meant(tmp_path, name, value):
    """A wrong value is refused by the name of its variable, with what it takes."""
    with pytest.raises(BadSetting) as caught:
        read(tmp_path, **{name: value})
    assert caught.value.name == name
    assert str(caught.value).startswith(f"{name}=")


def test_children_inherit_nothing_of_another_airflow(tmp_path):
    """Only named variables reach the components, and loopback never goes through a proxy."""
    settings = read(
        tmp_path,
        PATH="/bin",
        AIRFLOW_HOME="/elsewhere",
        AIRFLOW__CORE__EXECUTOR="X",
        SECRET="s",
        HTTPS_PROXY="http://proxy:1",
        NO_PROXY="intranet",
    )
    assert set(settings.inherited) == {"PATH", "HTTPS_PROXY", "NO_PROXY", "no_proxy"}
    assert settings.inherited["NO_PROXY"] == "intranet,127.0.0.1,localhost"
