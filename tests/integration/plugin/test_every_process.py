"""What the plugin costs where it is not needed: the scheduler, and every task's process."""

import json
import subprocess
import sys

LOAD_PLUGINS = """
import json, sys
from airflow import plugins_manager
import airflow.sdk.execution_time.task_runner
before = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
plugins_manager.integrate_macros_plugins()
print(json.dumps([sorted(set(sys.modules) - before), [plugin.name for plugin in plugins], errors]))
"""


def test_the_plugin_is_light():
    """Loads in a task's process one small file: no web framework, no driver, no page, no hook."""
    loaded = subprocess.run([sys.executable, "-c", LOAD_PLUGINS], capture_output=True, check=True, text=True)
    modules, plugins, errors = json.loads(loaded.stdout.splitlines()[-1])
    assert "stagehouse_pages" in plugins
    assert errors == {}
    assert "stagehouse_pages_plugin" in modules
    heavy = {
        "fastapi",
        "starlette",
        "jinja2",
        "psycopg",
        "psycopg_pool",
        "psycopg2",
        "stagehouse",
        "include",
    }
    assert {module.split(".")[0] for module in modules} & heavy == set()
