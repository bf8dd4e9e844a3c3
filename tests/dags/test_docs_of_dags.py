"""The README and the pages of docs/ say of the DAGs what is there."""

import json
import re
from pathlib import Path

from airflow.sdk.definitions.param import Param

ROOT = Path(__file__).resolve().parents[2]
README, CONFIGURATION = ROOT / "README.md", ROOT / "docs" / "configuration.md"
PAGE = re.compile(r"\[[^\]]+\]\(([^)#]+)\)")


def table(page: Path, heading: str) -> dict[str, list[str]]:
    """Return the rows of the first table after a heading, by their first cell."""
    lines = page.read_text().split(f"\n{heading}\n", 1)[1].split("\n| ", 1)[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[2:]]
    end = next((number for number, line in enumerate(lines[2:]) if not line.startswith("|")), len(rows))
    return {cells[0].strip("`"): cells for cells in rows[:end]}


def read_and_written() -> dict[str, list[str]]:
    """Return the rows of the table of configuration.md that lists what each DAG reads and writes."""
    return table(CONFIGURATION, "## What each DAG reads and writes")


def params_of(page: str) -> dict[str, list[str]]:
    """Return the rows of all tables of params on a page, by param."""
    rows: dict[str, list[str]] = {}
    for text in page.split("\n| param | default | allowed |\n")[1:]:
        lines = text.splitlines()[1:]
        end = next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))
        cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[:end]]
        rows |= {row[0].strip("`"): row for row in cells}
    return rows


def default_of(param: Param) -> str:
    """Return how a page writes the default of a param."""
    if not param.has_value:
        return "required"
    return "empty" if param.value in (None, "", []) else f"`{json.dumps(param.value)}`"


def test_the_tables_of_dags_name_each_dag_with_its_schedule(dagbag):
    """A new DAG, or a new schedule, has to be written down: in the README and in configuration.md."""
    for rows in (table(README, "## DAGs"), read_and_written()):
        assert set(rows) == set(dagbag.dags)
        for dag_id, dag in dagbag.dags.items():
            schedule = getattr(dag.timetable, "_expression", None) or getattr(
                dag.timetable, "expression", None
            )
            assert f"`{schedule}`" in rows[dag_id][1] if schedule else "by hand" in rows[dag_id][1]


def test_the_table_of_dags_names_the_connections_of_each(dagbag):
    """Every connection a DAG's documentation names is in its row."""
    rows = read_and_written()
    for dag_id, dag in dagbag.dags.items():
        for connection in set(re.findall(r"`(\w+_default)`", dag.doc_md)):
            assert f"`{connection}`" in rows[dag_id][2], (dag_id, connection)


def test_the_page_of_a_dag_names_its_tasks_and_params(dagbag):
    """The page that the README's table leads to: a row with the default for every param, and every task."""
    rows = table(README, "## DAGs")
    for dag_id, dag in dagbag.dags.items():
        page = (ROOT / PAGE.findall(rows[dag_id][3])[0]).read_text()
        assert f"`{dag_id}`" in page
        params = params_of(page)
        for name in dag.params:
            assert name in params, (dag_id, name)
            assert params[name][1] == default_of(dag.params.get_param(name)), (dag_id, name)
        for task in dag.tasks:
            assert f"`{task.task_id}`" in page, (dag_id, task.task_id)
