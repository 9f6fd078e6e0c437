"""Daily bars and quotes, asked for within IB's limits."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.errors import ConfigError, DataError, MissingData
from live.client import convert, notices
from live.client.failures import NoAnswer, Refused
from live.client.link import Link
from live.client.messages import ContractFacts, Quote

WHAT = ("TRADES", "ADJUSTED_LAST", "MIDPOINT", "BID", "ASK")
SESSIONS_A_YEAR = 252
DELAYED_TYPES = (3, 4)
BID, ASK, LAST, CLOSE = (1, 66), (2, 67), (4, 68), (9, 75)
"""Tick types of a price, and of the same price delayed."""


@dataclass(frozen=True, slots=True)
class DailyBars:
    """Daily bars of one contract, oldest first. Of today's session there may be an unfinished bar.

    Attributes
    ----------
    con_id : int
    symbol, what : str
        ``TRADES``: traded prices, adjusted for splits. ``ADJUSTED_LAST``: adjusted for dividends as well.
    dates : (N,) datetime64[D]
        Exchange dates.
    open, high, low, close : (N,) float64
        USD a share, or index points.
    volume : (N,) float64
        Shares.
    """

    con_id: int
    symbol: str
    what: str
    dates: Dates
    open: Float1D
    high: Float1D
    low: Float1D
    close: Float1D
    volume: Float1D


def duration(sessions: int) -> str:
    """IB's duration text for at least so many sessions: calendar days up to a year, then years.

    A span of n sessions has at most about 1.5 n calendar days plus a holiday week; IB counts ``D`` as sessions
    for daily bars and refuses more than 365 of them.
    """
    if sessions < 1:
        raise ConfigError(f"{sessions} sessions of history make no sense; ask for 1 or more")
    if sessions <= SESSIONS_A_YEAR:
        return f"{sessions} D"
    return f"{math.ceil(sessions / (SESSIONS_A_YEAR - 4))} Y"


async def daily_bars(
    link: Link, facts: ContractFacts, sessions: int, *, what: str, end: dt.datetime | None, rng: random.Random
) -> DailyBars:
    """Ask for daily bars, wait as IB wants, and ask again after a pacing violation.

    Raises
    ------
    MissingData
        IB has none.
    Refused, NoAnswer, ServiceUnavailable
    """
    if what not in WHAT:
        raise ConfigError(f"bars of {what} are not known; use one of {', '.join(WHAT)}")
    if what == "ADJUSTED_LAST" and end is not None:
        raise ConfigError("ADJUSTED_LAST bars end today at IB; leave end out, or ask for TRADES")
    until = "" if end is None else end.astimezone(dt.UTC).strftime("%Y%m%d-%H:%M:%S")
    key = (facts.con_id, until, duration(sessions), what)
    for attempt in range(link.options.history.retries + 1):
        await link.history_turn(facts.con_id, key, small=False)
        try:
            return _table(facts, what, await _ask(link, facts, key), sessions)
        except Refused as error:
            if error.code == notices.HISTORY_REFUSED and notices.no_history(error.text):
                raise MissingData(
                    f"IB has no {what} bars of {facts.symbol}: {error.text}; was it listed then, and does the "
                    "account have its market data?"
                ) from None
            last = attempt == link.options.history.retries
            if last or error.code != notices.HISTORY_REFUSED or not notices.is_pacing(error.text):
                raise
            await asyncio.sleep(link.options.history.identical_s * (1 + attempt + rng.random()))
        finally:
            link.history.done()
    raise AssertionError("unreachable")


async def many(
    link: Link,
    wanted: list[ContractFacts],
    sessions: int,
    what: str,
    end: dt.datetime | None,
    rng: random.Random,
) -> dict[int, DailyBars | Exception]:
    """Daily bars of many contracts at once; what fails for one contract is its answer.

    Raises
    ------
    ServiceUnavailable
        The connection was lost.
    """

    async def one(facts: ContractFacts) -> DailyBars | Exception:
        try:
            return await daily_bars(link, facts, sessions, what=what, end=end, rng=rng)
        except (Refused, NoAnswer, DataError) as error:
            return error

    answers = await asyncio.gather(*(one(facts) for facts in wanted))
    return {facts.con_id: answer for facts, answer in zip(wanted, answers, strict=True)}


async def market_data_type(link: Link, kind: int) -> None:
    """Choose the kind of quotes; the gateway does not answer."""
    await link.pace()
    link.check_open("market data type")
    link.ib.client.reqMarketDataType(kind)


async def _ask(link: Link, facts: ContractFacts, key: tuple[Any, ...]) -> list[Any]:
    _, until, length, what = key
    contract, client = convert.contract(link.library, facts), link.ib.client
    request = -1

    def start() -> asyncio.Future[Any]:
        nonlocal request
        request, answer = link.new_request(contract)
        link.tap.history[request] = []
        client.reqHistoricalData(request, contract, until, length, "1 day", what, 1, 2, False, [])
        return answer

    name = f"daily bars of {facts.symbol}"
    finished = False
    try:
        await link.ask(name, start, link.options.history_timeout_s)
        finished = True
        return link.tap.history[request]
    finally:
        link.tap.history.pop(request, None)
        if not finished and link.is_open and request != -1:
            client.cancelHistoricalData(request)


def _table(facts: ContractFacts, what: str, bars: list[Any], sessions: int) -> DailyBars:
    """The last ``sessions`` bars as arrays."""
    bars = bars[-sessions:]
    if not bars:
        raise MissingData(f"IB sent no {what} bars of {facts.symbol}; is its market data subscribed?")
    dates = np.array([_iso(bar.date) for bar in bars], dtype="datetime64[D]")
    if (dates[1:] <= dates[:-1]).any():
        raise MissingData(f"IB's {what} bars of {facts.symbol} do not ascend in time; ask again")
    columns = {
        name: np.array([getattr(bar, name) for bar in bars], dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume")
    }
    return DailyBars(facts.con_id, facts.symbol, what, dates, **columns)


def _iso(text: Any) -> str:
    text = str(text)
    if len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    # Not as documented for daily bars, but harmless: seconds since 1970.
    return f"{convert.parse_bar_date(text):%Y-%m-%d}"


async def quote(link: Link, facts: ContractFacts) -> Quote:
    """Ask for a snapshot of the market.

    Raises
    ------
    Refused
        No permission (354, 10168), or a competing session (10197).
    NoAnswer, ServiceUnavailable
    """
    contract, client = convert.contract(link.library, facts), link.ib.client
    request = -1

    def start() -> asyncio.Future[Any]:
        nonlocal request
        request, answer = link.new_request(contract)
        link.tap.ticks[request] = {}
        client.reqMktData(request, contract, "", True, False, [])
        return answer

    try:
        await link.ask(f"quote of {facts.symbol}", start)
        ticks = link.tap.ticks[request]
        kind = link.tap.tick_kinds.get(request, 1)
    finally:
        link.tap.ticks.pop(request, None)
        link.tap.tick_kinds.pop(request, None)

    def price(types: tuple[int, int]) -> float | None:
        found = [ticks[tick] for tick in types if ticks.get(tick, 0.0) > 0]
        return found[0] if found else None

    delayed = kind in DELAYED_TYPES or any(tick >= 66 for tick in ticks)
    return Quote(facts.con_id, price(BID), price(ASK), price(LAST), price(CLOSE), delayed)
