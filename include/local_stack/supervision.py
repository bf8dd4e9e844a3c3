"""Restarts of Airflow's components, with a limit for one that dies again and again.

A scheduler that crashes loses nothing of a run: the next one finds it in Airflow's database and goes on.
"""

import time
from collections import deque
from collections.abc import Callable, Collection

from include.local_stack.errors import ComponentDied, KeepsDying
from include.local_stack.sessions import Running, Sessions

BACK_OFF_S = (0.0, 2.0, 4.0, 8.0)  # before each start anew; one death more ends the stack
RECENT_S = 1800.0  # deaths longer ago are forgotten
HEALTH_EVERY_S = 5.0
# A scheduler that crashes first waits for the tasks it has at work, and schedules nothing meanwhile. Airflow
# calls it unhealthy when it gave no heartbeat for 30 s.
SILENT_S = 90.0
STARTS_WITHIN_S = 180.0  # seconds until it is healthy for the first time, on a busy machine


class Supervisor:
    """Looks after components. One that nobody restarts ends the stack when it ends.

    restarted: names of the components to start again. silent: returns the names of those that give no sign
    of life. sleep: waits, or raises. say: takes lines for the user. note: takes the name of each that is
    started again.
    """

    def __init__(
        self,
        sessions: Sessions,
        restarted: Collection[str],
        *,
        silent: Callable[[], Collection[str]],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sessions, self._restarted, self._note = sessions, restarted, note
        self._silent, self._sleep, self._say = silent, sleep, say
        self._deaths: dict[str, deque[float]] = {name: deque() for name in restarted}
        self._silent_since: dict[str, float] = {}
        self._starting: set[str] = set()  # started again, and not yet healthy
        self._looked_at = time.monotonic()

    def check(self) -> None:
        """Start again what has ended or been silent for long. Raises: ComponentDied: no restart helps."""
        self._end_the_silent()
        for running, died in self._sessions.ended():
            if died.name not in self._restarted:
                raise died
            self._start_again(running, died)

    def _end_the_silent(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < HEALTH_EVERY_S:
            return
        self._looked_at = now
        self._silent_since = {name: self._silent_since.get(name, now) for name in self._silent()}
        self._starting &= self._silent_since.keys()
        for running in self._sessions.running():
            name = running.command.name
            silent_s = now - self._silent_since.get(name, now)
            if silent_s > (STARTS_WITHIN_S if name in self._starting else SILENT_S):
                self._say(f"{name} runs, but has given no sign of life for {silent_s:.0f} s, and is ended")
                self._sessions.kill(running)

    def _start_again(self, running: Running, died: ComponentDied) -> None:
        deaths, now = self._deaths[died.name], time.monotonic()
        while deaths and now - deaths[0] > RECENT_S:
            deaths.popleft()
        deaths.append(now)
        if len(deaths) > len(BACK_OFF_S):
            raise KeepsDying(died.name, died.exit_code, died.log, died.tail, len(deaths), now - deaths[0])
        back_off_s = BACK_OFF_S[len(deaths) - 1]
        self._say(
            f"{died.facts}\n{died.name} is started again{f' in {back_off_s:.0f} s' if back_off_s else ''}"
        )
        self._sleep(back_off_s)
        self._silent_since.pop(died.name, None)
        self._starting.add(died.name)
        self._sessions.start_again(running)
        self._note(died.name)
