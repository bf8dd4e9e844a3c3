"""`python -m include.local_stack run | up | down`."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path

from rich.console import Console

from include.local_stack import background, shop
from include.local_stack.api_calls import CALLS, deliver_samples
from include.local_stack.dag_runs import run_dags
from include.local_stack.errors import Interrupted, StackError
from include.local_stack.events import TOPICS, taken
from include.local_stack.interruption import Interruption
from include.local_stack.phrase_views import IMPORT, REPORT, deliver_sample, example_report
from include.local_stack.postgres import WAREHOUSE
from include.local_stack.settings import Settings, read_settings
from include.local_stack.stack import Stack
from include.local_stack.state import StateDirectory

ROOT = Path(__file__).resolve().parents[2]
HEALTH, MAIN = "postgres_health", "github_top_repositories"
WATCH_S = 1.0
Jobs = tuple[tuple[str, ...], ...]  # DAGs; those of a job one after the other


def main(argv: Sequence[str]) -> int:
    """Carry out one command and return its exit code: 0 green, 1 failed, 128 + n ended by signal n."""
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    interruption = Interruption()
    interruption.listen()
    try:
        state, dags = arguments.state.resolve(), arguments.dags.resolve()
        settings = read_settings(os.environ, ROOT, state=state, dags=dags)
        jobs: Jobs = (tuple(arguments.dag),) if arguments.dag else ((HEALTH,), *settings.jobs)
        match arguments.command:
            case "run":
                _run(settings, jobs, interruption, console)
            case "up":
                serve = ("-m", "include.local_stack", "serve", "--state", str(state), "--dags", str(dags))
                each = (word for dag_id in arguments.dag or () for word in ("--dag", dag_id))
                console.print(background.up(settings, (*serve, *each), os.environ, interruption.sleep))
            case "serve":
                _serve(settings, jobs, interruption, console)
            case "down":
                console.print(background.down(settings, interruption.sleep))
    except Interrupted as interrupted:
        console.print(f"Stopped: {interrupted}")
        return interrupted.exit_code
    except StackError as error:
        console.print(str(error), style="red")
        return 1
    return 0


def _run(settings: Settings, jobs: Jobs, interruption: Interruption, console: Console) -> None:
    say, day = _teller(console), _day(settings)
    with (
        _stack(settings, interruption, console, scheduled=False) as stack,
        stack.start([*chain(*jobs)]) as airflow,
    ):
        conf = partial(_conf, settings=settings, state=stack.state, day=day)
        # Side by side: while one waits for its API's rate, another has the processors.
        run_ids = run_dags(stack, airflow, jobs, conf, say)
        from include.local_stack import results

        if MAIN in run_ids:
            console.print(results.stored(stack.state.clickhouse, WAREHOUSE, run_ids[MAIN]))
        if REPORT in run_ids:
            text, page = example_report(stack.state, day)
            console.file.write(f"\n{text}\n")  # to the letter: the console would turn tabs into blanks
            console.print(f"The report of {day} as a page: {page}")
        if CALLS in run_ids:
            console.print(results.called(stack.state, WAREHOUSE, run_ids[CALLS]))
        if shop.SYNC in run_ids:
            console.print(shop.sold(stack.state, WAREHOUSE))
        if topics := {topic: run_ids[topic] for topic in TOPICS if topic in run_ids}:
            console.print(taken(stack.state, WAREHOUSE, topics))


def _serve(settings: Settings, jobs: Jobs, interruption: Interruption, console: Console) -> None:
    say, dag_ids = _teller(console), [*chain(*jobs)]
    with _stack(settings, interruption, console, scheduled=True) as stack, stack.start(dag_ids) as airflow:
        conf = partial(_conf, settings=settings, state=stack.state, day=_day(settings))
        deliver_samples(stack.state, ROOT)
        shop.make(stack.state, _day(settings))
        for dag_id in dag_ids:
            # First, so that the first report by schedule has counters to read, and that a run by schedule
            # finds the topics that it knows: those of the start before are gone.
            if dag_id in (IMPORT, *TOPICS):
                run_dags(stack, airflow, [[dag_id]], conf, say)
            airflow.unpause(dag_id)
        stack.announce(airflow)
        while True:
            stack.watch(WATCH_S)


def _conf(dag_id: str, settings: Settings, state: StateDirectory, day: date) -> dict[str, object]:
    """Return the params of a run, once what it reads is there."""
    prepare: dict[str, Callable[[], dict[str, object]]] = {
        MAIN: lambda: settings.conf,
        IMPORT: lambda: deliver_sample(state, day),
        REPORT: lambda: {"day": day.isoformat()},
        CALLS: lambda: deliver_samples(state, ROOT),
        shop.MIGRATION: lambda: shop.make(state, day),
        shop.SYNC: lambda: shop.change(state, day),
        # The stand-in forgets its topics when the stack ends.
        **dict.fromkeys(TOPICS, lambda: {"accept_recreated": True}),
    }
    return prepare.get(dag_id, dict[str, object])()


def _day(settings: Settings) -> date:
    return settings.day or _now().date() - timedelta(days=1)


def _stack(settings: Settings, interruption: Interruption, console: Console, *, scheduled: bool) -> Stack:
    say = _teller(console)
    return Stack(settings, sleep=interruption.sleep, now=_now, say=say, scheduled=scheduled)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.local_stack", description=__doc__)
    parser.add_argument("command", choices=("run", "up", "down", "serve"))
    parser.add_argument("--state", type=Path, default=ROOT / ".stagehouse", help="where everything is kept")
    parser.add_argument("--dags", type=Path, default=ROOT / "dags", help="the DAG folder")
    parser.add_argument("--dag", action="append", help="DAGs in order (default: those of ONLY, or all)")
    return parser


def _teller(console: Console) -> Callable[[str], None]:
    def say(line: str) -> None:
        console.print(f"[{_now():%H:%M:%S}] {line}")

    return say


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
