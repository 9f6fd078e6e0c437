"""Moments at which a runner may be killed: before and after each commit of its journal, and each order's bytes."""

from __future__ import annotations

import collections
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass

from live.client import orders
from live.journal.database import Database

COMMIT, WRITE = "commit", "write"
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Death:
    """Dies ``when`` the ``number``-th moment of a kind comes, counted from the order to die."""

    kind: str
    number: int
    when: str


class Moments:
    """Counts the moments of this process, and ends it at the one that was asked for.

    ``tell(death, step)`` is called right before the end; ``step`` is what was being written.
    """

    def __init__(self, tell):
        self._tell = tell
        self.death = None
        self.counts = collections.Counter()

    def await_death(self, death):
        """Count from 0 again; die at ``death``, or not at all for None."""
        self.counts.clear()
        self.death = death

    def passed(self, kind, when, step):
        """One moment is there."""
        self.counts[kind, when] += 1
        if self.death == Death(kind, self.counts[kind, when], when):
            self._tell(self.death, step)
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self):
        """Put the counting into the journal and into the client of this process."""
        for name in ("appending", "transaction"):
            setattr(Database, name, self._committing(getattr(Database, name)))
        orders.write = self._writing(orders.write)

    def _committing(self, method):
        @contextmanager
        def counted(database):
            step = _step()
            with method(database) as connection:
                yield connection
                # Every row is there, and nothing is committed.
                self.passed(COMMIT, BEFORE, step)
            self.passed(COMMIT, AFTER, step)

        return counted

    def _writing(self, write):
        async def counted(supervisor, **what):
            self.passed(WRITE, BEFORE, "send")
            await write(supervisor, **what)
            self.passed(WRITE, AFTER, "send")

        return counted


def _step():
    """Name of the journal's method that was called from outside: what is being written."""
    frame, name = sys._getframe(2), "open"
    while frame is not None:
        code = frame.f_code
        if "/live/journal/" in code.co_filename and not code.co_name.startswith("_"):
            name = code.co_name
        frame = frame.f_back
    return name
