"""Which session a job acts on: the one whose close its numbers use, and the next, on whose open they trade."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from ares7 import sessions
from ares7.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Acting:
    """Exchange sessions of one job.

    Attributes
    ----------
    as_of : datetime64[D]
        Session whose close the numbers use; every file is named after it.
    effective : datetime64[D]
        The next session, on whose open they trade.
    today : datetime64[D]
        Date at the exchange when the job was started; what is dated later is from the future.
    """

    as_of: np.datetime64
    effective: np.datetime64
    today: np.datetime64

    @property
    def stamp(self) -> str:
        """``YYYYMMDD`` of the session."""
        return str(self.as_of).replace("-", "")


@dataclass(frozen=True, slots=True)
class NoSession:
    """A date on which there is nothing to do.

    Attributes
    ----------
    day, before : datetime64[D]
        The date, and the last session before it.
    """

    day: np.datetime64
    before: np.datetime64


def parse_day(text: str) -> np.datetime64:
    """Read the value of ``--date``.

    Raises
    ------
    ConfigError
    """
    try:
        return np.datetime64(dt.date.fromisoformat(text), "D")
    except ValueError:
        raise ConfigError(f"--date {text!r} is no date; write YYYY-MM-DD") from None


def acting(day: np.datetime64 | None, now: dt.datetime, calendar: str) -> Acting | NoSession:
    """Session of a daily job.

    Parameters
    ----------
    day : datetime64[D] or None
        ``--date``; None means the latest session whose close lies before ``now``.
    now : datetime
        With its time zone; the machine's zone does not matter.
    calendar : str

    Returns
    -------
    Acting or NoSession
        No session where the day, or the date at the exchange, is none.

    Raises
    ------
    ConfigError
        The session has not closed yet.
    """
    today = sessions.local_date(now, calendar)
    asked = today if day is None else day
    if not sessions.is_session(asked, calendar):
        return NoSession(asked, sessions.session_before(asked, calendar))
    closed = sessions.latest_closed(now, calendar)
    as_of = closed if day is None else day
    if as_of > closed:
        raise ConfigError(
            f"session {as_of} of {calendar} has not closed yet; the latest that has is {closed}; use --date {closed}"
        )
    return Acting(as_of, sessions.next_session(as_of, calendar), today)


def acting_step(day: np.datetime64 | None, now: dt.datetime, calendar: str) -> Acting:
    """Session of a single step: the latest closed one without ``--date``, on any day.

    Raises
    ------
    ConfigError
        ``--date`` is no session, or one that has not closed yet.
    """
    found = acting(sessions.latest_closed(now, calendar) if day is None else day, now, calendar)
    if isinstance(found, NoSession):
        raise ConfigError(
            f"{found.day} is no session of {calendar}; the session before is {found.before}; "
            f"use --date {found.before}"
        )
    return found
