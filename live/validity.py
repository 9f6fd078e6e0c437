"""How long an order is valid: Backtrader's ``valid`` as a time in force that is always explicit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from ares7.errors import ConfigError
from live.trading_clock import Calendar

LAST_SECOND = dt.time(23, 59, 59)
GOOD_TILL = "%Y%m%d-%H:%M:%S"
"""UTC, as IB reads it."""


@dataclass(frozen=True, slots=True)
class TradingDay:
    """When an order is sent.

    Attributes
    ----------
    now : datetime
        UTC.
    calendar : Calendar
    auction : bool
        A market order waits for the next opening auction: the exchange is closed, and its cut-off has not passed.
    """

    now: dt.datetime
    calendar: Calendar
    auction: bool


def trading_day(now: dt.datetime, calendar: Calendar, cutoff: dt.timedelta) -> TradingDay:
    """Say whether a market order of now belongs into the opening auction.

    Parameters
    ----------
    now : datetime
    calendar : Calendar
    cutoff : timedelta
        Before the open; orders for the auction are refused from then on, and a plain market order waits for the open.
    """
    return TradingDay(now, calendar, now < calendar.coming(now).opens - cutoff)


def time_in_force(order: Any, order_type: str, day: TradingDay, *, daily: bool) -> tuple[str, str]:
    """Time in force and, for GTD, the end of the validity.

    ``valid`` None is GTC; ``bt.Order.DAY`` or 0 is DAY; a date, a time or a duration is GTD. With daily bars a validity
    counts in sessions as in a backtest: the last one whose bar is not later.

    Parameters
    ----------
    order : IBOrder
    order_type : str
    day : TradingDay
    daily : bool

    Raises
    ------
    ConfigError
        The validity ends before the order could trade.
    """
    given = order.info.get("tif")
    if given:
        return str(given), str(order.info.get("good_till", ""))
    if order_type == "MKT":
        return ("OPG" if day.auction else "DAY"), ""
    if order_type in ("MOC", "LOC"):
        return "DAY", ""
    asked = order.p.valid
    if asked is None:
        return "GTC", ""
    if asked == bt.Order.DAY or asked == 0:
        return "DAY", ""
    until = bt.num2date(order.valid)
    end = _last_session(until, day) if daily else None
    if end is None:
        end = until.replace(tzinfo=dt.UTC)
        if end <= max(day.now, day.calendar.coming(day.now).opens):
            raise ConfigError(
                f"an order valid until {until:%Y-%m-%d %H:%M} UTC ends before the next session; use valid=None (until "
                "cancelled), bt.Order.DAY, or a later date"
            )
    return "GTD", end.strftime(GOOD_TILL)


def _last_session(until: dt.datetime, day: TradingDay) -> dt.datetime | None:
    """Close of the last session whose daily bar carries a time up to ``until``."""
    covered = [
        session.closes
        for session in day.calendar.sessions
        if session.closes > day.now and dt.datetime.combine(session.date, LAST_SECOND) <= until
    ]
    return covered[-1] if covered else None
