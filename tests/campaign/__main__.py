"""``python -m tests.campaign --seed N --rebalances 1000``: prints the figures; exit code 1 on any violation."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.campaign.campaign import Campaign, Sizes


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rebalances", type=int, default=1000, metavar="N", help="at least so many")
    parser.add_argument("--leg", metavar="NAME", help="only this one: nights, steps, trouble-1, ...")
    parser.add_argument("--nights", type=int, default=30, metavar="N", help="days with a reset every night")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="a death at one step of so many")
    parser.add_argument("--days", type=int, default=40, metavar="N", help="of one leg of trouble")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="journals and logs stay here")
    given = parser.parse_args()
    began = time.monotonic()
    # The double's end of a connection says that the process at the other end was killed.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        sizes = Sizes(given.nights, given.every, given.days)
        campaign = Campaign(given.seed, given.keep or Path(folder), sizes, say)
        if given.leg:
            campaign.leg(given.leg)
        else:
            campaign.run(given.rebalances)
    figures = campaign.figures
    say(f"seed {given.seed}, {time.monotonic() - began:.0f} s")
    for line in figures.lines():
        say(line)
    again = f"python -m tests.campaign --seed {given.seed}"
    again += f" --nights {given.nights} --every {given.every} --days {given.days} --leg"
    for where, finding in figures.findings:
        leg = where.split(",")[0]
        say(f"{where}\n  {finding}\n  again: {again} {leg}")
    return int(bool(figures.findings))


if __name__ == "__main__":
    sys.exit(main())
