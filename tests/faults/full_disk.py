"""A disk of a few megabytes that can be filled up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """Attributes: path, where it is mounted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def full(self, but_for: int = 0) -> Iterator[None]:
        """Leave `but_for` bytes of room until the block ends."""
        state, filler = os.statvfs(self.path), self.path / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - but_for)
        try:
            yield
        finally:
            filler.unlink()


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk in memory at `path`; skips the test where that is not allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
