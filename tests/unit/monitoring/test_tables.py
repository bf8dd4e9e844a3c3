"""Which DAG publishes which table."""

from pathlib import Path

from include.monitoring.tables import DAG_IDS, DAG_OF_TABLE, KEY_TABLES

ROOT = Path(__file__).resolve().parents[3]


def test_every_dag_is_known():
    """And no other."""
    assert sorted(DAG_IDS) == sorted(path.stem for path in ROOT.glob("dags/*.py"))


def test_tables_are_of_dags_that_are_known():
    """Those that tell whether a day is missing too."""
    assert set(DAG_OF_TABLE.values()) <= set(DAG_IDS)
    assert set(DAG_OF_TABLE) > KEY_TABLES
