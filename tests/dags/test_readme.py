"""The README says what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of the table after a heading, by their first cell."""
    lines = README.split(f"\n{heading}\n", 1)[1].split("\n| ", 1)[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]
    end = next((number for number, line in enumerate(lines[2:]) if not line.startswith("|")), len(rows))
    return {cells[0].strip("`"): cells for cells in rows[:end]}


def test_the_table_of_dags_names_each_dag_with_its_schedule(dagbag):
    """A new DAG, or a new schedule, has to be written down."""
    rows = table("## DAGs")
    assert set(rows) == set(dagbag.dags)
    for dag_id, dag in dagbag.dags.items():
        schedule = getattr(dag.timetable, "_expression", None) or getattr(dag.timetable, "expression", None)
        assert f"`{schedule}`" in rows[dag_id][1] if schedule else "by hand" in rows[dag_id][1]


def test_the_table_of_dags_names_the_connections_and_params_of_each(dagbag):
    """Every connection a DAG's documentation names is in its row; every param is explained in the text."""
    rows = table("## DAGs")
    for dag_id, dag in dagbag.dags.items():
        for connection in set(re.findall(r"`(\w+_default)`", dag.doc_md)):
            assert f"`{connection}`" in rows[dag_id][2], (dag_id, connection)
        for param in dag.params:
            assert f"`{param}`" in README, (dag_id, param)


def test_every_command_of_the_readme_is_a_target_of_the_makefile():
    """And nothing that it tells people to look at is missing."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    "name",
    ["requests_per_second", "max_concurrent_requests", "timeout_s", "reserve", "processes", "secure", "path"],
)
def test_the_options_of_connections_are_written_down(name):
    """The names are those of the models that read them."""
    assert f"`{name}`" in README or f'"{name}"' in README
