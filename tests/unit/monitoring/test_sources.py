"""Sources that hang, fail, and are asked by several at once."""

import threading
import time

import pytest

from include.monitoring.sources import Source


def explain(error: Exception) -> str:
    """Say what a source has raised."""
    return f"said {error}"


def soon(seconds: float = 5.0) -> float:
    """Return a time to wait until."""
    return time.monotonic() + seconds


def test_who_asks_meanwhile_gets_the_same_answer():
    """The source is read once, and none of them is told that it is down."""
    release, reads = threading.Event(), []

    def read() -> int:
        reads.append(1)
        release.wait(5)
        return 7

    source = Source("slow", explain)
    waits = [source.ask(read) for _ in range(8)]
    release.set()
    assert [wait(soon()).facts for wait in waits] == [7] * 8
    assert len(reads) == 1
    assert source.ask(read)(soon()).facts == 7
    assert len(reads) == 2


def test_a_source_that_hangs_is_down_within_the_budget():
    """It is not asked again before it has answered; then it is up at once, and has its last facts."""
    release, reads = threading.Event(), []

    def read() -> str:
        reads.append(1)
        assert len(reads) != 2 or release.wait(5)
        return f"answer {len(reads)}"

    source = Source("hung", explain)
    assert source.ask(read)(soon()).facts == "answer 1"
    for _ in range(3):
        reading = source.ask(read)(soon(0.02))
        assert (reading.up, reading.error, source.last) == (False, "no answer in 3 s", "answer 1")
    assert len(reads) == 2
    release.set()
    assert source.ask(read)(soon()).up


def test_a_source_is_as_slow_as_its_own_reading():
    """Not as another one that is waited for first."""
    begun, wait = time.monotonic(), Source("quick", explain).ask(lambda: 7)
    assert wait(soon()).up
    read_by = time.monotonic()
    time.sleep(0.05)
    assert wait(soon()).seconds <= read_by - begun


def test_a_source_that_hangs_has_one_thread():
    """However often it is asked meanwhile."""
    release = threading.Event()
    source = Source("left_behind", explain)
    for _ in range(5):
        source.ask(lambda: release.wait(5))(soon(0.01))
    assert [each.name for each in threading.enumerate()].count("stagehouse-left_behind") == 1
    release.set()


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("no")])
def test_a_source_that_fails_is_down_and_asked_again(error: Exception):
    """What it says is turned into words once, however many wait, and the next one asks anew."""
    release, explained = threading.Event(), []

    def fail() -> str:
        release.wait(5)
        raise error

    def explain_once(raised: Exception) -> str:
        explained.append(raised)
        return explain(raised)

    source = Source[str]("failing", explain_once)
    waits = [source.ask(fail) for _ in range(3)]
    release.set()
    assert {wait(soon())[1:2] + wait(soon())[3:] for wait in waits} == {(None, "said no")}
    assert explained == [error]
    assert source.ask(lambda: "facts")(soon()).facts == "facts"
