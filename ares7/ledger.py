"""The order and fill record of one run: engines write it; analyzers, reports and run folders read it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Dates, Float1D, Float2D, Int1D


class OrderStatus(IntEnum):
    """What became of an order."""

    WAITING = 0
    FILLED = 1
    REFUSED = 2
    CANCELLED = 3


class OrderKind(IntEnum):
    """Why an order exists."""

    DECISION = 0
    RETRY = 1
    DELISTING = 2


@dataclass(frozen=True, slots=True)
class Fills:
    """Executions in time order, one array a column.

    Attributes
    ----------
    date : (F,) datetime64[D]
    symbol : (F,) int64
        Column index into ``symbols``.
    symbols : tuple of str
    quantity : (F,) float64
        Signed shares; negative for sales.
    price, fee : (F,) float64
        USD a share, USD.
    order : (F,) int64
        Order number in `Orders`.
    """

    date: Dates
    symbol: Int1D
    symbols: tuple[str, ...]
    quantity: Float1D
    price: Float1D
    fee: Float1D
    order: Int1D

    @property
    def notional(self) -> Float1D:
        """(F,) USD, positive."""
        return np.abs(self.quantity) * self.price


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders in submission order, one array a column.

    Attributes
    ----------
    decided : (K,) datetime64[D]
        Session at whose close the order was decided.
    resolved : (K,) datetime64[D]
        Session on which it was filled, refused or cancelled; NaT while it waits.
    symbol : (K,) int64
    quantity : (K,) float64
        Signed shares asked for.
    close : (K,) float64
        Total-return close at the decision, USD.
    kind, status : (K,) int64
        `OrderKind` and `OrderStatus`.
    on_switch : (K,) bool
        Decided on a change of the held regime that is no month end (rulings 8: switch cost).
    """

    decided: Dates
    resolved: Dates
    symbol: Int1D
    symbols: tuple[str, ...]
    quantity: Float1D
    close: Float1D
    kind: Int1D
    status: Int1D
    on_switch: Bool1D


def _column(chunks: Sequence[AnyArray], dtype: Any) -> AnyArray:
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=dtype)


def _spread(chunks: Sequence[tuple[Any, int]], dtype: Any) -> AnyArray:
    """One array of values that hold for a whole chunk each, or that are given order by order."""
    return _column([np.broadcast_to(np.asarray(value, dtype), count) for value, count in chunks], dtype)


class _Submitted(NamedTuple):
    """Orders as they were given: arrays of one value an order, or one value for all of them."""

    first: int
    decided: Any
    symbol: Int1D
    quantity: Float1D
    close: Float1D
    kind: Any
    on_switch: Any


class _Executed(NamedTuple):
    """Executions: ``session`` is one for all of them, or one for each."""

    session: Any
    symbol: Int1D
    quantity: Float1D
    price: Float1D
    fee: Float1D
    order: Int1D


@dataclass(slots=True)
class Ledger:
    """Append-only store that both engines write.

    It keeps the arrays that it is given and puts them together when it is read. An order's number is its position;
    ``reference(n)`` is what run folders print.
    """

    symbols: tuple[str, ...]
    _count: int = 0
    _submitted: list[_Submitted] = field(default_factory=list)
    _executed: list[_Executed] = field(default_factory=list)
    _resolved: list[tuple[Int1D, Any, Any]] = field(default_factory=list)

    @classmethod
    def from_book(cls, symbols: tuple[str, ...], book: Float2D, dates: Dates, on_switch: Bool1D) -> Ledger:
        """Ledger of a compiled run.

        Parameters
        ----------
        symbols : tuple of str
        book : (K, 9)
            One row an order: decided and resolved session rows (-1 while waiting), symbol, quantity, close,
            kind, status, fill price, fee.
        dates : (S,) datetime64[D]
        on_switch : (S,) bool
        """
        decided, resolved, symbol, kind, status = (book[:, i].astype(np.int64) for i in (0, 1, 2, 5, 6))
        switched = on_switch[decided] & (kind == OrderKind.DECISION)
        out = cls(symbols, len(book))
        out._submitted.append(_Submitted(0, dates[decided], symbol, book[:, 3], book[:, 4], kind, switched))
        over = np.flatnonzero(resolved >= 0)
        out._resolved.append((over, dates[resolved[over]], status[over]))
        filled = np.flatnonzero(status == OrderStatus.FILLED)
        filled = filled[np.argsort(resolved[filled], kind="stable")]
        quantity, price, fee = (book[filled, i] for i in (3, 7, 8))
        out._executed.append(_Executed(dates[resolved[filled]], symbol[filled], quantity, price, fee, filled))
        return out

    def add_orders(
        self,
        decided: np.datetime64,
        symbol: Int1D,
        quantity: Float1D,
        close: Float1D,
        kind: OrderKind = OrderKind.DECISION,
        on_switch: bool = False,
    ) -> Int1D:
        """Record new orders; returns their numbers."""
        first, self._count = self._count, self._count + len(symbol)
        self._submitted.append(_Submitted(first, decided, symbol, quantity, close, kind, on_switch))
        return np.arange(first, self._count, dtype=np.int64)

    def resolve(self, numbers: Int1D, session: np.datetime64, status: OrderStatus) -> None:
        """Set the final status of orders."""
        self._resolved.append((numbers, session, status))

    def add_fills(
        self,
        session: np.datetime64,
        symbol: Int1D,
        quantity: Float1D,
        price: Float1D,
        fee: Float1D,
        numbers: Int1D,
    ) -> None:
        """Record executions and mark their orders filled."""
        if len(symbol):
            self._executed.append(_Executed(session, symbol, quantity, price, fee, numbers))
            self.resolve(numbers, session, OrderStatus.FILLED)

    @property
    def fills(self) -> Fills:
        """All executions so far."""
        done = self._executed
        return Fills(
            date=_spread([(e.session, len(e.symbol)) for e in done], "datetime64[D]"),
            symbol=_column([e.symbol for e in done], np.int64),
            symbols=self.symbols,
            quantity=_column([e.quantity for e in done], np.float64),
            price=_column([e.price for e in done], np.float64),
            fee=_column([e.fee for e in done], np.float64),
            order=_column([e.order for e in done], np.int64),
        )

    @property
    def orders(self) -> Orders:
        """All orders so far."""
        given = self._submitted
        resolved = np.full(self._count, np.datetime64("NaT", "D"))
        status = np.full(self._count, int(OrderStatus.WAITING), dtype=np.int64)
        # What was told last of an order is what holds.
        numbers = _column([told[0] for told in self._resolved], np.int64)
        resolved[numbers] = _spread([(told[1], len(told[0])) for told in self._resolved], "datetime64[D]")
        status[numbers] = _spread([(told[2], len(told[0])) for told in self._resolved], np.int64)
        return Orders(
            decided=_spread([(o.decided, len(o.symbol)) for o in given], "datetime64[D]"),
            resolved=resolved,
            symbol=_column([o.symbol for o in given], np.int64),
            symbols=self.symbols,
            quantity=_column([o.quantity for o in given], np.float64),
            close=_column([o.close for o in given], np.float64),
            kind=_spread([(o.kind, len(o.symbol)) for o in given], np.int64),
            status=status,
            on_switch=_spread([(o.on_switch, len(o.symbol)) for o in given], bool),
        )

    def reference(self, number: int) -> str:
        """Text by which run folders name an order: decision date and number."""
        orders = self._submitted[bisect_right(self._submitted, number, key=lambda given: given.first) - 1]
        decided = np.broadcast_to(orders.decided, len(orders.symbol))[number - orders.first]
        return f"{str(decided).replace('-', '')}-{number}"
