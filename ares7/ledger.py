"""The order and fill record of one run: engines write it; analyzers, reports and run folders read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from ares7.arrays import Bool1D, Dates, Float1D, Float2D, Int1D


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


def _by_session(sessions: Int1D, numbers: Int1D) -> list[tuple[int, Int1D]]:
    """Split sorted orders where the session changes."""
    if not len(sessions):
        return []
    parts = np.split(numbers, np.flatnonzero(np.diff(sessions)) + 1)
    return list(zip(np.unique(sessions).tolist(), parts, strict=True))


@dataclass(slots=True)
class Ledger:
    """Append-only store that both engines write.

    An order's number is its position; ``reference(n)`` is what run folders print.
    """

    symbols: tuple[str, ...]
    _decided: list[np.datetime64] = field(default_factory=list)
    _resolved: list[np.datetime64] = field(default_factory=list)
    _symbol: list[int] = field(default_factory=list)
    _quantity: list[float] = field(default_factory=list)
    _close: list[float] = field(default_factory=list)
    _kind: list[int] = field(default_factory=list)
    _status: list[int] = field(default_factory=list)
    _on_switch: list[bool] = field(default_factory=list)
    _fills: list[
        tuple[np.datetime64, Sequence[int], Sequence[float], Sequence[float], Sequence[float], Sequence[int]]
    ] = field(default_factory=list)

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
        decided, resolved = book[:, 0].astype(np.int64), book[:, 1].astype(np.int64)
        kind, status = book[:, 5].astype(np.int64), book[:, 6].astype(np.int64)
        when = np.where(resolved >= 0, dates[resolved], np.datetime64("NaT", "D"))
        out = cls(symbols)
        out._decided, out._resolved = list(dates[decided]), list(when)
        out._symbol, out._quantity = book[:, 2].astype(np.int64).tolist(), book[:, 3].tolist()
        out._close, out._kind, out._status = book[:, 4].tolist(), kind.tolist(), status.tolist()
        out._on_switch = (on_switch[decided] & (kind == OrderKind.DECISION)).tolist()
        filled = np.flatnonzero(status == OrderStatus.FILLED)
        filled = filled[np.argsort(resolved[filled], kind="stable")]
        for session, numbers in _by_session(resolved[filled], filled):
            part = book[numbers]
            out._fills.append(
                (
                    dates[session],
                    part[:, 2].astype(np.int64).tolist(),
                    part[:, 3].tolist(),
                    part[:, 7].tolist(),
                    part[:, 8].tolist(),
                    numbers.tolist(),
                )
            )
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
        first, count = len(self._decided), len(symbol)
        self._decided += [decided] * count
        self._resolved += [np.datetime64("NaT", "D")] * count
        self._symbol += symbol.tolist()
        self._quantity += quantity.tolist()
        self._close += close.tolist()
        self._kind += [int(kind)] * count
        self._status += [int(OrderStatus.WAITING)] * count
        self._on_switch += [on_switch] * count
        return np.arange(first, first + count, dtype=np.int64)

    def resolve(self, numbers: Int1D, session: np.datetime64, status: OrderStatus) -> None:
        """Set the final status of orders."""
        for number in numbers.tolist():
            self._resolved[number] = session
            self._status[number] = int(status)

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
            self._fills.append(
                (session, symbol.tolist(), quantity.tolist(), price.tolist(), fee.tolist(), numbers.tolist())
            )
            self.resolve(numbers, session, OrderStatus.FILLED)

    @property
    def fills(self) -> Fills:
        """All executions so far."""

        def column(index: int, dtype: type) -> np.ndarray:
            return np.array([x for chunk in self._fills for x in chunk[index]], dtype=dtype)  # type: ignore[union-attr]

        return Fills(
            date=np.array([c[0] for c in self._fills for _ in c[1]], dtype="datetime64[D]"),
            symbol=column(1, np.int64),
            symbols=self.symbols,
            quantity=column(2, np.float64),
            price=column(3, np.float64),
            fee=column(4, np.float64),
            order=column(5, np.int64),
        )

    @property
    def orders(self) -> Orders:
        """All orders so far."""
        return Orders(
            decided=np.array(self._decided, dtype="datetime64[D]"),
            resolved=np.array(self._resolved, dtype="datetime64[D]"),
            symbol=np.array(self._symbol, dtype=np.int64),
            symbols=self.symbols,
            quantity=np.array(self._quantity, dtype=np.float64),
            close=np.array(self._close, dtype=np.float64),
            kind=np.array(self._kind, dtype=np.int64),
            status=np.array(self._status, dtype=np.int64),
            on_switch=np.array(self._on_switch, dtype=bool),
        )

    def reference(self, number: int) -> str:
        """Text by which run folders name an order: decision date and number."""
        return f"{str(self._decided[number]).replace('-', '')}-{number}"
