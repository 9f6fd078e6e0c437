"""Requests about contracts, history and quotes."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from live.double import checks, wire
from live.double.bars import SIZES, WHAT, BarRequest, duration, end_time, history
from live.double.codec import text
from live.double.market import TICK
from live.double.orders import Refused
from live.double.subscriptions import QuoteFeed

if TYPE_CHECKING:
    from live.double.server import Gateway
    from live.double.session import ClientSession

NO_QUERY = "No historical data query found for ticker id:{}"
SMALL_BAR = 30
WINDOW, LIMIT, SAME_SECONDS, BURST, BURST_SECONDS = 600.0, 60, 15.0, 6, 2.0
"""Limits on bars of 30 seconds and less: so many in 10 minutes, none twice in 15 seconds, 6 of a contract in 2."""


def _details(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    request = int(values["reqId"])
    found = gateway.market.find(values)
    if not found:
        raise Refused(200, "No security definition has been found for the request")
    for listing in found:
        session.send(wire.contract_details(session.version, request, listing, gateway.market))
    session.send(["52", "1", str(request)])


def _history(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    asked = _bar_request(gateway, session, values)
    if gateway.knobs.pacing and asked.seconds <= SMALL_BAR:
        gateway.pacing.take(time.monotonic(), asked.listing.con_id, tuple(values.values()))
    session.send(history(gateway.market, asked))
    if values["keepUpToDate"] == "1":
        session.subscriptions.keep_up(gateway, asked)


def _bar_request(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> BarRequest:
    listing = checks.contract(gateway.market, values)
    if gateway.knobs.market_data in ("none", "competing"):
        raise Refused(
            162,
            "Historical Market Data Service error message:No market data permissions for " + listing.exchange,
        )
    what, size = values["what"], values["barSize"]
    if what not in WHAT or size not in SIZES:
        raise Refused(
            321, f"Error validating request.-'bK' : cause - {what!r} with bar size {size!r} is not valid"
        )
    if what != "TRADES" and listing.kind == "IND":
        raise Refused(
            162, f"Historical Market Data Service error message:No data of type {what} for an index"
        )
    if what == "ADJUSTED_LAST" and values["end"]:
        raise Refused(
            321, "Error validating request.-'bK' : cause - End date not supported with adjusted last"
        )
    if values["keepUpToDate"] == "1" and values["end"]:
        raise Refused(321, "Error validating request.-'bK' : cause - End date not supported with updates")
    if listing.column < 0:
        raise Refused(
            162, "Historical Market Data Service error message:HMDS query returned no data: " + listing.symbol
        )
    count, unit = duration(values["duration"])
    return BarRequest(
        request=int(values["reqId"]),
        listing=listing,
        end=end_time(values["end"], gateway.clock.now),
        count=count,
        unit=unit,
        seconds=SIZES[size],
        what=what,
        epoch=values["formatDate"] == "2",
        version=session.version,
        adjusted_to_now=gateway.knobs.adjusted == "as_of",
    )


def _cancel_history(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    request = int(values["reqId"])
    if not session.subscriptions.stop(request):
        raise Refused(366, NO_QUERY.format(request))
    session.error(
        request, 162, "Historical Market Data Service error message:API historical data query cancelled"
    )


def _first_bar(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    listing = checks.contract(gateway.market, values)
    prices = gateway.market.history.close[listing.column]
    known = (prices == prices).nonzero()[0]
    if listing.column < 0 or len(known) == 0:
        raise Refused(162, "Historical Market Data Service error message:No head time stamp")
    day = str(gateway.market.history.dates[known[0]]).replace("-", "")
    session.send(["88", values["reqId"], f"{day}-14:30:00"])


def _quotes(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    request, listing = int(values["reqId"]), checks.contract(gateway.market, values)
    permission = gateway.knobs.market_data
    delayed = permission == "delayed" and session.subscriptions.data_type in (3, 4)
    if permission == "none" or (permission == "delayed" and not delayed):
        raise Refused(354, "Requested market data is not subscribed. Delayed market data is available.")
    if permission == "competing":
        raise Refused(10197, "No market data during competing live session")
    if delayed:
        session.error(
            request, 10167, "Requested market data is not subscribed. Displaying delayed market data."
        )
    session.send(["81", str(request), text(TICK), "a60001", "3"])
    session.send(["58", "1", str(request), "3" if delayed else "1"])
    feed = QuoteFeed(listing, delayed, {})
    session.subscriptions.send_quote(gateway, request, feed)
    if values["snapshot"] == "1":
        session.send(["57", "1", str(request)])
    else:
        session.subscriptions.quotes[request] = feed


def _cancel_quotes(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    if session.subscriptions.quotes.pop(int(values["reqId"]), None) is None:
        raise Refused(300, f"Can't find EId with tickerId:{values['reqId']}")


def _five_seconds(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    listing = checks.contract(gateway.market, values)
    if gateway.knobs.market_data != "live" or listing.column < 0:
        raise Refused(420, "Invalid Real-time Query:No market data permissions for " + listing.exchange)
    session.subscriptions.five_seconds(gateway, int(values["reqId"]), listing, values["what"])


def _cancel_five(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    if not session.subscriptions.stop(int(values["reqId"])):
        raise Refused(300, f"Can't find EId with tickerId:{values['reqId']}")


def _data_type(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.subscriptions.data_type = int(values["type"])


def _market_rule(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.send(["93", values["ruleId"], "1", "0", text(TICK)])


class Pacing:
    """The gateway's limits on requests for small bars."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, int, tuple[str, ...]]] = deque()

    def take(self, now: float, con_id: int, request: tuple[str, ...]) -> None:
        """Count a request.

        Raises
        ------
        Refused
            162, a pacing violation.
        """
        while self._taken and now - self._taken[0][0] > WINDOW:
            self._taken.popleft()
        same = any(now - at < SAME_SECONDS and old[2:] == request[2:] for at, _, old in self._taken)
        burst = sum(now - at < BURST_SECONDS and number == con_id for at, number, _ in self._taken)
        self._taken.append((now, con_id, request))
        if same or burst >= BURST or len(self._taken) > LIMIT:
            raise Refused(
                162, "Historical Market Data Service error message:Historical data request pacing violation"
            )


HANDLERS = {
    "reqContractDetails": _details,
    "reqHistoricalData": _history,
    "cancelHistoricalData": _cancel_history,
    "reqHeadTimeStamp": _first_bar,
    "cancelHeadTimeStamp": lambda gateway, session, values: None,
    "reqMktData": _quotes,
    "cancelMktData": _cancel_quotes,
    "reqRealTimeBars": _five_seconds,
    "cancelRealTimeBars": _cancel_five,
    "reqMarketDataType": _data_type,
    "reqMarketRule": _market_rule,
}
