"""Tell a process from a later one that was given the same pid."""

from pathlib import Path

_STARTTIME = 22  # field of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_AFTER_NAME = 3  # the first field behind the name, which may hold spaces and parentheses itself


def started(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None if there is no such process.

    Not psutil's create_time: that one moves when the system's clock is set.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[_STARTTIME - _AFTER_NAME])
