"""The owner of a state directory: how `make up` and `make down` find a stack that is up."""

import os
from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel

from include.local_stack.identity import started
from include.local_stack.state import write_private


class Owner(BaseModel, frozen=True):
    """A stack's process. started: as in `identity`, for pids are used again; url: None until it is ready."""

    pid: int
    started: int
    url: str | None = None

    @classmethod
    def this_process(cls, url: str | None = None) -> Self:
        """Describe the calling process."""
        return cls(pid=os.getpid(), started=started(os.getpid()) or 0, url=url)

    def process(self) -> psutil.Process | None:
        """Return the process if it is still the one that wrote this."""
        try:
            process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return None
        return process if started(self.pid) == self.started else None


def write_owner(path: Path, owner: Owner) -> None:
    """Write the owner's file whole."""
    write_private(path, owner.model_dump_json())


def read_owner(path: Path) -> Owner | None:
    """Return the owner if there is a file and its process lives."""
    try:
        owner = Owner.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    return owner if owner.process() else None
