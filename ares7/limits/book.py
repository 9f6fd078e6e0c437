"""The book as it will be once every working order is filled, kept up while orders of a batch are added."""

from __future__ import annotations

import math
from collections import defaultdict

from ares7.limits.view import AccountView, Name, ProposedOrder, Working

NOTHING = Working()
NOBODY = Name()


def order_price(order: ProposedOrder, name: Name) -> float:
    """USD a share that an order is counted at: its limit, else the quote, else the last close."""
    if order.limit_price is not None:
        return order.limit_price
    return name.close if order.quote is None else order.quote


def _worth(shares: float, close: float) -> float:
    """USD; a name of which nothing is left needs no price."""
    return 0.0 if shares == 0 else shares * close


class ProjectedBook:
    """Totals of an account with its working orders taken as filled.

    A NaN in any part makes the totals that it enters NaN, which no limit lets pass.

    Parameters
    ----------
    view : AccountView

    Attributes
    ----------
    view : AccountView
    gross, net : USD
    buys_usd : USD
        Cost of working purchases.
    sales_usd : USD
        Proceeds of working sales of what is held; one without a price counts nothing.
    orders : int
        Sent in the session.
    traded_usd : USD
        Notional of the rebalance, both sides.
    """

    def __init__(self, view: AccountView) -> None:
        self.view = view
        self._position = dict(view.positions)
        self._buys = {symbol: known.buys for symbol, known in view.working.items()}
        self._sells = {symbol: known.sells for symbol, known in view.working.items()}
        values = {symbol: self._value(symbol) for symbol in {*self._position, *view.working}}
        self.gross = math.fsum(abs(value) for value in values.values())
        self.net = math.fsum(values.values())
        self._sectors = defaultdict[str, float](float)
        for symbol, value in values.items():
            self._sectors[self._sector(symbol)] += abs(value)
        self.buys_usd = math.fsum(_worth(shares, self.name(s).close) for s, shares in self._buys.items())
        self.sales_usd = math.fsum(
            self._proceeds(s, shares, self.name(s).close) for s, shares in self._sells.items()
        )
        self.orders, self.traded_usd = view.orders_today, view.traded_usd

    def name(self, symbol: str) -> Name:
        """Return what is known of a security."""
        return self.view.names.get(symbol, NOBODY)

    def position(self, symbol: str) -> float:
        """Signed shares held."""
        return self._position.get(symbol, 0.0)

    def working(self, symbol: str) -> Working:
        """Shares in working orders, those added here included."""
        return Working(self._buys.get(symbol, 0.0), self._sells.get(symbol, 0.0))

    def after(self, order: ProposedOrder) -> tuple[float, float, float]:
        """Gross, net and the sector's gross in USD, if this order fills too."""
        before = self._value(order.symbol)
        value = self._value(order.symbol, order.quantity)
        moved = abs(value) - abs(before)
        sector = self._sectors.get(self._sector(order.symbol), 0.0)
        return self.gross + moved, self.net + (value - before), sector + moved

    def furthest(self, order: ProposedOrder) -> float:
        """Signed shares if this order and those on its side fill, and those on the other side do not."""
        held, working = self.position(order.symbol), self.working(order.symbol)
        return held + order.quantity + (working.buys if order.quantity > 0 else -working.sells)

    def add(self, order: ProposedOrder) -> None:
        """Count an order as sent."""
        symbol, shares = order.symbol, abs(order.quantity)
        name = self.name(symbol)
        gross, net, sector = self.after(order)
        notional = shares * order_price(order, name)
        if order.quantity > 0:
            self.buys_usd += notional
            self._buys[symbol] = self._buys.get(symbol, 0.0) + shares
        else:
            already = self._sells.get(symbol, 0.0)
            price = order_price(order, name)
            self.sales_usd += self._proceeds(symbol, already + shares, price)
            self.sales_usd -= self._proceeds(symbol, already, price)
            self._sells[symbol] = already + shares
        self.gross, self.net = gross, net
        self._sectors[self._sector(symbol)] = sector
        self.orders += 1
        self.traded_usd += notional

    def _value(self, symbol: str, change: float = 0.0) -> float:
        shares = self.position(symbol) + self._buys.get(symbol, 0.0) - self._sells.get(symbol, 0.0) + change
        return _worth(shares, self.name(symbol).close)

    def _proceeds(self, symbol: str, shares: float, price: float) -> float:
        """Proceeds of a long position only: those of a short sale are no money to spend."""
        sold = min(shares, max(self.position(symbol), 0.0)) * price
        return sold if math.isfinite(sold) else 0.0

    def _sector(self, symbol: str) -> str:
        name = self.name(symbol)
        return f"fund {symbol}" if name.fund else name.sector
