"""Prices at the virtual time: contracts, quotes, and the path of the price within a session."""

from __future__ import annotations

import bisect
import datetime as dt
import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from ares7.errors import ConfigError, MissingData
from live.double.clock import Calendar, Clock, Session, local
from live.double.history import History, path_knots

TICK = 0.01
US_EXCHANGES = {"NYSE", "NASDAQ", "ARCA", "AMEX", "BATS", "ISLAND", "IEX"}
SETTLES_LATER = {"VIX": 15 * 60.0}
"""Seconds after the close at which an index is final."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A contract as the gateway knows it.

    Attributes
    ----------
    column : int
        Row of the history that prices it; -1 for a listing without prices.
    """

    con_id: int
    symbol: str
    kind: str
    exchange: str
    currency: str
    column: int
    trading_class: str
    name: str

    @property
    def fields(self) -> dict[str, object]:
        """Values of the contract's fields in messages."""
        return {
            "conId": self.con_id,
            "symbol": self.symbol,
            "secType": self.kind,
            "exchange": self.exchange if self.kind == "IND" else "SMART",
            "primaryExchange": self.exchange,
            "currency": self.currency,
            "localSymbol": self.symbol,
            "tradingClass": self.trading_class,
        }


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices at a moment; ``last`` is None before a name's first trade. NaN-free."""

    bid: float | None
    ask: float | None
    last: float | None
    close: float | None
    """Close of the session before."""
    open: float | None
    high: float | None
    low: float | None
    volume: int


def con_id(symbol: str, kind: str, currency: str) -> int:
    """Contract number of a symbol: the same in every run and with any other symbols beside it."""
    digest = hashlib.blake2b(f"{symbol}/{kind}/{currency}".encode(), digest_size=5).digest()
    return 10_000_000 + int.from_bytes(digest) % 800_000_000


class Market:
    """What is traded and at which price.

    Parameters
    ----------
    history : History
    calendar : Calendar
    clock : Clock
    spread_ticks : int
        From the last price to the bid and to the ask; 0 makes all three equal.

    Attributes
    ----------
    halted : set of int
        Columns that do not trade now.
    days : list of T date
    day_text : list of T str
        Sessions of the history, and as the gateway writes them.
    split : (N,) float64
        Divisor of all prices of a name since a split that the test made.
    """

    def __init__(self, history: History, calendar: Calendar, clock: Clock, spread_ticks: int = 1) -> None:
        self.history, self.calendar, self.clock = history, calendar, clock
        self.spread = spread_ticks * TICK
        self.halted: set[int] = set()
        self.split = np.ones(len(history.symbols))
        self.days: list[dt.date] = history.dates.astype("datetime64[D]").tolist()
        self.day_text = [f"{day:%Y%m%d}" for day in self.days]
        self._row = {date: i for i, date in enumerate(self.days)}
        self.listings = [_listing(history, i) for i in range(len(history.symbols))]
        self._by_id = {listing.con_id: listing for listing in self.listings}
        self._by_symbol: dict[str, list[Listing]] = {}
        for listing in self.listings:
            self._by_symbol.setdefault(listing.symbol, []).append(listing)
        self._priced_at, self._prices = math.nan, dict[int, float | None]()
        self._knots: dict[tuple[int, int], tuple[list[float], list[float]]] = {}

    def add_listing(self, symbol: str, *, currency: str = "USD", exchange: str = "MEXI") -> Listing:
        """List the symbol once more, without prices, so that it is ambiguous or in another currency."""
        twin = Listing(
            con_id(symbol, "STK", currency + exchange), symbol, "STK", exchange, currency, -1, symbol, symbol
        )
        self.listings.append(twin)
        self._by_id[twin.con_id] = twin
        self._by_symbol.setdefault(symbol, []).append(twin)
        return twin

    def find(self, wanted: dict[str, str]) -> list[Listing]:
        """Listings that a client's contract may mean; an empty field means any."""
        number = int(wanted.get("conId") or 0)
        if number:
            found = self._by_id.get(number)
            return [found] if found is not None else []
        symbol = wanted.get("symbol") or wanted.get("localSymbol", "")
        return [listing for listing in self._by_symbol.get(symbol, []) if _matches(listing, wanted)]

    def named(self, symbol: str) -> Listing:
        """The priced listing of a symbol, in the spelling of the data or of the exchange."""
        for listing in self._by_symbol.get(symbol.replace("-", " "), []):
            if listing.column >= 0:
                return listing
        raise ConfigError(
            f"the gateway's market has no {symbol!r}; name one of its {len(self._by_symbol)} symbols"
        )

    def row(self, date: dt.date) -> int | None:
        """Column of the history's arrays for a session."""
        return self._row.get(date)

    def closes_at(self, listing: Listing, session: Session) -> float:
        """When the day's value is final."""
        return session.closes + SETTLES_LATER.get(listing.symbol, 0.0)

    def has_bar(self, listing: Listing, date: dt.date) -> bool:
        """Whether the name trades in that session."""
        row = self.row(date)
        known = listing.column >= 0 and row is not None
        return known and math.isfinite(self.history.close[listing.column, row])

    def bar(self, listing: Listing, date: dt.date) -> tuple[float, float, float, float, float] | None:
        """Open, high, low, close, volume of a whole session."""
        if not self.has_bar(listing, date):
            return None
        h, c, t = self.history, listing.column, self._row[date]
        by = self.split[c]
        prices = [float(x[c, t] / by) for x in (h.open, h.high, h.low, h.close)]
        return prices[0], prices[1], prices[2], prices[3], float(h.volume[c, t] * by)

    def knots(self, listing: Listing, date: dt.date) -> tuple[list[float], list[float]]:
        """Times (seconds since 1970) and prices of the session's path."""
        key = listing.con_id, self._row[date]
        if key not in self._knots:
            whole, session = self.bar(listing, date), self.calendar.on(date)
            if whole is None or session is None:
                raise MissingData(
                    f"{listing.symbol} has no bar on {date}, or {date} is no session; check the data"
                )
            times, prices = path_knots(*whole[:4])
            span = self.closes_at(listing, session) - session.opens
            self._knots[key] = (session.opens + times * span).tolist(), prices.tolist()
        return self._knots[key]

    def price_at(self, listing: Listing, date: dt.date, when: float) -> float:
        """Price within a session: exact at its open and close, rounded to cents between."""
        times, prices = self.knots(listing, date)
        if when <= times[0]:
            return prices[0]
        for i in range(1, len(times)):
            if when < times[i]:
                part = (when - times[i - 1]) / (times[i] - times[i - 1])
                return round(prices[i - 1] + part * (prices[i] - prices[i - 1]), 2)
            if when == times[i]:
                return prices[i]
        return prices[-1]

    def partial_bar(
        self, listing: Listing, date: dt.date, start: float, stop: float
    ) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume of the path between two times of a session."""
        times, prices = self.knots(listing, date)
        inner = [p for t, p in zip(times, prices, strict=True) if start < t < stop]
        first, last = self.price_at(listing, date, start), self.price_at(listing, date, stop)
        every = [first, *inner, last]
        span = times[-1] - times[0]
        share = max(0.0, min(stop, times[-1]) - max(start, times[0])) / span
        whole = self.bar(listing, date)
        volume = whole[4] * share if whole else 0.0
        return first, max(every), min(every), last, float(round(volume))

    def trading(self, listing: Listing) -> Session | None:
        """The session in which the name can be traded now."""
        session = self.calendar.current(self.clock.now)
        if session is None or listing.kind == "IND" or listing.column in self.halted:
            return None
        return session if self.has_bar(listing, session.date) else None

    def last_close(self, listing: Listing, before: dt.date) -> float | None:
        """Latest close of a session earlier than a date."""
        if listing.column < 0:
            return None
        stop = bisect.bisect_left(self.days, before)
        closes = self.history.close[listing.column, :stop]
        known = np.flatnonzero(np.isfinite(closes[-20:]))
        if len(known) == 0:
            known, closes = np.flatnonzero(np.isfinite(closes)), closes
            return float(closes[known[-1]] / self.split[listing.column]) if len(known) else None
        return float(closes[-20:][known[-1]] / self.split[listing.column])

    def last(self, listing: Listing) -> float | None:
        """Last traded price now."""
        now = self.clock.now
        if now != self._priced_at:
            self._priced_at, self._prices = now, {}
        if listing.con_id not in self._prices:
            self._prices[listing.con_id] = self._last(listing, now)
        return self._prices[listing.con_id]

    def _last(self, listing: Listing, now: float) -> float | None:
        today = local(now).date()
        session = self.calendar.on(today)
        if session is not None and now >= session.opens and self.has_bar(listing, today):
            return self.price_at(listing, today, now)
        return self.last_close(listing, today)

    def quote(self, listing: Listing) -> Quote:
        """Prices now. Without trading there is no bid and no ask."""
        now = self.clock.now
        today = local(now).date()
        last, close = self.last(listing), self.last_close(listing, today)
        session = self.calendar.on(today)
        if session is None or now < session.opens or not self.has_bar(listing, today):
            return Quote(None, None, last, close, None, None, None, 0)
        opened, high, low, _, volume = self.partial_bar(listing, today, session.opens, now)
        quote = Quote(None, None, last, close, opened, high, low, int(volume))
        if last is None or self.trading(listing) is None:
            return quote
        if self.spread == 0.0:
            return replace(quote, bid=last, ask=last)
        return replace(quote, bid=max(TICK, round(last - self.spread, 4)), ask=round(last + self.spread, 4))

    def first_reach(self, listing: Listing, date: dt.date, price: float, *, falling: bool) -> float | None:
        """First second from now at which the session's path is at ``price`` or beyond it."""
        times, prices = self.knots(listing, date)
        sign = 1.0 if falling else -1.0
        start = max(self.clock.now, times[0])
        previous = start, self.price_at(listing, date, start)
        if sign * previous[1] <= sign * price:
            return start
        for when, value in zip(times, prices, strict=True):
            if when <= start:
                continue
            if sign * value <= sign * price:
                part = (price - previous[1]) / (value - previous[1])
                return math.ceil(previous[0] + part * (when - previous[0]))
            previous = when, value
        return None

    def make_split(self, listing: Listing, ratio: float) -> None:
        """Divide all prices of a name from now on, its history included."""
        self.split[listing.column] *= ratio
        self._knots = {key: value for key, value in self._knots.items() if key[0] != listing.con_id}
        self._prices.clear()


def _listing(history: History, column: int) -> Listing:
    name = history.symbols[column]
    symbol = name.replace("-", " ")
    if name in history.indices:
        return Listing(con_id(symbol, "IND", "USD"), symbol, "IND", "CBOE", "USD", column, symbol, name)
    exchange = ("NYSE", "NASDAQ", "ARCA")[con_id(symbol, "STK", "USD") % 3]
    trading_class = "NMS" if exchange == "NASDAQ" else symbol
    return Listing(con_id(symbol, "STK", "USD"), symbol, "STK", exchange, "USD", column, trading_class, name)


def _matches(listing: Listing, wanted: dict[str, str]) -> bool:
    # The data does not say where a name is listed, so that any exchange of its country will do.
    priced = listing.kind == "STK" and listing.column >= 0
    places = {"", listing.exchange} | (US_EXCHANGES if priced else set())
    routes = places | {"SMART"} if listing.kind == "STK" else places
    return (
        wanted.get("secType", "") in ("", listing.kind)
        and wanted.get("currency", "") in ("", listing.currency)
        and wanted.get("exchange", "") in routes
        and wanted.get("primaryExchange", "") in places
    )
