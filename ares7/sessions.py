"""Exchange sessions. The only importer of exchange_calendars (0.4 s, so imported when called)."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Dates
from ares7.errors import ConfigError

MARGIN_DAYS = 40


@lru_cache(maxsize=8)
def _calendar(name: str, start: str, end: str) -> Any:
    import exchange_calendars

    try:
        # Without an explicit start the library only knows the last 20 years.
        return exchange_calendars.get_calendar(name, start=start, end=end)
    except (exchange_calendars.errors.CalendarError, ValueError) as error:
        raise ConfigError(
            f"data.calendar {name} gives no sessions from {start} to {end}: {error}; "
            "name a calendar of exchange_calendars, for example XNYS, or correct the dates"
        ) from None


def _spanning(first: np.datetime64, last: np.datetime64, calendar: str) -> Any:
    """Calendar of whole years, so that the questions of one process are answered by the same one."""
    margin = np.timedelta64(MARGIN_DAYS, "D")
    begin, end = (first - margin).astype("datetime64[Y]"), (last + margin).astype("datetime64[Y]")
    return _calendar(calendar, f"{begin}-01-01", f"{end}-12-31")


def sessions(first: np.datetime64, last: np.datetime64, calendar: str = "XNYS") -> Dates:
    """All sessions from ``first`` to ``last``, both inclusive.

    Parameters
    ----------
    first, last : datetime64[D]
        Calendar dates; they need not be sessions.
    calendar : str
        Name known to exchange_calendars.

    Returns
    -------
    (T,) datetime64[D]
    """
    first, last = first.astype("datetime64[D]"), last.astype("datetime64[D]")
    known = _spanning(first, last, calendar).sessions.to_numpy().astype("datetime64[D]")
    return np.ascontiguousarray(known[(known >= first) & (known <= last)])


def period_ends(dates: Dates, calendar: str = "XNYS") -> tuple[Bool1D, Bool1D]:
    """Mark the last sessions of months and of weeks, from the calendar and not from the next row.

    Parameters
    ----------
    dates : (T,) datetime64[D]
        Sessions.

    Returns
    -------
    month_end, week_end : (T,) bool
        Weeks end on Sunday, so a week's last session is Friday or an earlier one before a holiday.
    """
    if len(dates) == 0:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    after = dates[-1] + np.timedelta64(MARGIN_DAYS - 5, "D")
    known = sessions(dates[0], after, calendar)
    following = known[np.searchsorted(known, dates, side="right")]
    month = dates.astype("datetime64[M]") != following.astype("datetime64[M]")
    # datetime64[W] weeks start on Thursday (the epoch's weekday); shift so that they start on Monday.
    shift = np.timedelta64(3, "D")
    week = (dates + shift).astype("datetime64[W]") != (following + shift).astype("datetime64[W]")
    return month, week


def local_date(now: dt.datetime, calendar: str = "XNYS") -> np.datetime64:
    """Date at the exchange at a moment that carries its time zone."""
    day = np.datetime64(now.astimezone(dt.UTC).date(), "D")
    return np.datetime64(now.astimezone(_spanning(day, day, calendar).tz).date(), "D")


def latest_closed(now: dt.datetime, calendar: str = "XNYS") -> np.datetime64:
    """Latest session whose close, an early one included, lies before a moment that carries its time zone."""
    moment = now.astimezone(dt.UTC)
    day = np.datetime64(moment.date(), "D")
    known = _spanning(day, day, calendar)
    closed = [day for day, close in known.closes.items() if close < moment]
    return np.datetime64(closed[-1].date(), "D")


def session_open(day: np.datetime64, calendar: str = "XNYS") -> dt.datetime:
    """When a session opens, in UTC."""
    opened: dt.datetime = _spanning(day, day, calendar).session_open(str(day)).to_pydatetime()
    return opened


def next_session(day: np.datetime64, calendar: str = "XNYS") -> np.datetime64:
    """First session after a date."""
    later = np.timedelta64(1, "D"), np.timedelta64(MARGIN_DAYS - 10, "D")
    following: np.datetime64 = sessions(day + later[0], day + later[1], calendar)[0]
    return following


def session_before(day: np.datetime64, calendar: str = "XNYS") -> np.datetime64:
    """Last session before a date."""
    earlier = np.timedelta64(MARGIN_DAYS - 10, "D"), np.timedelta64(1, "D")
    preceding: np.datetime64 = sessions(day - earlier[0], day - earlier[1], calendar)[-1]
    return preceding


def is_session(day: np.datetime64, calendar: str = "XNYS") -> bool:
    """Whether the exchange opens on a date."""
    return len(sessions(day, day, calendar)) == 1


def hours(
    first: np.datetime64, last: np.datetime64, calendar: str = "XNYS"
) -> tuple[Dates, AnyArray, AnyArray]:
    """Opening and closing times of the sessions from ``first`` to ``last``, both inclusive.

    Returns
    -------
    dates : (T,) datetime64[D]
    opens, closes : (T,) datetime64[s]
        UTC; a half day closes early.
    """
    lo, hi = str(first - np.timedelta64(MARGIN_DAYS, "D")), str(last + np.timedelta64(MARGIN_DAYS, "D"))
    known = _calendar(calendar, lo, hi)
    dates = known.sessions.to_numpy().astype("datetime64[D]")
    inside = (dates >= first) & (dates <= last)
    times = [x.dt.tz_localize(None).to_numpy().astype("datetime64[s]") for x in (known.opens, known.closes)]
    return np.ascontiguousarray(dates[inside]), times[0][inside], times[1][inside]


def today() -> np.datetime64:
    """Today's date in UTC; used only to refuse data from the future."""
    return np.datetime64(dt.datetime.now(dt.UTC).date(), "D")
