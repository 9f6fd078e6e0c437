"""What becomes of baskets of orders, session by session: checked, filled, waiting, refused (rulings 4 and 5)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D
from ares7.bars import EngineBars
from ares7.costs import CostModel
from ares7.execution import Account, accepted, execute
from ares7.ledger import Ledger, OrderKind, OrderStatus
from ares7.orders import Basket
from feeds.account_curve import AccountCurve


@dataclass(slots=True)
class _Queue:
    """Orders of baskets, in submission order."""

    symbol: Int1D
    quantity: Float1D
    close: Float1D
    number: Int1D

    def where(self, keep: Bool1D) -> _Queue:
        return _Queue(self.symbol[keep], self.quantity[keep], self.close[keep], self.number[keep])

    def split(self, keep: Bool1D) -> tuple[_Queue, _Queue]:
        """Return the orders to keep, and the others."""
        kept = np.count_nonzero(keep)
        if kept == len(keep):
            return self, _NONE
        return (self.where(keep), self.where(~keep)) if kept else (_NONE, self)

    def then(self, other: _Queue) -> _Queue:
        if self is _NONE or other is _NONE:
            return other if self is _NONE else self
        return _Queue(
            np.concatenate((self.symbol, other.symbol)),
            np.concatenate((self.quantity, other.quantity)),
            np.concatenate((self.close, other.close)),
            np.concatenate((self.number, other.number)),
        )


_NONE = _Queue(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
"""The one empty queue."""


class Baskets:
    """Account, orders and fills of a run that trades baskets.

    Parameters
    ----------
    bars : EngineBars
    costs : CostModel
    curve : AccountCurve
        Told of every change.
    exits : dict
        ``bars.exits``.
    cash : float
        USD at the close of session ``row``.
    row : int
        Session, of the engine's rows, at whose close the first basket may be submitted.
    margin : bool
        Cash may turn negative; nothing is refused.
    cash_rate : float
        Interest on cash a year; each session credits ``rate / 252`` before its orders.
    financing_rate : float
        The same on negative cash.
    """

    def __init__(
        self,
        bars: EngineBars,
        costs: CostModel,
        curve: AccountCurve,
        exits: dict[int, Int1D],
        *,
        cash: float,
        row: int,
        margin: bool,
        cash_rate: float,
        financing_rate: float,
    ) -> None:
        count = len(bars.panel.symbols)
        self.account = Account(cash, np.zeros(count), np.zeros(count), margin)
        self.ledger = Ledger(bars.panel.symbols)
        self._costs, self._curve = costs, curve
        # Orders fill where there is a bar, and there the panel's own price is what the engine shows.
        self._open = bars.panel.fields["open"][bars.first : bars.stop]
        self._close, self._bar = bars.prices["close"], bars.bar
        self._dates = bars.panel.dates[bars.first : bars.stop]
        self._exits, self._exit_rows = exits, [*sorted(exits), len(self._dates)]
        self._cash_rate, self._financing_rate = cash_rate, financing_rate
        self._submitted = self._waiting = self._refused = _NONE
        self._retries: set[int] = set()
        self._row = row
        self.refused = False
        """Something was refused in this session."""
        self.wakes = row + 1
        """Session from which on `session` has something to do; the ones before need not be told."""
        curve.change(row + 1, cash, self.account.held)

    def submit(self, row: int, basket: Basket, kind: OrderKind, on_switch: bool) -> None:
        """Queue orders, decided at the close of session ``row``, for the next session's open."""
        if not len(basket.symbol):
            return
        self._row, self.wakes = row, row + 1
        numbers = self.ledger.add_orders(
            self._dates[row], basket.symbol, basket.quantity, basket.close, kind, on_switch
        )
        if kind is OrderKind.RETRY:
            self._retries.update(numbers.tolist())
        self._submitted = self._submitted.then(_Queue(basket.symbol, basket.quantity, basket.close, numbers))

    def cancel_waiting(self) -> None:
        """Cancel accepted orders that still wait for a bar: a new decision replaces them (rulings 5)."""
        # While an order waits, every session is told.
        self._resolve(self._waiting, OrderStatus.CANCELLED)
        self._waiting = _NONE

    def refused_buys(self) -> tuple[Int1D, Float1D]:
        """Columns and shares of buys refused in this session that have not been retried yet."""
        refused = self._refused
        once = np.array([number in self._retries for number in refused.number.tolist()], dtype=bool)
        buys = refused.where((refused.quantity > 0) & ~once)
        return buys.symbol, buys.quantity

    def session(self, row: int, deposits: Sequence[float] = ()) -> None:
        """Do session ``row``: interest, orders, delistings, deposits."""
        account, self._row = self.account, row
        if self.refused:
            self._refused, self.refused = _NONE, False
        if rate := self._rate():
            account.cash *= 1.0 + rate / 252.0
        if self._submitted is not _NONE or self._waiting is not _NONE:
            self._trade()
        if row in self._exits:
            self._close_delisted(self._exits[row])
        for deposit in deposits:
            account.cash += deposit
        self._curve.change(row, account.cash, account.held)
        daily = self._rate() or self.refused or self._waiting is not _NONE
        self.wakes = row + 1 if daily else self._exit_rows[bisect_right(self._exit_rows, row)]

    def _rate(self) -> float:
        return self._cash_rate if self.account.cash >= 0 else self._financing_rate

    def _trade(self) -> None:
        account, submitted = self.account, self._submitted
        if submitted is not _NONE:
            fine, refused = submitted.split(
                accepted(account, submitted.quantity, submitted.close, self._costs)
            )
            self._refuse(refused)
            self._waiting, self._submitted = self._waiting.then(fine), _NONE
        due, self._waiting = self._waiting.split(self._bar[self._row][self._waiting.symbol])
        if due is not _NONE:
            price = self._open[self._row][due.symbol]
            filled, fees = execute(account, due.symbol, due.quantity, price, self._costs)
            done, refused = due.split(filled)
            if refused is not _NONE:
                price, fees = price[filled], fees[filled]
                self._refuse(refused)
            session = self._dates[self._row]
            self.ledger.add_fills(session, done.symbol, done.quantity, price, fees, done.number)

    def _refuse(self, orders: _Queue) -> None:
        if orders is not _NONE:
            self._resolve(orders, OrderStatus.REFUSED)
            self._refused, self.refused = self._refused.then(orders), True

    def _resolve(self, orders: _Queue, status: OrderStatus) -> None:
        if orders is not _NONE:
            self.ledger.resolve(orders.number, self._dates[self._row], status)

    def _close_delisted(self, columns: Int1D) -> None:
        """Sell at the last price what has had no bar for five sessions; its orders lapse (rulings 5)."""
        account, session = self.account, self._dates[self._row]
        lapsed, self._waiting = self._waiting.split(np.isin(self._waiting.symbol, columns))
        self._resolve(lapsed, OrderStatus.CANCELLED)
        gone = columns[account.held[columns] != 0]
        if len(gone):
            quantity, price = -account.held[gone], self._close[self._row, gone]
            numbers = self.ledger.add_orders(session, gone, quantity, price, OrderKind.DELISTING)
            _, fees = execute(account, gone, quantity, price, self._costs)
            self.ledger.add_fills(session, gone, quantity, price, fees, numbers)
