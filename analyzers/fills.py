"""The recorder of orders and fills that the other analyzers read."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import Any

import backtrader as bt
import numpy as np

from analyzers.equity import session_dates
from ares7.ledger import Fills, Ledger, OrderKind, Orders, OrderStatus

STATUS = {
    bt.Order.Completed: OrderStatus.FILLED,
    bt.Order.Margin: OrderStatus.REFUSED,
    bt.Order.Rejected: OrderStatus.REFUSED,
    bt.Order.Canceled: OrderStatus.CANCELLED,
    bt.Order.Expired: OrderStatus.CANCELLED,
}
"""What Backtrader's final states mean; an order in any other state waits."""


def _listed(broker: Any, name: str) -> list[Any]:
    """Orders that Backtrader's own broker lists under ``name``; none for brokers that keep them elsewhere."""
    found = getattr(broker, name, None)
    return list(found) if isinstance(found, list | deque) else []


def _in_time_order(fills: Fills) -> Fills:
    order = np.argsort(fills.date, kind="stable")
    columns = {name: getattr(fills, name)[order] for name in ("date", "symbol", "quantity", "price", "fee")}
    return Fills(symbols=fills.symbols, order=fills.order[order], **columns)


class FillRecorder(bt.Analyzer):
    """Orders and fills of the strategy, as an `ares7.ledger.Ledger`.

    Built from Backtrader's order notifications, one fill for each partial execution. Orders that go to a
    broker as a basket make no notifications: a ``broker.ledger`` that has orders is taken as it is. What a
    strategy or a broker says of an order beyond Backtrader (``kind``, ``on_switch``, ``delisted``) is read
    from ``order.info``.

    Attributes
    ----------
    fills : Fills
    orders : Orders
        Both complete once the run has stopped.
    """

    reads_ledger = True
    """Our strategies may trade baskets: this analyzer does not need order notifications."""
    fills: Fills
    orders: Orders

    def start(self) -> None:
        """Begin a ledger."""
        # Lines compare element-wise, so a feed can only be found by identity.
        self._columns = {id(data): column for column, data in enumerate(self.datas)}
        names = tuple(data._name or f"data{column}" for column, data in enumerate(self.datas))
        self.ledger = Ledger(names)
        self._numbers: dict[int, int] = {}
        self._executed: dict[int, int] = {}

    def notify_order(self, order: bt.Order) -> None:
        """Record a new order, its new executions and its state.

        All notifications of an order share one list of executions; ``p2`` is its length when this one was
        made, and later executions belong to later notifications.
        """
        self._record(order, order.executed.p2)

    def _record(self, order: bt.Order, until: int) -> None:
        if order.ref not in self._numbers:
            self._numbers[order.ref] = self._add(order)
            self._executed[order.ref] = 0
        number = np.array([self._numbers[order.ref]])
        for bit in list(islice(order.executed.exbits, self._executed[order.ref], until)):
            self._executed[order.ref] += 1
            column = np.array([self._columns[id(order.data)]])
            quantity, price, fee = (np.array([float(x)]) for x in (bit.size, bit.price, bit.comm))
            self.ledger.add_fills(self._day(bit.dt), column, quantity, price, fee, number)
        status = STATUS.get(order.status, OrderStatus.WAITING)
        if status == OrderStatus.WAITING:
            self.ledger.resolve(number, np.datetime64("NaT", "D"), status)
        else:
            self.ledger.resolve(number, self._day(order.executed.dt), status)

    def _add(self, order: bt.Order) -> int:
        column = np.array([self._columns[id(order.data)]])
        created, info = order.created, order.info
        usual = OrderKind.DELISTING if info.get("delisted") else OrderKind.DECISION
        close = math.nan if created.pclose is None else float(created.pclose)
        numbers = self.ledger.add_orders(
            # An order that a broker makes by itself carries no date of creation.
            self._day(created.dt or order.executed.dt),
            column,
            np.array([float(created.size)]),
            np.array([close]),
            OrderKind(info.get("kind", usual)),
            bool(info.get("on_switch", False)),
        )
        return int(numbers[0])

    def _day(self, stamp: float | None) -> np.datetime64:
        now = stamp or self.strategy.lines.datetime[0]
        day: np.datetime64 = session_dates(self.strategy, [now])[0]
        return day

    def stop(self) -> None:
        """Close the record."""
        broker = self.strategy.broker
        kept = getattr(broker, "ledger", None)
        if isinstance(kept, Ledger) and len(kept.orders.status):
            self.ledger = kept
        else:
            # Never notified: orders given at the last close, and those a broker makes by itself.
            for order in [*_listed(broker, "orders"), *_listed(broker, "notifs")]:
                if order is not None and (order.owner is None or order.owner is self.strategy):
                    self._record(order, len(order.executed.exbits))
        self.fills, self.orders = _in_time_order(self.ledger.fills), self.ledger.orders

    def get_analysis(self) -> dict[str, Any]:
        """Lists of equal length: ``date symbol quantity price fee order``; quantities are signed."""
        fills = self.fills
        return {
            "date": fills.date.astype(str).tolist(),
            "symbol": [fills.symbols[column] for column in fills.symbol.tolist()],
            **{name: getattr(fills, name).tolist() for name in ("quantity", "price", "fee", "order")},
        }
