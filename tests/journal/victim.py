"""A runner that is killed: started by tests as a process of its own, ``python -m tests.journal.victim URL``.

Every line on stdin names a step of `samples.STEPS` and when to die in it: ``before`` its commit or ``after`` the
method returned. A child is forked for each, and the signal that ended it is printed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import sqlalchemy as sa

from live.journal import migrate
from live.journal.failures import JournalInUse
from live.journal.writer import Journal
from tests.journal.samples import ACCOUNT, STEPS, write


def opened(url):
    """Open the journal of a runner that was killed: a server takes a moment to notice that."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return Journal.open(url, "paper", ACCOUNT)
        except JournalInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def migrate_and_die(url):
    """Everything is done but the commit."""
    migrate._finish = die
    opened(url)


def step_and_die(url, number, when):
    journal = opened(url)
    if when == "before":
        sa.event.listen(journal._database._engine, "commit", die)
    write(journal, STEPS[number])
    die()


def hold(url):
    """Keep the journal open until somebody kills this process."""
    with opened(url):
        sys.stdout.write("open\n")
        sys.stdout.flush()
        time.sleep(60)


def main():
    url = sys.argv[1]
    for line in sys.stdin:
        words = line.split()
        child = os.fork()
        if child == 0:
            try:
                if words[0] == "migrate":
                    migrate_and_die(url)
                elif words[0] == "hold":
                    hold(url)
                else:
                    step_and_die(url, int(words[0]), words[1])
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
