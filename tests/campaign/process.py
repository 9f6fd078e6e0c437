"""The campaign's end of a runner: starts it, hears it, answers it, kills it."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from multiprocessing.connection import wait

from tests.campaign import child

PATIENCE = 60.0
"""Real seconds of silence after which a runner counts as hung."""
DEAD = "dead"


class Hung(AssertionError):
    """A runner neither lives nor dies."""


def forked():
    """The context in which processes are made: forks of one process that has loaded everything and has no thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign.zygote"])
    return context


class RunnerProcess:
    """One start of a runner."""

    def __init__(self, start):
        context = forked()
        self._ours, theirs = context.Pipe()
        self._rounds = context.RawValue("Q", 0)
        self._process = context.Process(target=child.run, args=(start, theirs, self._rounds), daemon=True)
        self._process.start()
        theirs.close()
        self.over = False
        self.dying = None

    @property
    def pid(self):
        return self._process.pid

    @property
    def rounds(self):
        """How often it has looked at the world while its connection was ready."""
        return self._rounds.value

    def answer(self, go_on):
        """Let it go on."""
        # If it died meanwhile, `hear` will say so.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._ours.send(go_on)

    def hear(self, seconds=PATIENCE):
        """The next thing it says: (what, about). ``(DEAD, death)`` once it is killed; None if it says nothing."""
        until = time.monotonic() + seconds
        while not self.over:
            left = max(0.0, until - time.monotonic())
            if not wait([self._ours, self._process.sentinel], left):
                return None
            try:
                said = self._ours.recv() if self._ours.poll(0) else None
            except (EOFError, ConnectionResetError):
                said = None
            if said is None:
                self._process.join()
                self.over = True
                return DEAD, self.dying
            if said[0] != child.DYING:
                return said
            self.dying = said[1]
        return DEAD, self.dying

    def kill(self):
        """SIGKILL, now."""
        self._process.kill()

    def close(self):
        """Nothing is left of it."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._ours.close()
