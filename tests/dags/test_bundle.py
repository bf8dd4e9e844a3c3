"""The project's root as a DAG bundle, as Git or a local folder gives it to Airflow."""

from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.utils.file import find_dag_file_paths


def test_the_root_shows_the_dags_of_dags_alone(root: Path):
    """Not those of the tests, and no file of another folder is run in search of some."""
    assert sorted(map(Path, find_dag_file_paths(root, safe_mode=False))) == sorted(root.glob("dags/*.py"))


def test_the_root_has_no_import_error(root: Path):
    """All DAGs are there, with a path below the bundle."""
    bag = BundleDagBag(dag_folder=root, bundle_path=root, bundle_name="stagehouse")
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in root.glob("dags/*.py")}
    assert {dag.relative_fileloc for dag in bag.dags.values()} == {f"dags/{dag_id}.py" for dag_id in bag.dags}
