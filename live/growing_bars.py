"""Which bar of a growing series is finished (live_ib 1.6, the partial bar trap)."""

from __future__ import annotations

import datetime as dt

from live.client.messages import Bar


class GrowingBars:
    """Holds the running bar of one subscription until it is over.

    The gateway repeats a bar while it grows. It is finished when a later one begins, or when its time is over and no
    change has come.

    Parameters
    ----------
    length : timedelta
        Of a bar.
    grace : timedelta
        After its end; the last change may still be on its way.
    """

    def __init__(self, length: dt.timedelta, grace: dt.timedelta) -> None:
        self._length, self._grace = length, grace
        self._running: Bar | None = None
        self._done: dt.datetime | None = None

    def offer(self, bar: Bar) -> list[Bar]:
        """Take a bar; returns what it finished. One that was finished before is ignored."""
        if bar.start is None or (self._done is not None and bar.start <= self._done):
            return []
        before, finished = self._running, list[Bar]()
        if before is not None and before.start is not None:
            if bar.start < before.start:
                return []
            if bar.start > before.start:
                finished = self._finish(before)
        self._running = bar
        return finished

    def expire(self, now: dt.datetime) -> list[Bar]:
        """The running bar, if its time is over."""
        running = self._running
        if running is None or running.start is None or now < running.start + self._length + self._grace:
            return []
        self._running = None
        return self._finish(running)

    def _finish(self, bar: Bar) -> list[Bar]:
        self._done = bar.start
        return [bar]
