"""The virtual clock: stepped by a test or run at a multiple of real time, with the exchange's sessions on it."""

from __future__ import annotations

import bisect
import datetime as dt
import heapq
import itertools
from collections.abc import Callable
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from ares7.errors import ConfigError
from ares7.sessions import hours

ZONE = "US/Eastern"
"""Name that the gateway gives to New York time."""
NEW_YORK = ZoneInfo("America/New_York")
AHEAD_DAYS = 800
"""Sessions are known for so long after the last price."""


class Session(NamedTuple):
    """One exchange session; times in seconds since 1970, UTC."""

    date: dt.date
    opens: float
    closes: float


class Timer:
    """Something that is due at a virtual time. ``cancel`` takes it off."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[], None] | None) -> None:
        self.at, self.call = at, call

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.call = None


class Calendar:
    """Exchange sessions of a period.

    Parameters
    ----------
    first, last : date
        Both inclusive; they need not be sessions.
    name : str
        A calendar of exchange_calendars.
    """

    def __init__(self, first: dt.date, last: dt.date, name: str = "XNYS") -> None:
        dates, opens, closes = hours(np.datetime64(first, "D"), np.datetime64(last, "D"), name)
        rows = zip(dates.tolist(), opens.astype(np.int64), closes.astype(np.int64), strict=True)
        self.sessions = [Session(date, float(start), float(end)) for date, start, end in rows]
        if not self.sessions:
            raise ConfigError(f"calendar {name} has no session from {first} to {last}; choose other dates")
        self._closes = [session.closes for session in self.sessions]
        self._by_date = {session.date: session for session in self.sessions}

    def on(self, date: dt.date) -> Session | None:
        """The session of a date, or None on a holiday."""
        return self._by_date.get(date)

    def current(self, now: float) -> Session | None:
        """The session that is open; it is open at its opening second and no longer at its closing one."""
        session = self.coming(now)
        return session if session.opens <= now else None

    def coming(self, now: float) -> Session:
        """The session that is open, or else the next one.

        Raises
        ------
        ConfigError
            ``now`` lies after the last known session.
        """
        at = bisect.bisect_right(self._closes, now)
        if at == len(self.sessions):
            raise ConfigError(f"the gateway's calendar ends {self.sessions[-1].date}; start it earlier")
        return self.sessions[at]

    def after(self, session: Session) -> Session:
        """The session that follows."""
        return self.coming(session.closes)


class Clock:
    """Virtual time and what is due on it.

    Parameters
    ----------
    now : float
        Seconds since 1970, UTC.

    Attributes
    ----------
    skew : float
        Seconds that a client is told too much when it asks for the time.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.skew = 0.0
        self._due: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Run ``call`` when the clock reaches ``when``; what is due already runs at the next advance."""
        timer = Timer(when, call)
        heapq.heappush(self._due, (when, next(self._count), timer))
        return timer

    @property
    def next_due(self) -> float | None:
        """When the next timer is due."""
        while self._due and self._due[0][2].call is None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def advance(self, to: float) -> None:
        """Go forward to ``to``, inclusive, stopping at every timer on the way."""
        while (due := self.next_due) is not None and due <= to:
            timer = heapq.heappop(self._due)[2]
            call, timer.call = timer.call, None
            self.now = max(self.now, due)
            if call is not None:
                call()
        self.now = max(self.now, to)


def moment(text: str) -> float:
    """Seconds since 1970 of ``2024-01-03 09:30[:ss]`` in New York, or of an ISO time with its own zone.

    Raises
    ------
    ConfigError
    """
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no time; write it as 2024-01-03 09:30, New York time") from None
    return (when if when.tzinfo else when.replace(tzinfo=NEW_YORK)).timestamp()


def local(now: float) -> dt.datetime:
    """New York time of seconds since 1970."""
    return dt.datetime.fromtimestamp(now, NEW_YORK)


def stamp(now: float, *, named: bool, zone: str = ZONE) -> str:
    """How the gateway writes a time: ``20240103 09:30:00 US/Eastern``, or unnamed with two blanks (up to 173)."""
    when = dt.datetime.fromtimestamp(now, ZoneInfo(zone))
    return f"{when:%Y%m%d %H:%M:%S} {zone}" if named else f"{when:%Y%m%d  %H:%M:%S}"
