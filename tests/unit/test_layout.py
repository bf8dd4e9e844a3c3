"""Who may import whom, and that nobody shadows our generic names."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import include
import stagehouse

ROOT = Path(__file__).resolve().parents[2]
CLOCKS = {"datetime.now", "datetime.utcnow", "date.today", "time.time"}
SOURCES = [*ROOT.glob("dags/**/*.py"), *ROOT.glob("plugins/**/*.py"), *ROOT.glob("include/**/*.py")]


def imported_by(path: Path) -> set[str]:
    """Return the full names of all modules that `path` imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(f"{node.module}" if node.level == 0 else f".{node.module}")
    return names


def test_our_packages_are_not_shadowed():
    """Imports `include` and `stagehouse` from this project, wherever Python finds others of that name."""
    assert next(iter(include.__path__)) == str(ROOT / "include")
    assert Path(stagehouse.__file__) == ROOT / "plugins" / "stagehouse" / "__init__.py"


def test_every_package_has_an_init():
    """Has an __init__.py in every folder of code: a namespace package loses to any other of its name.

    But not in include/, where ours would replace that of others: docs/into-your-airflow.md.
    """
    shared = {ROOT / "dags", ROOT / "plugins", ROOT / "include"}
    folders = {path.parent for path in SOURCES} - shared
    assert not any((folder / "__init__.py").exists() for folder in shared)
    assert ROOT / "include" / "postgres" in folders
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_imports_point_one_way():
    """Keeps the contracts of pyproject.toml (import-linter)."""
    # In a process of its own: it switches off every logger that exists, and later tests read logs.
    command = [
        Path(sys.executable).with_name("lint-imports"),
        "--config",
        ROOT / "pyproject.toml",
        "--no-cache",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_http_names_no_api():
    """Has no word of an API that is asked by it: what is GitHub's stands in include/github."""
    files = [*ROOT.glob("include/http/**/*.py")]
    assert files
    assert [path for path in files if "github" in path.read_text().lower()] == []


def test_a_module_has_one_identity():
    """Imports `stagehouse.x`, never `plugins.stagehouse.x`, which would be the same file twice."""
    culprits = [
        path for path in SOURCES if any(name.split(".")[0] == "plugins" for name in imported_by(path))
    ]
    assert SOURCES
    assert culprits == []


def test_dags_are_wiring():
    """Imports into a DAG file only Airflow, the standard library, our hooks and our plain Python."""
    allowed = {"airflow", "include", "pendulum", "stagehouse", *sys.stdlib_module_names}
    for path in ROOT.glob("dags/*.py"):
        foreign = {name for name in imported_by(path) if name.split(".")[0] not in allowed}
        assert foreign == set(), path


def test_hooks_have_names_of_their_own():
    """Names no file of plugins/stagehouse/hooks like a module of Python or of an installed package."""
    stems = {path.stem for path in ROOT.glob("plugins/stagehouse/hooks/*.py")} - {"__init__"}
    assert stems
    assert stems.isdisjoint(sys.stdlib_module_names)
    assert stems.isdisjoint(packages_distributions())


def test_dag_files_are_short():
    """Says when and in what order, and what for; the work stands elsewhere. The main job has many params."""
    limits = {"github_top_repositories": 150}
    lines = {path.stem: len(path.read_text().splitlines()) for path in ROOT.glob("dags/*.py")}
    assert set(limits) < set(lines)
    assert {name: n for name, n in lines.items() if n > limits.get(name, 120)} == {}


def attributes_of(path: Path) -> set[str]:
    """Return what a file takes of names, such as `os.environ`."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    return {f"{node.value.id}.{node.attr}" for node in nodes if isinstance(node.value, ast.Name)}


def test_include_reads_no_environment_and_no_clock():
    """Takes environment, wall clock and today from its caller."""
    for path in ROOT.glob("include/**/*.py"):
        if path.name == "__main__.py" or path.is_relative_to(ROOT / "include" / "local_stack"):
            continue  # a command line, and what starts processes: there the arguments come from
        assert attributes_of(path).isdisjoint({"os.environ", "os.getenv", *CLOCKS}), path


def test_plugins_and_dags_read_the_clock_in_one_place():
    """Which is where a test that runs a day puts its own."""
    readers = [
        path
        for path in [*ROOT.glob("dags/**/*.py"), *ROOT.glob("plugins/**/*.py")]
        if not attributes_of(path).isdisjoint(CLOCKS)
    ]
    assert readers == [ROOT / "plugins" / "stagehouse" / "clock.py"]
