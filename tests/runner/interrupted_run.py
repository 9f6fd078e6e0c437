"""The command line in a process of its own, which stops itself with SIGSTOP at a chosen moment.

``order``: right before its n-th order is asked about. ``commit``: while that order is written to the journal, which it
holds locked. ``load``: before it asks for any history.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys

import live.runner  # noqa: F401 - loaded once, before the forks
import run
import strategies.equal_weight  # noqa: F401
from live.conductor import Conductor
from live.journal import rows
from live.journal.writer import Journal
from live.portfolio import Portfolio
from live.trading_clock import Calendar

Calendar(dt.datetime(2024, 7, 1, tzinfo=dt.UTC))
"""The tables of the exchange calendar are made by the first question."""


def stopping(method, number, counts=lambda *arguments: True):
    """The method, and SIGSTOP to this process right before its n-th call that counts."""
    left = [number]

    def stopped(*arguments, **named):
        left[0] -= bool(counts(*arguments))
        if left[0] == 0:
            left[0] = -1
            os.kill(os.getpid(), signal.SIGSTOP)
        return method(*arguments, **named)

    return stopped


def interrupt(moment, number):
    """Patch this process."""
    if moment == "order":
        Conductor.before_writing = stopping(Conductor.before_writing, number)
    elif moment == "commit":
        Journal._insert = stopping(
            Journal._insert, number, lambda journal, connection, row: isinstance(row, rows.Intent)
        )
    elif moment == "load":
        Portfolio.load = stopping(Portfolio.load, number)


def forked(log, moment, number, *arguments):
    """Run a command; everything that it says goes to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    interrupt(moment, number)
    sys.exit(run.main(list(arguments)))
