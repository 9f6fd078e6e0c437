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
    closing_over : bool
        The session is open, and its closing auction takes no further order.
    """

    now: dt.datetime
    calendar: Calendar
    auction: bool
    closing_over: bool = False


def trading_day(
    now: dt.datetime,
    calendar: Calendar,
    cutoff: dt.timedelta,
    closing_cutoff: dt.timedelta = dt.timedelta(0),
) -> TradingDay:
    """Say which auctions an order of now may still be for.

    Parameters
    ----------
    now : datetime
    calendar : Calendar
    cutoff : timedelta
        Before the open; orders for the auction are refused from then on, and a plain market order waits for the open.
    closing_cutoff : timedelta
        Before the close, half days included.
    """
    session = calendar.coming(now)
    over = session.opens <= now and now >= session.closes - closing_cutoff
    return TradingDay(now, calendar, now < session.opens - cutoff, over)


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
        The validity ends before the order could trade, or the auction that it is for takes no further orders.
    """
    given = order.info.get("tif")
    if given:
        return str(given), str(order.info.get("good_till", ""))
    if order_type == "MKT":
        return ("OPG" if day.auction else "DAY"), ""
    if order_type in ("MOC", "LOC"):
        if day.closing_over:
            close = day.calendar.coming(day.now).closes
            raise ConfigError(
                f"the closing auction of {close:%Y-%m-%d %H:%M} UTC takes no further orders (closing_cutoff_s); decide "
                "earlier, or trade at the next open"
            )
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
