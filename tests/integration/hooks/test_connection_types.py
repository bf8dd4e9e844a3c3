"""The connection types `github` and `clickhouse`, as Airflow's own processes see them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagehouse.hooks.clickhouse_hook import ClickHouseOptions
from stagehouse.hooks.connection_types import get_provider_info
from stagehouse.hooks.github_hook import GitHubOptions
from stagehouse.hooks.http_api_hook import HttpApiOptions

LIST_TYPES = """
import json
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
print(json.dumps({
    name: {
        "class": manager.hooks[name].hook_class_name if manager.hooks[name] else None,
        "title": manager.hooks[name].hook_name if manager.hooks[name] else None,
        "behaviour": manager.field_behaviours[name],
        "fields": sorted(
            field.removeprefix(f"extra__{name}__")
            for field in manager.connection_form_widgets if field.startswith(f"extra__{name}__")
        ),
    }
    for name in ("github", "http_api", "clickhouse")
}))
"""
LOAD_PLUGINS = """
import json, pathlib, sys
from airflow import plugins_manager
from airflow.configuration import conf
plugins_manager.ensure_plugins_loaded()
plugins = pathlib.Path(conf.get("core", "plugins_folder"))
stems = [path.stem for path in plugins.glob("stagehouse/hooks/[a-z]*.py")]
assert "github_hook" in stems
print(json.dumps({
    "errors": plugins_manager.get_import_errors(),
    "top level": [stem for stem in stems if stem in sys.modules],
}))
"""


def run(code: str, **environment: str) -> dict:
    """Run `code` in a fresh Python with the environment of every Airflow process of this project."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def types() -> dict:
    """What Airflow's provider manager knows of our types."""
    return run(LIST_TYPES)


def test_github_has_its_form(types: dict):
    """Offers the API's root, a token and the limits; hides what GitHub has no use for."""
    assert types["github"]["title"] == "GitHub"
    assert types["github"]["class"] == "stagehouse.hooks.github_hook.GitHubHook"
    options = ["max_concurrent_requests", "processes", "requests_per_second", "reserve", "timeout_s"]
    assert types["github"]["fields"] == options
    behaviour = types["github"]["behaviour"]
    assert sorted(behaviour["hidden_fields"]) == ["login", "port", "schema"]
    assert behaviour["relabeling"]["password"] == "Tokens"


def test_clickhouse_has_its_form(types: dict):
    """Offers the native port, the database, and the directory of the embedded engine."""
    assert types["clickhouse"]["title"] == "ClickHouse"
    assert types["clickhouse"]["class"] == "stagehouse.hooks.clickhouse_hook.ClickHouseHook"
    assert types["clickhouse"]["fields"] == ["compression", "path", "secure", "verify"]
    assert types["clickhouse"]["behaviour"]["relabeling"]["schema"] == "Database"


def test_the_forms_offer_what_the_hooks_take():
    """Has only fields that the hooks know; those of APIs all, with the defaults and bounds of their hooks."""
    kinds = get_provider_info()["connection-types"]
    github, http_api, clickhouse = (kind["conn-fields"] for kind in kinds)
    assert set(clickhouse) <= set(ClickHouseOptions.model_fields)
    for form, options in ((github, GitHubOptions), (http_api, HttpApiOptions)):
        properties = options.model_json_schema()["properties"]
        assert sorted(form) == sorted(properties)
        for name, field in form.items():
            bounds = {key: value for key, value in field["schema"].items() if key != "type"}
            assert bounds == {key: properties[name][key] for key in bounds}, name
            assert "minimum" in bounds or "string" in field["schema"]["type"], name


def test_http_api_has_its_form(types: dict):
    """Asks for root and secret, and hides what it does not use."""
    assert types["http_api"]["class"] == "stagehouse.hooks.http_api_hook.HttpApiHook"
    assert sorted(types["http_api"]["behaviour"]["hidden_fields"]) == ["login", "port", "schema"]
    assert types["http_api"]["behaviour"]["relabeling"] == {"host": "Root of the API", "password": "Secret"}


def test_hooks_are_not_loaded_as_plugins(root: Path, tmp_path: Path):
    """Keeps the plugin loader out of stagehouse/, which it would otherwise run as modules of bare names."""
    assert run(LOAD_PLUGINS) == {"errors": {}, "top level": []}
    unprotected = tmp_path / "plugins"
    shutil.copytree(
        root / "plugins", unprotected, ignore=shutil.ignore_patterns(".airflowignore", "__pycache__")
    )
    loaded = run(LOAD_PLUGINS, AIRFLOW__CORE__PLUGINS_FOLDER=str(unprotected))
    assert "connection_fields" in loaded["top level"]
