"""Copies Stagehouse into an Airflow that is there: `python3 -m include.into_airflow AIRFLOW_HOME`.

Nothing of theirs is replaced or hidden: where a file or a package of theirs is in the way, nothing is copied,
and each is named. What an earlier copy left is replaced or removed, unless somebody changed it.
docs/into-your-airflow.md is its page. It needs Python alone, no package and no Airflow.
"""

import argparse
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from shutil import copyfile

PROJECT = Path(__file__).resolve().parents[1]
FOLDERS = ("dags", "include", "plugins")
NOT_COPIED = (
    *(f"include/{name}_stand_in" for name in ("api", "github", "kafka", "shop")),
    *("include/local_stack", "include/into_airflow.py", "__pycache__"),
)
IGNORED = Path("plugins/.airflowignore")  # its lines are appended to theirs
COPIED = Path("plugins/stagehouse/copied.sha256")  # as `sha256sum --check` reads it, from AIRFLOW_HOME


def files_to_copy(project: Path) -> list[Path]:
    """Return what an Airflow gets, relative to the project and to AIRFLOW_HOME alike."""
    found = [file.relative_to(project) for name in FOLDERS for file in (project / name).rglob("*")]
    return sorted(
        file
        for file in found
        if (project / file).is_file()
        and file not in (IGNORED, COPIED)
        and not any(f"/{part}/" in f"/{file}/" for part in NOT_COPIED)
    )


def copied_before(home: Path) -> dict[Path, str]:
    """Return what an earlier copy left: file, SHA-256 of what was copied."""
    try:
        lines = (home / COPIED).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {Path(name): digest for digest, _, name in (line.partition("  ") for line in lines)}


def collisions(project: Path, home: Path) -> list[str]:
    """Say of each file of theirs that is in the way, where it is and why; empty: nothing is."""
    before = copied_before(home)
    ours = files_to_copy(project)
    return [*_in_the_way(project, home, ours, before), *_hidden(home, ours, before)]


def copy(project: Path, home: Path) -> None:
    """Copy; call `collisions` first. An upgrade also removes what no longer belongs to Stagehouse."""
    before, ours = copied_before(home), files_to_copy(project)
    for file in ours:
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        copyfile(project / file, home / file)
    for file in before.keys() - set(ours):
        if _digest(home / file) == before[file]:
            (home / file).unlink()
    _append_ignored(project, home)
    (home / COPIED).write_text("".join(f"{_digest(home / file)}  {file}\n" for file in ours))


def _in_the_way(project: Path, home: Path, ours: list[Path], before: dict[Path, str]) -> Iterator[str]:
    for file in ours:
        there = _digest(home / file)
        if there not in ("", _digest(project / file), before.get(file)):
            yield f"{home / file}: {'changed since it was copied' if file in before else 'is another file'}"


def _hidden(home: Path, ours: list[Path], before: dict[Path, str]) -> Iterator[str]:
    """Of a module and a package of one name Python sees the package alone."""
    modules = {file.with_suffix("") for file in ours if file.suffix == ".py"}
    packages = {folder for file in ours for folder in file.parents if len(folder.parts) > 1}
    for name in sorted(modules):
        if (home / name / "__init__.py").exists() and name not in packages:
            yield f"{home / name}/: is a package, and would hide {name}.py"
    for name in sorted(packages):
        module = name.with_suffix(".py")
        if (home / module).exists() and module not in before:
            yield f"{home / module}: is a module, and would be hidden by {name}/"
    for folder in ("config", "dags", "plugins"):
        if (home / folder / "include" / "__init__.py").exists():
            yield f"{home / folder}/include/: is a package, and would hide {home}/include/"


def _append_ignored(project: Path, home: Path) -> None:
    theirs = (home / IGNORED).read_text() if (home / IGNORED).exists() else ""
    missing = [
        line for line in (project / IGNORED).read_text().splitlines() if line not in theirs.splitlines()
    ]
    if missing:
        gap = "" if theirs.endswith("\n") or not theirs else "\n"
        (home / IGNORED).write_text("\n".join([theirs + gap + missing[0], *missing[1:], ""]))


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file, '' where there is none."""
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def main(arguments: list[str]) -> int:
    """Copy, or say what is in the way; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="include.into_airflow", description="Copies Stagehouse into an Airflow."
    )
    parser.add_argument("home", type=Path, help="AIRFLOW_HOME, with dags/, include/ and plugins/ below it")
    parser.add_argument("--check", action="store_true", help="only say what is in the way")
    asked = parser.parse_args(arguments)
    if not asked.home.is_dir():
        parser.error(f"no directory {asked.home}. Next: name the AIRFLOW_HOME of your Airflow")
    if found := collisions(PROJECT, asked.home):
        sys.stderr.write("Nothing was copied. In the way:\n" + "".join(f"  {each}\n" for each in found))
        sys.stderr.write('Next: rename these, or see "Names that collide" in docs/into-your-airflow.md\n')
        return 1
    if not asked.check:
        copy(PROJECT, asked.home)
        sys.stdout.write(
            f"Copied {len(files_to_copy(PROJECT))} files. Next: add {asked.home} to PYTHONPATH\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
