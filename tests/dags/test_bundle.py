"""The project's root as a DAG bundle, as Git or a local folder gives it to Airflow."""

from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag


def test_the_root_shows_the_dags_of_dags_alone(root: Path):
    """Not those of the tests, no import error, and no file of another folder is run in search of some."""
    bag = BundleDagBag(dag_folder=root, bundle_path=root, bundle_name="stagehouse", safe_mode=False)
    assert bag.import_errors == {}
    dag_files = {path.stem: f"dags/{path.name}" for path in root.glob("dags/*.py")}
    assert {dag_id: dag.relative_fileloc for dag_id, dag in bag.dags.items()} == dag_files
    assert {stat.file.lstrip("/").removeprefix(f"{root}/") for stat in bag.dagbag_stats} == set(
        dag_files.values()
    )


def test_every_dag_runs_by_its_newest_file(root):
    """A DAG file of an older bundle version would import from plugins/ of now."""
    bag = BundleDagBag(dag_folder=root, bundle_path=root, bundle_name="stagehouse", safe_mode=False)
    assert bag.dags
    assert {dag_id: dag.disable_bundle_versioning for dag_id, dag in bag.dags.items()} == dict.fromkeys(
        bag.dags, True
    )
