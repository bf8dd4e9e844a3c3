"""Components, their sessions, and what a killed predecessor leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from include.local_stack.errors import ComponentDied, Interrupted
from include.local_stack.identity import started
from include.local_stack.interruption import Interruption
from include.local_stack.sessions import Command, Sessions, members

# Leaves its parent's process group, as an Airflow task does, and does not end by SIGTERM.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
open("ready.%d" % os.getpid(), "w").close()
time.sleep(300)
"""


def command(tmp_path: Path, source: str) -> Command:
    """Return a component that runs this Python."""
    argv = (sys.executable, "-c", source)
    return Command(name="worker", argv=argv, env={}, log=tmp_path / "worker.log", cwd=tmp_path)


def await_ready(tmp_path: Path, count: int) -> None:
    """Wait until so many processes have said they are up."""
    while len(list(tmp_path.glob("ready.*"))) < count:
        time.sleep(0.01)


def test_stops_all_a_component_has_forked(tmp_path, monkeypatch):
    """Also a child that left the group and ignores SIGTERM is gone after stop."""
    monkeypatch.setattr("include.local_stack.sessions.GRACE_S", 0.3)
    sessions = Sessions(tmp_path / "book", tmp_path)
    leader = sessions.start(command(tmp_path, STUBBORN)).process.pid
    await_ready(tmp_path, 2)
    assert len(list(members({leader}, tmp_path))) == 2
    sessions.stop()
    assert list(members({leader}, tmp_path)) == []
    assert not (tmp_path / "book").exists()


def test_a_dead_component_is_reported_with_the_end_of_its_log(tmp_path):
    """The error carries name, exit code and the last lines."""
    sessions = Sessions(tmp_path / "book", tmp_path)
    started = sessions.start(command(tmp_path, "print('the disk is full'); raise SystemExit(3)"))
    started.process.wait()
    with pytest.raises(ComponentDied, match="the disk is full") as caught:
        sessions.check()
    assert (caught.value.name, caught.value.exit_code) == ("worker", 3)
    sessions.stop()


# As Airflow's tasks are: PR_SET_DUMPABLE of https://man7.org/linux/man-pages/man2/prctl.2.html
UNDUMPABLE = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); open('ready', 'w').close(); time.sleep(300)"
STOPS_WHAT_IT_MAY_NOT_LOOK_INTO = f"""
import sys, time, psutil
from pathlib import Path
from include.local_stack.sessions import Command, Sessions, members
here = Path(sys.argv[1])
sessions = Sessions(here / "pids", here)
argv = (sys.executable, "-c", {UNDUMPABLE!r})
process = sessions.start(Command(name="task", argv=argv, env={{}}, log=here / "log", cwd=here)).process
while not (here / "ready").exists():
    time.sleep(0.01)
try:
    psutil.Process(process.pid).cwd()
except psutil.AccessDenied:
    print([member.pid for member in members({{process.pid}}, here)] == [process.pid])
sessions.stop()
print(process.poll() is not None)
"""


def test_stops_a_process_that_only_root_may_look_into(tmp_path):
    """Without the right to look into all processes a task hides its directory; it is ours all the same."""
    unprivileged = ("setpriv", "--bounding-set=-sys_ptrace") if os.geteuid() == 0 else ()
    ran = subprocess.run(
        [*unprivileged, sys.executable, "-c", STOPS_WHAT_IT_MAY_NOT_LOOK_INTO, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.split() == ["True", "True"], ran.stderr


def test_ends_what_a_killed_predecessor_left(tmp_path, monkeypatch):
    """A successor that only has the book finds the orphans; strangers in the directory stay."""
    monkeypatch.setattr("include.local_stack.sessions.GRACE_S", 0.3)
    stranger = subprocess.Popen(["sleep", "300"], cwd=tmp_path, start_new_session=True)
    predecessor = Sessions(tmp_path / "book", tmp_path)
    leader = predecessor.start(command(tmp_path, STUBBORN)).process
    try:
        await_ready(tmp_path, 2)
        leader.kill()
        leader.wait()
        assert Sessions(tmp_path / "book", tmp_path).sweep() == 1
        assert list(members({leader.pid}, tmp_path)) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        predecessor.stop()


def test_leaves_a_process_that_was_given_an_old_pid(tmp_path):
    """The start time tells a stranger from the component that once had its pid."""
    stranger = subprocess.Popen(["sleep", "300"], cwd=tmp_path, start_new_session=True)
    try:
        (tmp_path / "book").write_text(json.dumps({stranger.pid: started(stranger.pid) - 1000}))
        assert Sessions(tmp_path / "book", tmp_path).sweep() == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_signal_ends_every_later_wait():
    """The first signal decides the exit code; waits after it return at once."""
    interruption = Interruption()
    interruption.request(signal.SIGINT)
    interruption.request(signal.SIGTERM)
    for _ in range(2):
        with pytest.raises(Interrupted) as caught:
            interruption.sleep(60)
        assert caught.value.exit_code == 130


def test_a_killed_owner_takes_its_components_along(tmp_path):
    """After SIGKILL of the process that started it, a component gets its stop signal from the kernel."""
    source = f"""
import sys, time
from pathlib import Path
from include.local_stack.sessions import Command, Sessions
here = Path({str(tmp_path)!r})
started = Sessions(here / "book", here).start(
    Command(name="sleep", argv=("sleep", "300"), env={{}}, log=here / "log", cwd=here))
print(started.process.pid, flush=True)
time.sleep(300)
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    component = psutil.Process(int(owner.stdout.readline()))
    while component.name() != "sleep":  # the kernel is told between fork and exec
        time.sleep(0.01)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    gone, _ = psutil.wait_procs([component], timeout=10)
    assert gone == [component]
