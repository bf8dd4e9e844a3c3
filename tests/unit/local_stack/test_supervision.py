"""Components that die or fall silent are started again, until it is of no use."""

import re
import signal
import sys
import time
from pathlib import Path

import pytest

from include.local_stack.errors import ComponentDied, Interrupted, KeepsDying
from include.local_stack.sessions import Command, Sessions, members
from include.local_stack.supervision import BACK_OFF_S, Supervisor

SLEEPS = "import time; print('at work', flush=True); time.sleep(300)"
DIES = "print('the disk is full'); raise SystemExit(3)"


class House:
    """Components below a directory, looked after. Attributes: sessions; supervisor; said; slept; silent."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.sessions = Sessions(place / "pids", place)
        self.said: list[str] = []
        self.slept: list[float] = []
        self.noted: list[str] = []
        self.silent: list[str] = []
        self.supervisor = Supervisor(
            self.sessions,
            ("scheduler",),
            silent=lambda: self.silent,
            sleep=self.slept.append,
            say=self.said.append,
            note=self.noted.append,
        )

    def start(self, name: str, source: str) -> Command:
        """Start a component that runs this Python."""
        argv, log = (sys.executable, "-c", source), self.place / f"{name}.log"
        return self.sessions.start(Command(name=name, argv=argv, env={}, log=log, cwd=self.place)).command

    def pid(self) -> int:
        """The process of the one component."""
        (running,) = self.sessions.running()
        return running.process.pid

    def await_end(self) -> None:
        """Wait until a component has ended."""
        while not list(self.sessions.ended()):
            time.sleep(0.01)


@pytest.fixture
def house(tmp_path):
    """Nothing of it is left after the test."""
    made = House(tmp_path)
    yield made
    made.sessions.stop()


def test_what_died_is_started_again_and_named_with_the_end_of_its_log(house):
    """At once the first time; its log goes on, so that the reason stays there."""
    command = house.start("scheduler", SLEEPS)
    while "at work" not in command.log.read_text():
        time.sleep(0.01)
    (running,) = house.sessions.running()
    running.process.send_signal(signal.SIGKILL)
    house.await_end()
    house.supervisor.check()
    assert house.pid() != running.process.pid
    (line,) = house.said
    assert line.startswith("scheduler was ended by SIGKILL; the end of ")
    assert "at work\nscheduler is started again" in line
    assert house.slept == [0]
    assert house.noted == ["scheduler"]
    while command.log.read_text().count("at work") < 2:
        time.sleep(0.01)
    house.supervisor.check()  # it lives: nothing to do
    assert len(house.said) == 1


def test_what_dies_again_and_again_ends_the_stack(house):
    """Each start waits longer; the last death is an error that says how often, why, and what to do."""
    house.start("scheduler", DIES)
    for _ in BACK_OFF_S:
        house.await_end()
        house.supervisor.check()
    house.await_end()
    with pytest.raises(KeepsDying) as caught:
        house.supervisor.check()
    assert house.slept == list(BACK_OFF_S)
    assert (caught.value.name, caught.value.exit_code, caught.value.times) == ("scheduler", 3, 5)
    assert re.search(r"the disk is full\nscheduler died 5 times within \d+ s.*Next: mend", str(caught.value))


def test_deaths_of_long_ago_are_forgotten(house, monkeypatch):
    """A crash a day is mended each time."""
    monkeypatch.setattr("include.local_stack.supervision.RECENT_S", 0.0)
    house.start("scheduler", DIES)
    for _ in range(len(BACK_OFF_S) + 2):
        house.await_end()
        house.supervisor.check()
    assert set(house.slept) == {0}


def test_what_nobody_starts_again_ends_the_stack_at_once(house):
    """A database that died may have lost its disk: a person has to look."""
    house.start("postgres", DIES)
    house.await_end()
    with pytest.raises(ComponentDied, match="postgres ended with exit code 3") as caught:
        house.supervisor.check()
    assert not isinstance(caught.value, KeepsDying)


def test_what_runs_without_a_sign_of_life_is_ended_and_started_again(house, monkeypatch):
    """Not at once: it may be busy, or not yet up."""
    monkeypatch.setattr("include.local_stack.supervision.HEALTH_EVERY_S", 0.0)
    monkeypatch.setattr("include.local_stack.supervision.SILENT_S", 0.2)
    house.start("scheduler", SLEEPS)
    before = house.pid()
    house.silent = ["scheduler"]
    house.supervisor.check()
    assert house.pid() == before
    while house.pid() == before:
        house.supervisor.check()
        time.sleep(0.01)
    assert "no sign of life" in house.said[0]
    assert "was ended by SIGKILL" in house.said[1]
    house.silent = []
    house.supervisor.check()
    assert len(house.said) == 2


def test_what_was_started_again_has_longer_until_it_is_healthy(house, monkeypatch):
    """A slow machine must not kill each start before it is up."""
    monkeypatch.setattr("include.local_stack.supervision.HEALTH_EVERY_S", 0.0)
    monkeypatch.setattr("include.local_stack.supervision.SILENT_S", 0.05)
    house.start("scheduler", SLEEPS)
    (running,) = house.sessions.running()
    running.process.kill()
    house.await_end()
    house.silent = ["scheduler"]
    house.supervisor.check()
    started = house.pid()
    for _ in range(20):
        house.supervisor.check()
        time.sleep(0.01)
    assert house.pid() == started  # silent for longer than SILENT_S, but it has not been healthy yet
    house.silent = []
    house.supervisor.check()
    house.silent = ["scheduler"]
    while house.pid() == started:
        house.supervisor.check()
        time.sleep(0.01)
    assert sum("no sign of life" in line for line in house.said) == 1


def test_all_that_a_dead_component_has_forked_ends_before_it_is_started_again(house):
    """Else two schedulers' tasks would be at work."""
    command = house.start("scheduler", f"import os; os.fork(); {SLEEPS}")
    while "at work" not in command.log.read_text():
        time.sleep(0.01)
    (running,) = house.sessions.running()
    running.process.kill()
    house.await_end()
    house.supervisor.check()
    assert list(members({running.process.pid}, house.place)) == []


def test_a_back_off_ends_when_the_stack_is_told_to_stop(house):
    """Ctrl-C is not kept waiting."""

    def interrupted(_seconds: float) -> None:
        raise Interrupted(signal.SIGINT)

    house.supervisor._sleep = interrupted
    house.start("scheduler", DIES)
    house.await_end()
    with pytest.raises(Interrupted):
        house.supervisor.check()
