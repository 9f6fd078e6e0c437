"""Which session comes next, and from when on its bars are final. Exchange calendar, never a fixed hour."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ares7.arrays import AnyArray, Dates
from ares7.sessions import hours

AHEAD = dt.timedelta(days=400)
MARGIN = dt.timedelta(days=40)


class ExchangeDays:
    """Sessions from somewhere in the past to a year ahead.

    Parameters
    ----------
    first : date
        Sessions from a month before it are known.
    now : datetime
        Aware.
    name : str
        A calendar of exchange_calendars.
    delay : timedelta
        From a close until the bars of the session are final.
    """

    def __init__(self, first: dt.date, now: dt.datetime, name: str, delay: dt.timedelta) -> None:
        self._first, self._name, self._delay = first, name, delay
        self._load(max(now.date(), first))

    def _load(self, day: dt.date) -> None:
        first, last = self._first - MARGIN, day + AHEAD
        self.dates: Dates
        self.dates, self._opens, self._closes = hours(
            np.datetime64(first, "D"), np.datetime64(last, "D"), self._name
        )
        self._until = last - MARGIN

    def _row(self, session: dt.date) -> int:
        if session > self._until:
            self._load(session)
        return int(np.searchsorted(self.dates, np.datetime64(session, "D")))

    def on_or_after(self, day: dt.date) -> dt.date:
        """Return the first session from a date on."""
        return _date(self.dates[self._row(day)])

    def after(self, session: dt.date) -> dt.date:
        """Return the session after another."""
        return self.on_or_after(session + dt.timedelta(days=1))

    def before(self, session: dt.date) -> dt.date:
        """Return the session before another."""
        return _date(self.dates[self._row(session) - 1])

    def opens(self, session: dt.date) -> dt.datetime:
        """When a session opens, UTC."""
        return _utc(self._opens[self._row(session)])

    def closes(self, session: dt.date) -> dt.datetime:
        """When a session closes, an early close included, UTC."""
        return _utc(self._closes[self._row(session)])

    def settled(self, session: dt.date) -> dt.datetime:
        """From when on the bars of a session are final, UTC."""
        return self.closes(session) + self._delay

    def passed(self, day: dt.date, session: dt.date) -> int:
        """How many sessions lie after a date, up to a session."""
        return self._row(session) - int(np.searchsorted(self.dates, np.datetime64(day, "D")))

    def window(self, session: dt.date, rows: int) -> Dates:
        """(rows,) datetime64[D]: the sessions that end with this one; fewer where the calendar begins later."""
        row = self._row(session)
        return self.dates[max(0, row - rows + 1) : row + 1]


def _date(day: AnyArray) -> dt.date:
    found: dt.date = day.astype("datetime64[D]").item()
    return found


def _utc(moment: AnyArray) -> dt.datetime:
    found: dt.datetime = moment.astype("datetime64[s]").item()
    return found.replace(tzinfo=dt.UTC)
