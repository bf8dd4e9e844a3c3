"""What every DAG file imports first: an Airflow or a path that does not do is an error that says so."""

import ast
from pathlib import Path

import pytest

from stagehouse import preconditions

ROOT = Path(__file__).resolve().parents[2]
DAG_FILES = sorted(ROOT.glob("dags/*.py"))


@pytest.mark.parametrize("version", ["3.2.2", "3.1.8", "2.11.0", "3.2.99rc1"])
def test_an_airflow_that_is_too_old_is_named(version: str):
    """With the version that is needed, and what to do."""
    with pytest.raises(ImportError, match=rf"needs Airflow 3\.3 or newer; this is {version}\. Next: "):
        preconditions.require_airflow(version)


@pytest.mark.parametrize("version", ["3.3.0", "3.3.0b1", "3.3.2", "3.4.0b2", "3.10.0", "4.0.0"])
def test_newer_ones_are_taken(version: str):
    """Betas too."""
    preconditions.require_airflow(version)


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_every_dag_file_imports_it_before_anything_else(path: Path):
    """What follows may need a newer Airflow: its own error would come first."""
    imports = [
        node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = [ast.unparse(node) for node in imports]
    assert names[:2] == ["from __future__ import annotations", "import stagehouse.preconditions"]


def test_the_page_names_the_oldest_airflow():
    """The number is written once for readers, once for Python."""
    assert (
        f"You need Airflow {preconditions.OLDEST_AIRFLOW} or newer"
        in (ROOT / "docs/into-your-airflow.md").read_text()
    )


@pytest.mark.parametrize("entry", ["", "dags"], ids=["root", "subdir"])
def test_a_bundle_of_another_version_is_found(tmp_path: Path, entry: str):
    """Whether the bundle is the project or its dags/; one of the same version is not."""
    bundle = tmp_path / "bundle"
    for name in ("running", "bundle"):
        (tmp_path / name / "plugins" / "stagehouse").mkdir(parents=True)
        (tmp_path / name / "plugins" / "stagehouse" / "a.py").write_text("1")
    running, path = tmp_path / "running/plugins/stagehouse", [str(bundle / entry), "/usr/lib"]
    assert preconditions.other_versions(path, running) == []
    (bundle / "plugins/stagehouse/a.py").write_text("2")
    assert preconditions.other_versions(path, running) == [bundle / "plugins/stagehouse"]


def test_this_project_is_of_one_version():
    """Here, plugins/ is both: no warning."""
    assert preconditions.other_versions([str(ROOT), str(ROOT / "dags")], preconditions.PLUGINS) == []
