"""Bars as the gateway serves them: history, the unfinished bar, five-second bars."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
from dataclasses import dataclass

import numpy as np

from live.double.clock import NEW_YORK, Session, local, stamp
from live.double.codec import text
from live.double.market import Listing, Market
from live.double.orders import Refused

DAY = 86_400
SIZES = {
    "1 secs": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30, "1 min": 60, "2 mins": 120, "3 mins": 180,
    "5 mins": 300, "10 mins": 600, "15 mins": 900, "20 mins": 1200, "30 mins": 1800, "1 hour": 3600,
    "2 hours": 7200, "3 hours": 10800, "4 hours": 14400, "1 day": DAY,
}  # fmt: skip
WHAT = ("TRADES", "ADJUSTED_LAST", "MIDPRICE", "BID", "ASK")
Row = tuple[str, float, float, float, float, float]
"""Date, open, high, low, close, volume."""


@dataclass(frozen=True, slots=True)
class BarRequest:
    """A checked request for bars.

    Attributes
    ----------
    end : float
        Seconds since 1970; no bar begins at or after it.
    count : int
        Days to go back for daily bars, or seconds for shorter ones.
    unit : str
        Of ``count``: ``D`` sessions, ``C`` calendar days, ``S`` seconds.
    seconds : int
        Length of a bar.
    epoch : bool
        Write times of intraday bars as seconds since 1970.
    adjusted_to_now : bool
        ADJUSTED_LAST ends at the traded price.
    """

    request: int
    listing: Listing
    end: float
    count: int
    unit: str
    seconds: int
    what: str
    epoch: bool
    version: int
    adjusted_to_now: bool


def duration(words: str) -> tuple[int, str]:
    """Count and unit of ``600 D``, ``3 Y``, ``1800 S``.

    Raises
    ------
    Refused
        321.
    """
    number, _, unit = words.strip().upper().partition(" ")
    if not number.isdigit() or unit not in ("S", "D", "W", "M", "Y") or int(number) < 1:
        raise Refused(321, "Error validating request.-'bK' : cause - Incorrect duration")
    count = int(number)
    if unit == "S" and count > DAY:
        raise Refused(
            321,
            "Error validating request.-'bK' : cause - Historical data requests for durations longer than 86400 "
            "seconds must be made in days",
        )
    if unit == "D" and count > 365:
        raise Refused(
            321,
            "Error validating request.-'bK' : cause - Historical data requests for durations longer than 365 days "
            "must be made in years.",
        )
    days = {"W": 7, "M": 31, "Y": 366}
    return (count * days[unit], "C") if unit in days else (count, unit)


def end_time(words: str, now: float) -> float:
    """Seconds since 1970 of a request's end; empty is now.

    Raises
    ------
    Refused
        321.
    """
    if not words:
        return now
    parts = words.replace("  ", " ").split(" ")
    try:
        if len(parts) == 1 and "-" in words:
            return dt.datetime.strptime(words, "%Y%m%d-%H:%M:%S").replace(tzinfo=dt.UTC).timestamp()
        zone = NEW_YORK
        if len(parts) > 2 and parts[2] in ("UTC", "GMT"):
            zone = dt.UTC  # type: ignore[assignment]
        pattern = "%Y%m%d %H:%M:%S" if len(parts) > 1 else "%Y%m%d"
        when = dt.datetime.strptime(" ".join(parts[:2]), pattern).replace(tzinfo=zone)
    except ValueError:
        raise Refused(321, f"Error validating request.-'bK' : cause - Invalid end date {words!r}") from None
    # A date alone means the end of that day.
    return when.timestamp() if len(parts) > 1 else when.timestamp() + DAY


def daily_rows(market: Market, asked: BarRequest) -> list[Row]:
    """Daily bars up to the request's end; today's is there from the open on, unfinished until its close."""
    last = min(asked.end, market.clock.now)
    today = local(last).date()
    session = market.calendar.on(today)
    begun = session is not None and last > session.opens
    stop = bisect.bisect_right(market.days, today) if begun else bisect.bisect_left(market.days, today)
    first = (
        0 if asked.unit == "D" else bisect.bisect_left(market.days, today - dt.timedelta(days=asked.count))
    )
    known = first + np.flatnonzero(np.isfinite(market.history.close[asked.listing.column, first:stop]))
    rows = _finished(market, asked, known[-asked.count :] if asked.unit == "D" else known)
    unfinished = session is not None and session.opens < last < market.closes_at(asked.listing, session)
    if session is not None and unfinished and rows and rows[-1][0] == f"{today:%Y%m%d}":
        rows[-1] = (rows[-1][0], *market.partial_bar(asked.listing, today, session.opens, last))
    return rows


def _finished(market: Market, asked: BarRequest, known: np.ndarray) -> list[Row]:
    h, c = market.history, asked.listing.column
    by = np.full(len(known), market.split[c])
    if asked.what == "ADJUSTED_LAST" and len(known):
        ratio = h.ratio[c, known]
        by = by / (ratio / ratio[-1] if asked.adjusted_to_now else ratio)
    columns = [(x[c, known] / by).tolist() for x in (h.open, h.high, h.low, h.close)]
    volume = np.round(h.volume[c, known] * market.split[c]).tolist()
    dates = [market.day_text[row] for row in known.tolist()]
    return list(zip(dates, *columns, volume, strict=True))


def intraday_rows(market: Market, asked: BarRequest) -> list[Row]:
    """Bars within sessions, the running one included."""
    last = min(asked.end, market.clock.now)
    sessions = [session for session in market.calendar.sessions if session.opens < last]
    if asked.unit == "D":
        # Days of this unit are sessions, the running one included.
        sessions, first = sessions[-asked.count :], 0.0
    else:
        first = last - asked.count * (1 if asked.unit == "S" else DAY)
    rows: list[Row] = []
    for session in sessions:
        if session.closes > first and market.has_bar(asked.listing, session.date):
            rows += _within(market, asked, session, max(first, session.opens), last)
    return rows


def _within(market: Market, asked: BarRequest, session: Session, first: float, last: float) -> list[Row]:
    step, rows = asked.seconds, []
    start = session.opens + math.floor((first - session.opens) / step) * step
    while start < min(session.closes, last):
        stop = min(start + step, session.closes, last)
        when = str(int(start)) if asked.epoch else stamp(start, named=asked.version > 173)
        rows.append((when, *market.partial_bar(asked.listing, session.date, start, stop)))
        start += step
    return rows


def history(market: Market, asked: BarRequest) -> list[str]:
    """The answer to a request for history.

    Raises
    ------
    Refused
        162 when there is no bar.
    """
    rows = daily_rows(market, asked) if asked.seconds == DAY else intraday_rows(market, asked)
    if not rows:
        raise Refused(
            162,
            "Historical Market Data Service error message:HMDS query returned no data: "
            + asked.listing.symbol,
        )
    side = _side(market, asked.what)
    when, *prices, volume = zip(*rows, strict=True)
    if side:
        prices = [tuple(round(price + side, 4) for price in column) for column in prices]
    opened, high, low, close = (list(map(repr, column)) for column in prices)
    # The official client at version 157 needs an integer volume.
    shares = [int(number) for number in volume]
    texts = (
        when,
        opened,
        high,
        low,
        close,
        map(str, shares),
        close,
        (str(number // 100) for number in shares),
    )
    head = ["17", str(asked.request), _edge(rows[0][0]), _edge(rows[-1][0]), str(len(rows))]
    return [*head, *itertools.chain.from_iterable(zip(*texts, strict=True))]


def _edge(when: str) -> str:
    return when if len(when) > 8 else f"{when}  00:00:00"


def _side(market: Market, what: str) -> float:
    return {"BID": -market.spread, "ASK": market.spread}.get(what, 0.0)


def update(market: Market, asked: BarRequest) -> list[str] | None:
    """The bar that is running now, or has just ended; None while the name does not trade."""
    now = market.clock.now
    today = local(now).date()
    session = market.calendar.on(today)
    if session is None or now <= session.opens or not market.has_bar(asked.listing, today):
        return None
    if asked.seconds == DAY:
        if now >= market.closes_at(asked.listing, session):
            bar = market.bar(asked.listing, today)
        else:
            bar = market.partial_bar(asked.listing, today, session.opens, now)
        when = f"{today:%Y%m%d}"
    else:
        start = session.opens + math.floor((now - 1e-3 - session.opens) / asked.seconds) * asked.seconds
        bar = market.partial_bar(asked.listing, today, start, now)
        when = str(int(start)) if asked.epoch else stamp(start, named=asked.version > 173)
    if bar is None:
        return None
    opened, high, low, close, volume = bar
    return [
        "90", str(asked.request), str(int(volume) // 100), when, repr(opened), repr(close), repr(high), repr(low),
        repr(close), str(int(volume)),
    ]  # fmt: skip


def real_time_bar(
    market: Market, request: int, listing: Listing, what: str, session: Session, start: float
) -> list[str]:
    """One five-second bar."""
    opened, high, low, close, volume = market.partial_bar(listing, session.date, start, start + 5.0)
    side = _side(market, what)
    prices = [text(round(x + side, 4) if side else x) for x in (opened, high, low, close)]
    shares = str(int(volume))
    return ["50", "3", str(request), str(int(start)), *prices, shares, prices[3], str(int(volume) // 100)]
