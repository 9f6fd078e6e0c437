"""The checks of `live.client.doctor`, each a line: what was found, and what to do about it."""

from __future__ import annotations

import datetime as dt
import platform
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from ares7.errors import Ares7Error, MissingData
from ares7.sessions import hours as calendar_hours
from live.client.book import Snapshot
from live.client.client import Client
from live.client.contracts import Wanted
from live.client.failures import ReadOnlyApi, Refused
from live.client.hours import disagreements
from live.client.messages import Connected, ContractFacts, FarmState
from live.client.notices import READ_ONLY, remedy
from live.client.seam import Library
from live.client.sync import port_warning

ZONED_SINCE = 174
"""Server version from which execution times carry their zone."""
CURRENCY = "USD"
SETTING, SERVICE = 2, 3


class Level(StrEnum):
    """How bad a line is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


OK, WARNED, FAILED = Level.OK, Level.WARN, Level.FAIL


@dataclass(frozen=True, slots=True)
class Line:
    """Outcome of one check; ``exit_code`` counts for a failure only."""

    check: str
    level: Level
    text: str
    remedy: str = ""
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"check": self.check, "level": str(self.level), "text": self.text, "remedy": self.remedy}


def failure(check: str, error: Ares7Error) -> Line:
    """A line for an error whose message holds the remedy after its first semicolon."""
    text, _, rest = str(error).partition("; ")
    return Line(check, FAILED, text, rest, error.exit_code)


def versions(library: Library, server: int) -> Line:
    """Versions of everything that speaks."""
    text = f"server {server}, {library.name} {library.version}, Python {platform.python_version()}"
    return Line("versions", OK, text)


def about_account(connected: Connected, port: int) -> list[Line]:
    """Which account, and whether its kind fits the port."""
    others = len(connected.accounts) - 1
    more = f", one of {others + 1} of this login" if others else ""
    lines = [Line("account", OK, f"{connected.account}, {connected.kind.value} money{more}")]
    warning = port_warning(connected.account, port)
    if warning:
        text, _, rest = warning.partition("; ")
        lines.append(Line("port", WARNED, text, rest))
    return lines


def about_state(snapshot: Snapshot, farms: Iterable[FarmState]) -> list[Line]:
    """Money, positions, working orders, data farms."""
    lines = [_currency(snapshot)]
    lines.append(Line("positions", OK, f"{len(snapshot.positions)} positions"))
    working = len(snapshot.open_orders)
    level = WARNED if working else OK
    hint = "live trading takes over its own orders only; look at these first" if working else ""
    lines.append(Line("orders", level, f"{working} working orders", hint))
    farms = list(farms)
    broken = [farm.farm for farm in farms if farm.status == "broken"]
    if broken:
        hint = "wait, or see IB's system status page; data requests fail until they are back"
        lines.append(Line("farms", WARNED, f"not connected: {', '.join(broken)}", hint))
    else:
        lines.append(
            Line("farms", OK, ", ".join(f"{farm.farm} {farm.status}" for farm in farms) or "no word yet")
        )
    return lines


def _currency(snapshot: Snapshot) -> Line:
    rows = {currency: value for (tag, currency), value in snapshot.values.items() if tag == "NetLiquidation"}
    money = {currency: value for currency, value in rows.items() if currency != "BASE"}
    if CURRENCY in money:
        return Line("money", OK, f"net liquidation {money[CURRENCY]} {CURRENCY}")
    found = ", ".join(sorted(money)) or "none"
    hint = f"only accounts with base currency {CURRENCY} are supported; change it in Client Portal"
    return Line("money", FAILED, f"net liquidation is given in {found}, not in {CURRENCY}", hint, SETTING)


def permission(connected: Connected) -> Line:
    """Whether the gateway would take orders."""
    if connected.read_only:
        return Line(
            "orders allowed", FAILED, "the API is read-only", remedy(READ_ONLY), ReadOnlyApi.exit_code
        )
    return Line("orders allowed", OK, "the API is not read-only")


def clock(skew_s: float | None, limit: float | None) -> Line:
    """Difference of the clocks."""
    if skew_s is None:
        return Line("clock", WARNED, "the gateway's clock could not be read")
    text = f"the gateway is {skew_s:+.1f} s from this computer"
    if limit is not None and abs(skew_s) > limit:
        hint = "synchronise both clocks (timedatectl set-ntp true)"
        return Line("clock", FAILED, f"{text}, limit {limit:g} s", hint, SERVICE)
    return Line("clock", OK, text)


def time_zone(connected: Connected, configured: str, now: dt.datetime) -> Line:
    """Whether the gateway writes times in the configured zone, from the time of its handshake.

    Hours and zones differ by multiples of a quarter of an hour; the rest is transmission and clock skew.
    """
    words = connected.time_text.split()
    try:
        written = dt.datetime.strptime(" ".join(words[:2]), "%Y%m%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:
        return Line("time zone", WARNED, f"the gateway's time {connected.time_text!r} cannot be read")
    expected = now + dt.timedelta(seconds=connected.skew_s or 0.0)
    expected = expected.astimezone(zoneinfo.ZoneInfo(configured)).replace(tzinfo=None)
    quarters = round((written - expected).total_seconds() / 900)
    zone = " ".join(words[2:]) or "no zone named"
    if quarters == 0:
        return Line("time zone", OK, f"{configured} (the gateway says {zone})")
    text = f"the gateway writes times {quarters / 4:+g} h from {configured} (it says {zone})"
    hint = "set time_zone to the zone chosen at the gateway's login, or choose another there"
    if connected.server_version >= ZONED_SINCE:
        return Line("time zone", WARNED, f"{text}; this gateway sends the zone with each time", hint)
    return Line("time zone", FAILED, f"{text}, and sends execution times without a zone", hint, SETTING)


def about_contracts(
    client: Client, symbols: list[Wanted | tuple[str, str] | str], calendar: str
) -> list[Line]:
    """Contracts, their data, and their hours against our calendar."""
    qualified = client.qualify(symbols)
    lines = []
    for problem in qualified.problems.values():
        text, _, rest = problem.text.partition("; ")
        code = SERVICE if problem.reason == "no answer" else SETTING
        lines.append(Line("contracts", FAILED, text, rest, code))
    if qualified.facts:
        lines.append(
            Line("contracts", OK, f"{len(qualified.facts)} found: {', '.join(list(qualified.facts)[:5])}")
        )
    stocks = [facts for facts in qualified.facts.values() if facts.kind == "STK"]
    if stocks:
        lines += [_quote(client, stocks[0]), _history(client, stocks[0]), _hours(stocks[0], calendar)]
    return lines


def _quote(client: Client, facts: ContractFacts) -> Line:
    try:
        quote = client.quote(facts)
    except Refused as error:
        return failure("market data", error)
    if quote.delayed:
        hint = "subscribe to live data in Client Portal > Settings > Market Data Subscriptions"
        return Line("market data", WARNED, f"quotes of {facts.symbol} are delayed", hint)
    prices = [price for price in (quote.last, quote.bid, quote.ask, quote.close) if price is not None]
    if not prices:
        return Line("market data", WARNED, f"no price of {facts.symbol} came; is the market closed?")
    return Line("market data", OK, f"{facts.symbol} {prices[0]:g}")


def _history(client: Client, facts: ContractFacts) -> Line:
    try:
        bars = client.daily_bars(facts, 5)
    except (Refused, MissingData) as error:
        return failure("history", error)
    return Line("history", OK, f"{facts.symbol} up to {bars.dates[-1]}")


def _hours(facts: ContractFacts, calendar: str) -> Line:
    try:
        found = disagreements(facts, calendar)
    except Ares7Error as error:
        return failure("calendar", error)
    if found:
        hint = "update exchange_calendars; until then the cut-offs of these days are wrong"
        return Line("calendar", WARNED, "; ".join(found[:3]), hint)
    return Line("calendar", OK, f"IB's hours of {facts.symbol} agree with {calendar}, half days included")


def next_session(now: dt.datetime, calendar: str) -> Line:
    """When the exchange is open next, or until when it is open now."""
    day = np.datetime64(now.astimezone(dt.UTC).date(), "D")
    dates, opens, closes = calendar_hours(
        day - np.timedelta64(1, "D"), day + np.timedelta64(14, "D"), calendar
    )
    moment = np.datetime64(now.astimezone(dt.UTC).replace(tzinfo=None), "s")
    ahead = np.flatnonzero(closes > moment)
    if not len(ahead):
        return Line("next session", WARNED, f"calendar {calendar} knows no session after {day}")
    at = ahead[0]
    word = "open now" if opens[at] <= moment else "next session"
    return Line("next session", OK, f"{word}: {dates[at]}, {opens[at]} to {closes[at]} UTC")
