"""Messages straight from the wire: a tap between the library's decoder and its wrapper.

The wrapper of ib_insync and of ib_async keeps an order book of its own and corrects it by error messages: any
error on an order id makes the order "Cancelled" there while it goes on working at the exchange. The decoder
is handed this tap in the wrapper's place (``client.decoder.wrapper``, a public attribute of both libraries),
so order messages are read before anything is made of them, and never reach that book: it stays empty, and
has nothing to correct. Whatever else the gateway sends is passed on, because the wrapper completes requests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from live.client import convert, notices
from live.client.messages import (
    AccountValue,
    Bar,
    BarUpdate,
    CompletedOrder,
    ErrorMessage,
    FarmState,
    Message,
    Notice,
    OpenOrder,
    OrderStatus,
)
from live.client.seam import Library

Emit = Callable[[Message], None]


class Tap:
    """Stands where the decoder expects the wrapper.

    Method names and arguments are those of the library's wrapper (IB's EWrapper).

    Attributes
    ----------
    open_orders : list of OpenOrder or None
        Collects the answer to a query for open orders while one is running.
    completed : list of CompletedOrder or None
        The same for completed orders.
    history : dict of request id to list of the library's bars
        Collects the answers to running queries for history.
    refs : dict of (client id, order id) to str
        Order references of this connection.
    bars : dict of request id to (subscription, contract id)
        Where live bars belong.
    ticks : dict of request id to dict of tick type to price
        Prices of running quotes.
    tick_kinds : dict of request id to int
        Market data type of running quotes: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    errors : list of ErrorMessage
        Everything refused since the connection was opened, newest last, at most ``MAX_ERRORS``.
    """

    MAX_ERRORS = 200

    def __init__(self, library: Library, wrapper: Any, emit: Emit) -> None:
        self._library = library
        self._wrapper = wrapper
        self._emit = emit
        self.open_orders: list[OpenOrder] | None = None
        self.completed: list[CompletedOrder] | None = None
        self.history: dict[int, list[Any]] = {}
        self.refs: dict[tuple[int, int], str] = {}
        self.bars: dict[int, tuple[int, int]] = {}
        self.ticks: dict[int, dict[int, float]] = {}
        self.tick_kinds: dict[int, int] = {}
        self.errors: list[ErrorMessage] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapper, name)

    def openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        """Emit a working order, and keep request ids above its id."""
        found = convert.open_order(self._library, contract, order, state)
        self.refs[found.client_id, found.order_id] = found.ref
        if self.open_orders is not None:
            self.open_orders.append(found)
        self._wrapper.ib.client.updateReqId(order_id + 1)
        self._emit(found)

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:
        """Collect an order that is done."""
        if self.completed is not None:
            self.completed.append(convert.completed_order(self._library, contract, order, state))

    def orderStatus(
        self,
        order_id: int,
        status: str,
        filled: float,
        remaining: float,
        avg_price: float,
        perm_id: int,
        parent_id: int,
        last_price: float,
        client_id: int,
        why_held: str,
        cap_price: float = 0.0,
    ) -> None:
        """Emit the status of an order."""
        ref = self.refs.get((client_id, order_id), "")
        self._emit(
            OrderStatus(
                order_id=order_id,
                client_id=client_id,
                perm_id=perm_id,
                parent_id=parent_id,
                ref=ref,
                status=status,
                filled=float(filled),
                remaining=float(remaining),
                avg_price=float(avg_price),
                why_held=why_held,
            )
        )

    def execDetails(self, request: int, contract: Any, execution: Any) -> None:
        """Emit a fill, then let the wrapper complete a running query for executions."""
        self._wrapper.execDetails(request, contract, execution)
        # The wrapper corrects an unset order id of manual orders, so it comes first.
        self._emit(convert.execution(contract, execution, replayed=request != -1))

    def commissionReport(self, report: Any) -> None:
        """Emit a fee before the wrapper turns an unset profit into 0."""
        self._emit(convert.commission(self._library, report))

    def position(self, account: str, contract: Any, shares: float, average_cost: float) -> None:
        """Emit a position."""
        self._emit(convert.position(account, contract, shares, average_cost))
        self._wrapper.position(account, contract, shares, average_cost)

    def updateAccountValue(self, tag: str, value: str, currency: str, account: str) -> None:
        """Emit a figure of the account."""
        self._emit(AccountValue(account=account, tag=tag, value=value, currency=currency))

    def realtimeBar(
        self,
        request: int,
        time: int,
        open_: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        wap: float,
        count: int,
    ) -> None:
        """Emit a 5-second bar."""
        if request in self.bars:
            start = dt.datetime.fromtimestamp(time, dt.UTC)
            session = start.astimezone(convert.NEW_YORK).date()
            self._bar(request, Bar(session, start, open_, high, low, close, volume))

    def historicalData(self, request: int, bar: Any) -> None:
        """Collect a bar of history."""
        if request in self.history:
            self.history[request].append(bar)

    def historicalDataUpdate(self, request: int, bar: Any) -> None:
        """Emit a bar of a keep-up-to-date subscription, also when none came before it."""
        if request in self.bars:
            self._bar(request, convert.bar(bar))

    def _bar(self, request: int, bar: Bar) -> None:
        subscription, con_id = self.bars[request]
        self._emit(BarUpdate(subscription=subscription, con_id=con_id, bar=bar))

    def priceSizeTick(self, request: int, tick: int, price: float, size: float) -> None:
        """Keep a price of a running quote."""
        if request in self.ticks:
            self.ticks[request][tick] = float(price)

    def marketDataType(self, request: int, kind: int) -> None:
        """Keep whether a running quote is live or delayed."""
        if request in self.ticks:
            self.tick_kinds[request] = kind

    def ignore(self, *_: Any) -> None:
        """What a quote brings besides prices is not used."""

    tickSize = tickString = tickGeneric = tickReqParams = ignore

    def error(self, request: int, code: int, text: str, reject: str = "") -> None:
        """Emit an error or a notice, then let the wrapper fail the request it belongs to."""
        farm = notices.farm_state(code, text)
        ref = self.refs.get((self._wrapper.clientId, request), "")
        if farm is not None:
            self._emit(FarmState(*farm, text=text))
        elif notices.is_notice(code):
            self._emit(Notice(code=code, text=text, request=request, ref=ref))
        else:
            found = ErrorMessage(code=code, text=text, request=request, ref=ref, reject=reject)
            self.errors = [*self.errors[1 - self.MAX_ERRORS :], found]
            self._emit(found)
        self._wrapper.error(request, code, text, reject)
