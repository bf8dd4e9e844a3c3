"""The variable `staging_root`: a directory or a URL, anything else is one line that names it."""

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from include.staging.files import write_atomically
from stagehouse.hooks.storage_roots import BadVariable, staging_root

VARIABLE = "AIRFLOW_VAR_STAGING_ROOT"


@pytest.mark.parametrize("text", ["{}", "file://{}", "  {}\n"])
def test_a_directory_is_a_plain_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str):
    """Also where it is written as a URL; it need not exist and is not made by asking."""
    place = tmp_path / "not" / "there yet"
    monkeypatch.setenv(VARIABLE, text.format(place))
    root = staging_root()
    assert (type(root), root, place.exists()) == (type(place), place, False)
    write_atomically(root / "file", b"data")
    assert (place / "file").read_bytes() == b"data"


def test_a_url_is_an_object_store(monkeypatch: pytest.MonkeyPatch):
    """Of a store that a provider, or a plugin, has made known to Airflow; the prefix stays."""
    attach("memory", fs=MemoryFileSystem())
    monkeypatch.setenv(VARIABLE, "memory://bucket/prefix")
    root = staging_root()
    assert isinstance(root, ObjectStoragePath)
    write_atomically(root / "day" / "file", b"data")
    assert (root / "day" / "file").read_bytes() == b"data"
    assert str(root / "day").endswith("bucket/prefix/day")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "not set"),
        ("", "not set"),
        (" ", "not set"),
        ("relative/place", "no absolute path"),
        ("./place", "no absolute path"),
        ("~/place", "no absolute path"),
        ("file://relative", "no absolute path"),
        ("nosuchstore://bucket/prefix", "nosuchstore"),
        ("http://host/prefix", "scheme http"),
    ],
)
def test_a_mistake_is_one_line_with_the_variable(
    monkeypatch: pytest.MonkeyPatch, metadb: None, text: str | None, reason: str
):
    """Before anything is written."""
    monkeypatch.delenv(VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(BadVariable, match=reason) as caught:
        staging_root()
    assert caught.value.variable == "staging_root"
    assert str(caught.value).startswith("variable 'staging_root': ")
    assert str(caught.value).isprintable()
