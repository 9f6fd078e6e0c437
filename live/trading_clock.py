"""What time it is for trading, and which session comes next. Exchange calendar, never a fixed hour."""

from __future__ import annotations

import bisect
import datetime as dt
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ares7.errors import ServiceUnavailable
from ares7.sessions import hours

AHEAD_DAYS, BEHIND_DAYS = 400, 30
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


class Hours(NamedTuple):
    """One exchange session, UTC."""

    date: dt.date
    opens: dt.datetime
    closes: dt.datetime


class GatewayClock:
    """The gateway's own clock (rulings 31): for a double whose days last seconds.

    Parameters
    ----------
    ask : callable
        Gives the gateway's time.
    every_s : float
        It is asked at most so often, in real seconds.
    """

    def __init__(self, ask: Callable[[], dt.datetime], every_s: float = 0.02) -> None:
        self._ask, self._every = ask, every_s
        self._asked = -1e9
        self._time = NEVER

    def __call__(self) -> dt.datetime:
        """Time by the gateway, UTC; never earlier than told before, and the latest told while nobody answers.

        Raises
        ------
        ServiceUnavailable
            It was never told.
        """
        if time.monotonic() - self._asked >= self._every:
            try:
                self._time = max(self._time, self._ask())
            except ServiceUnavailable:
                if self._time == NEVER:
                    raise
            self._asked = time.monotonic()
        return self._time


class Calendar:
    """Exchange sessions around a moment.

    Parameters
    ----------
    now : datetime
        Aware.
    name : str
        A calendar of exchange_calendars.
    """

    def __init__(self, now: dt.datetime, name: str = "XNYS") -> None:
        day = np.datetime64(now.date(), "D")
        first, last = day - np.timedelta64(BEHIND_DAYS, "D"), day + np.timedelta64(AHEAD_DAYS, "D")
        dates, opens, closes = hours(first, last, name)
        self._until = now + dt.timedelta(days=AHEAD_DAYS - BEHIND_DAYS)
        self._name = name
        rows = zip(dates.tolist(), opens.tolist(), closes.tolist(), strict=True)
        self.sessions = [Hours(date, _utc(start), _utc(end)) for date, start, end in rows]
        self._closes = [session.closes for session in self.sessions]

    def renewed(self, now: dt.datetime) -> Calendar:
        """Return the same calendar, or one further on once its end comes near."""
        return self if now < self._until else Calendar(now, self._name)

    def finished(self, now: dt.datetime) -> Hours:
        """Return the latest session that has closed."""
        return self.sessions[bisect.bisect_right(self._closes, now) - 1]

    def coming(self, now: dt.datetime) -> Hours:
        """Return the session that is open, or the next one."""
        return self.sessions[bisect.bisect_right(self._closes, now)]

    def after(self, date: dt.date) -> Hours:
        """Return the session after a date."""
        return next(session for session in self.sessions if session.date > date)

    def is_open(self, now: dt.datetime) -> bool:
        """Regular trading goes on."""
        return self.coming(now).opens <= now


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)
