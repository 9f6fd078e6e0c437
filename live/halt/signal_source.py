"""Halting by a signal to the runner's process: SIGUSR1 blocks new orders, SIGUSR2 also cancels what works."""

from __future__ import annotations

import collections
import datetime as dt
import signal
import threading
from collections.abc import Callable
from typing import Any

from ares7.errors import Ares7Error, ConfigError
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel, HaltRecord

LEVELS = {signal.SIGUSR1: HaltLevel.BLOCK_NEW, signal.SIGUSR2: HaltLevel.CANCEL_WORKING}


class SignalSource:
    """Takes signals and writes them into the halt file, where ``status`` shows and ``resume`` lifts them.

    A file that cannot be written is no way round a signal: its level then stays in memory.

    Parameters
    ----------
    file : HaltFile
    now : callable
        UTC.
    """

    name = "signal"

    def __init__(self, file: HaltFile, now: Callable[[], dt.datetime]) -> None:
        self._file, self._now = file, now
        # A queue, because the next signal may come between any two steps of `read`.
        self._pending = collections.deque[HaltRecord]()
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Handle the signals from now on.

        Raises
        ------
        ConfigError
            Not in the main thread, which alone may do so.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ConfigError("signals can be handled in the main thread only; start the runner there")
        for number in LEVELS:
            self._before[number] = signal.signal(number, self._caught)

    def restore(self) -> None:
        """Give the signals back to whoever handled them before."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _caught(self, number: int, frame: Any) -> None:
        # Nothing but this: a handler may interrupt anything, the writing of the file too.
        name = signal.Signals(number)
        self._pending.append(HaltRecord(LEVELS[name], "signal", self._now(), f"{name.name} to the runner"))

    def read(self) -> HaltRecord | None:
        """Pass signals on to the file; return the highest one until that is done."""
        highest: HaltRecord | None = None
        while self._pending:
            record = self._pending[0]
            highest = record if highest is None or record.level > highest.level else highest
            try:
                self._file.trip(record.level, record.who, record.why)
            except Ares7Error:
                return max(self._pending, key=lambda kept: kept.level)
            self._pending.popleft()
        return highest
