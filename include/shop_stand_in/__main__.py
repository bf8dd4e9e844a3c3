"""`python -m include.shop_stand_in make | change CONNINFO --day YYYY-MM-DD`.

CONNINFO names the database and a role that may write, as libpq takes it: "host=/tmp dbname=shop".
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import date

from psycopg import connect

from include.shop_stand_in.database import make_shop
from include.shop_stand_in.trickle import Trickle


def main(argv: Sequence[str]) -> int:
    """Make a shop, or change one for a number of steps, and tell what was done."""
    parser = argparse.ArgumentParser(prog="python -m include.shop_stand_in", description=__doc__)
    parser.add_argument("command", choices=("make", "change"))
    parser.add_argument("conninfo")
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="the shop's last day, UTC")
    parser.add_argument("--steps", type=int, default=100, help="how many changes")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two of them")
    parser.add_argument("--seed", type=int, default=0, help="the same one makes the same changes")
    arguments = parser.parse_args(argv)
    if arguments.command == "make":
        with connect(arguments.conninfo) as connection:
            made = make_shop(connection, arguments.day)
        print("The shop is made" if made else "There is a shop already")  # noqa: T201 - what it says
        return 0
    with Trickle(arguments.conninfo, arguments.day, arguments.seed) as trickle:
        for _ in range(arguments.steps):
            trickle.step()
            time.sleep(arguments.pause)
    for kind, count in sorted(trickle.done.items()):
        print(f"{count:6} {kind}")  # noqa: T201 - what it says
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
