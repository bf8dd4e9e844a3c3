"""Copying into an Airflow that is there: what is theirs is neither replaced nor hidden."""

from pathlib import Path

import pytest

from include.into_airflow import collisions, copy, main

OURS = {
    "dags/health.py": "a dag",
    "include/github/client.py": "a client",
    "include/github/__init__.py": "",
    "include/text.py": "a text",
    "include/local_stack/stack.py": "not for others",
    "plugins/.airflowignore": "# ours\nstagehouse/\n",
    "plugins/stagehouse/__init__.py": "",
    "plugins/stagehouse/__pycache__/a.pyc": "",
}


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a directory and return it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def files(root: Path) -> dict[str, str]:
    """Return every file below a directory but the record of what was copied."""
    there = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    return {name: text for name, text in there.items() if not name.endswith("copied.sha256")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small checkout."""
    return write(tmp_path / "project", OURS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An Airflow of others."""
    return write(tmp_path / "home", {"include/__init__.py": "", "plugins/.airflowignore": "drafts/"})


def test_it_gets_what_belongs_there_and_keeps_what_it_has(project: Path, home: Path):
    """Also twice: the lines of .airflowignore are appended once."""
    before = files(home)
    for _ in range(2):
        assert collisions(project, home) == []
        copy(project, home)
    there = files(home)
    assert there.pop("plugins/.airflowignore") == "drafts/\n# ours\nstagehouse/\n"
    del before["plugins/.airflowignore"]
    not_copied = {name for name in OURS if "local_stack" in name or "__pycache__" in name}
    expected = {name: OURS[name] for name in OURS.keys() - not_copied} | before
    del expected["plugins/.airflowignore"]
    assert there == expected


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("dags/health.py", "dags/health.py: is another file"),
        ("include/github/client.py", "include/github/client.py: is another file"),
        ("include/github.py", "include/github.py: is a module, and would be hidden by include/github/"),
        ("include/text/__init__.py", "include/text/: is a package, and would hide include/text.py"),
        ("dags/include/__init__.py", "dags/include/: is a package, and would hide"),
    ],
)
def test_what_is_in_the_way_is_named(project: Path, home: Path, theirs: str, said: str):
    """Files of the same name, and names of which Python would see one only."""
    write(home, {theirs: "theirs"})
    (found,) = collisions(project, home)
    assert said in found


def test_a_file_of_theirs_that_has_our_content_is_in_nobodys_way(project: Path, home: Path):
    """As a copy by hand leaves it."""
    write(home, OURS)
    assert collisions(project, home) == []


def test_an_upgrade_replaces_and_removes_what_was_copied(project: Path, home: Path):
    """But not what somebody changed, which stops it."""
    copy(project, home)
    (project / "include/github/client.py").write_text("a newer client")
    (project / "include/text.py").unlink()
    assert collisions(project, home) == []
    copy(project, home)
    assert (home / "include/github/client.py").read_text() == "a newer client"
    assert not (home / "include/text.py").exists()
    write(home, {"dags/health.py": "changed"})
    assert collisions(project, home) == [f"{home}/dags/health.py: changed since it was copied"]


def test_a_module_that_becomes_a_package_is_an_upgrade(project: Path, home: Path):
    """The module goes: it is ours."""
    copy(project, home)
    (project / "include/text.py").unlink()
    write(project, {"include/text/__init__.py": "a package"})
    assert collisions(project, home) == []
    copy(project, home)
    assert not (home / "include/text.py").exists()


def test_the_command_copies_nothing_where_something_is_in_the_way(
    home: Path, capsys: pytest.CaptureFixture[str]
):
    """Says what, and what to do; ends with 1."""
    write(home, {"dags/postgres_health.py": "theirs"})
    before = files(home)
    assert main([str(home)]) == 1
    said = capsys.readouterr().err
    assert f"{home}/dags/postgres_health.py: is another file" in said
    assert "Next: " in said
    assert files(home) == before


def test_the_command_only_looks_when_told_so(home: Path):
    """Ends with 0 and leaves everything as it is."""
    before = files(home)
    assert main(["--check", str(home)]) == 0
    assert files(home) == before


def test_a_home_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Nothing is made at a mistyped path."""
    with pytest.raises(SystemExit):
        main([str(tmp_path / "nowhere")])
    assert f"no directory {tmp_path}/nowhere. Next: " in capsys.readouterr().err
