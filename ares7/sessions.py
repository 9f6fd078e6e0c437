"""Exchange sessions. The only importer of exchange_calendars (0.4 s, so imported when called)."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

import numpy as np

from ares7.arrays import Bool1D, Dates
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
    lo, hi = str(first - np.timedelta64(MARGIN_DAYS, "D")), str(last + np.timedelta64(MARGIN_DAYS, "D"))
    known = _calendar(calendar, lo, hi).sessions.to_numpy().astype("datetime64[D]")
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


def today() -> np.datetime64:
    """Today's date in UTC; used only to refuse data from the future."""
    return np.datetime64(dt.datetime.now(dt.UTC).date(), "D")
