"""A Backtrader broker that trades a panel: baskets in one step, waiting orders, delistings, interest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import backtrader as bt
import numpy as np
from backtrader.position import Position

from ares7.arrays import AnyArray, Dates, Float1D, Int1D
from ares7.bars import EngineBars
from ares7.costs import CostModel
from ares7.errors import ConfigError
from ares7.execution import Account, accepted, execute
from ares7.ledger import Ledger, OrderKind, OrderStatus
from ares7.orders import Basket
from feeds.commission import CostCommission
from feeds.marked_broker import MarkedBroker
from feeds.panel_feed import AlignedData, Clock

_REMEDY = "add the strategy with single_orders=True"


@dataclass(slots=True)
class _Queue:
    """Orders of baskets, in submission order."""

    symbol: Int1D = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    quantity: Float1D = field(default_factory=lambda: np.zeros(0))
    close: Float1D = field(default_factory=lambda: np.zeros(0))
    number: Int1D = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    retry: AnyArray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __len__(self) -> int:
        return len(self.symbol)

    def where(self, keep: AnyArray) -> _Queue:
        return _Queue(
            self.symbol[keep], self.quantity[keep], self.close[keep], self.number[keep], self.retry[keep]
        )

    def then(self, other: _Queue) -> _Queue:
        if not len(self):
            return other
        pairs = (
            (self.symbol, other.symbol),
            (self.quantity, other.quantity),
            (self.close, other.close),
            (self.number, other.number),
            (self.retry, other.retry),
        )
        return _Queue(*(np.concatenate(pair) for pair in pairs))


MARKED_SESSIONS = 24
"""Closes valued in one step while nothing is traded; a month has at most 23."""


class History(NamedTuple):
    """(S,) arrays, one value a session close: dates, USD, USD, fraction of NAV, number of positions."""

    dates: Dates
    nav: Float1D
    cash: Float1D
    gross: Float1D
    names: Float1D


class PanelBroker(MarkedBroker):
    """Backtrader's broker plus baskets, the rules of rulings 4 and 5, and interest on cash.

    Two ways of trading, never mixed in one run. *Orders*: ``buy`` and ``sell`` make Backtrader's orders
    (`MarkedBroker`); one waits while its name has no bar, and delisted positions are closed.
    *Baskets*: ``submit_basket`` takes one vector of orders a session, filled by `ares7.execution`; they create no
    ``bt.Order``, so order notifications do not exist and the `ledger` is the record.

    Parameters
    ----------
    bars : EngineBars
        What the feeds show.
    costs : CostModel
    cash_rate : float
        Interest on cash a year; each session credits ``rate / 252`` before its orders.
    margin : bool
        Cash may turn negative; nothing is refused (baskets only).
    financing_bps : float
        Yearly rate on negative cash, in basis points.
    """

    params: Any = (
        ("costs", None),
        ("cash_rate", 0.0),
        ("margin", False),
        ("financing_bps", 0.0),
    )

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.addcommissioninfo(CostCommission(costs=self.p.costs))

    def start(self) -> None:
        """Reset the account; called by Cerebro."""
        super().start()
        bars: EngineBars = self.p.bars
        count, sessions = len(bars.panel.symbols), bars.stop - bars.first
        self._bars = bars
        self._exits = bars.exits
        self._row = -1
        self._baskets = False
        self._submitted, self._waiting, self._refused = _Queue(), _Queue(), _Queue()
        self._account = Account(float(self.cash), np.zeros(count), np.zeros(count), bool(self.p.margin))
        self._ledger = Ledger(bars.panel.symbols)
        self._nav = float(self.cash)
        self._record = np.zeros((4, sessions))
        self._marked_until = 0
        self._own_feeds: list[AlignedData] = []

    @property
    def ledger(self) -> Ledger | None:
        """Orders and fills of baskets; None while the run trades single orders."""
        return self._ledger if self._baskets else None

    @property
    def history(self) -> History:
        """NAV, cash, gross and names at the close of each session so far."""
        done = self._row + 1
        nav, cash, gross, names = self._record[:, :done]
        dates = self._bars.panel.dates[self._bars.first : self._bars.first + done]
        return History(dates, nav, cash, gross, names)

    @property
    def costs(self) -> CostModel:
        """Commission model of every fill."""
        model: CostModel = self.p.costs
        return model

    @property
    def takes_baskets(self) -> bool:
        """Nothing is set that only Backtrader's own order code does: slippage, fillers, other commissions."""
        p = self.p
        special = (
            p.slip_perc or p.slip_fixed or p.filler or p.coc or p.coo or not (p.checksubmit and p.shortcash)
        )
        own = len(self.comminfo) == 1 and isinstance(self.comminfo[None], CostCommission)
        return own and not special

    # Baskets ------------------------------------------------------------------------------------------

    def submit_basket(
        self, basket: Basket, kind: OrderKind = OrderKind.DECISION, on_switch: bool = False
    ) -> None:
        """Queue orders for the next session's open.

        Parameters
        ----------
        basket : Basket
        kind : OrderKind
        on_switch : bool
            The decision is due to a regime change and is no month end.
        """
        if self.orders:
            raise ConfigError(f"this run trades single orders; baskets cannot be mixed with them: {_REMEDY}")
        if not self._baskets:
            self._baskets, self._account.cash = True, float(self.cash)
        if not len(basket.symbol):
            return
        session = self._bars.panel.dates[self._bars.first + self._row]
        numbers = self._ledger.add_orders(
            session, basket.symbol, basket.quantity, basket.close, kind, on_switch
        )
        retry = np.full(len(numbers), kind is OrderKind.RETRY)
        self._submitted = self._submitted.then(
            _Queue(basket.symbol, basket.quantity, basket.close, numbers, retry)
        )

    def cancel_waiting(self) -> None:
        """Cancel accepted orders that still wait for a bar: a new decision replaces them (rulings 5)."""
        self._lapse(np.ones(len(self._waiting), dtype=bool))

    def refused_buys(self) -> tuple[Int1D, Float1D]:
        """Columns and shares of buys refused in this session that have not been retried yet."""
        if not len(self._refused):
            return self._refused.symbol, self._refused.quantity
        buys = self._refused.where((self._refused.quantity > 0) & ~self._refused.retry)
        return buys.symbol, buys.quantity

    @property
    def held(self) -> Float1D:
        """(N,) shares held, whichever way they were traded."""
        if self._baskets:
            return self._account.held
        out = np.zeros(len(self._bars.panel.symbols))
        for data, position in self.positions.items():
            if isinstance(data, AlignedData):
                out[data.column] = position.size
        return out

    def _lapse(self, which: AnyArray) -> None:
        if which.any():
            gone = self._waiting.where(which)
            self._ledger.resolve(gone.number, self._session(), OrderStatus.CANCELLED)
            self._waiting = self._waiting.where(~which)

    def _session(self) -> np.datetime64:
        session: np.datetime64 = self._bars.panel.dates[self._bars.first + self._row]
        return session

    def _trade_basket(self) -> None:
        bars, account = self._bars, self._account
        if len(self._submitted):
            fine = accepted(account, self._submitted.quantity, self._submitted.close, self.costs)
            self._refuse(self._submitted.where(~fine))
            self._waiting = self._waiting.then(self._submitted.where(fine))
            self._submitted = _Queue()
        if len(self._waiting):
            now = bars.bar[self._row, self._waiting.symbol]
            due, self._waiting = self._waiting.where(now), self._waiting.where(~now)
            price = bars.prices["open"][self._row, due.symbol]
            filled, fees = execute(account, due.symbol, due.quantity, price, self.costs)
            done = due.where(filled)
            self._ledger.add_fills(
                self._session(), done.symbol, done.quantity, price[filled], fees[filled], done.number
            )
            self._refuse(due.where(~filled))

    def _refuse(self, orders: _Queue) -> None:
        if len(orders):
            self._ledger.resolve(orders.number, self._session(), OrderStatus.REFUSED)
            self._refused = self._refused.then(orders)

    def _close_delisted(self, columns: Int1D) -> None:
        """Sell at the last price what has had no bar for five sessions; its orders lapse (rulings 5)."""
        bars, account = self._bars, self._account
        self._lapse(np.isin(self._waiting.symbol, columns))
        gone = columns[account.held[columns] != 0]
        if len(gone):
            quantity, price = -account.held[gone], bars.prices["close"][self._row, gone]
            numbers = self._ledger.add_orders(self._session(), gone, quantity, price, OrderKind.DELISTING)
            _, fees = execute(account, gone, quantity, price, self.costs)
            self._ledger.add_fills(self._session(), gone, quantity, price, fees, numbers)

    # Backtrader's contract ----------------------------------------------------------------------------

    def next(self) -> None:
        """One session: interest, orders, delistings, value."""
        row = self._panel_row()
        if row == self._row:
            # Another feed has a bar where the panel has no session.
            if not self._baskets:
                super().next()
            return
        self._row = row
        if self._baskets:
            self._next_baskets()
        else:
            self._next_orders()
            gross, names = self.exposure()
            self._record[:, row] = self._nav, self.cash, gross / self._nav, names

    def _panel_row(self) -> int:
        """Engine row that the feeds show; -1 before the first bar."""
        if not self._own_feeds:
            self._own_feeds = [feed for feed in self.cerebro.datas if isinstance(feed, AlignedData)]
            self._panel_clock: Clock = self._own_feeds[0].lines.lines[0].clock
        if self._panel_clock.row is not None:
            return self._panel_clock.row
        return max((len(feed) + feed.p.listed - 1 for feed in self._own_feeds if len(feed)), default=-1)

    def _next_baskets(self) -> None:
        account, row = self._account, self._row
        rate = self.p.cash_rate if account.cash >= 0 else (self.p.financing_bps or 0.0) / 1e4
        columns = self._exits.get(row)
        if rate:
            account.cash *= 1.0 + rate / 252.0
        if len(self._refused):
            self._refused = _Queue()
        busy = len(self._submitted) or len(self._waiting)
        if busy:
            self._trade_basket()
        if columns is not None:
            self._close_delisted(columns)
        if rate or busy or columns is not None or self._cash_addition or row >= self._marked_until:
            self._deposit()
            self._mark_ahead(1 if rate else MARKED_SESSIONS)
        self.cash = account.cash
        self._nav = float(self._record[0, row])
        self._value = self._valuelever = self._nav
        self._valuemkt = self._valuemktlever = self._nav - self.cash
        self._fundval = self._nav / self._fundshares

    def _deposit(self) -> None:
        while self._cash_addition:
            deposit = self._cash_addition.popleft()
            self._fundshares += deposit / self._fundval
            self._account.cash += deposit

    def _mark_ahead(self, sessions: int) -> None:
        """Value what is held at this close and at the next ones, for as long as nothing changes.

        Added in column order, as `ares7.orders.net_asset_value` does; cash never depends on later rows.
        """
        row, account = self._row, self._account
        close = self._bars.prices["close"][row : row + sessions]
        terms = np.empty((len(close), len(account.held) + 1))
        terms[:, 0] = account.cash
        np.multiply(account.held, close, out=terms[:, 1:])
        block = slice(row, row + len(close))
        self._record[0, block] = np.add.accumulate(terms, axis=1)[:, -1]
        self._record[1, block] = account.cash
        terms[:, 0] = 0.0
        gross = np.add.accumulate(np.abs(terms, out=terms), axis=1)[:, -1]
        self._record[2, block] = gross / self._record[0, block]
        self._record[3, block] = np.count_nonzero(account.held)
        self._marked_until = row + len(close)

    def _next_orders(self) -> None:
        if self.p.cash_rate and self.cash > 0:
            self.cash *= 1.0 + self.p.cash_rate / 252.0
        super().next()
        columns = self._exits.get(self._row)
        if columns is not None:
            self._close_delisted_orders(set(columns.tolist()))
        self._nav = float(self._get_value())

    def _close_delisted_orders(self, columns: set[int]) -> None:
        def gone(data: Any) -> bool:
            return isinstance(data, AlignedData) and data.column in columns

        for order in [o for o in self.pending if gone(o.data)]:
            self.cancel(order)
        for data, position in list(self.positions.items()):
            if gone(data) and position.size:
                closing = bt.order.SellOrder if position.size > 0 else bt.order.BuyOrder
                order = closing(
                    owner=None, data=data, size=abs(position.size), exectype=bt.Order.Market, simulated=True
                )
                order.addinfo(delisted=True)
                self._ocoize(order, None)
                order.submit()
                order.accept()
                self.orders.append(order)
                self.notify(order)
                self._execute(order, ago=0, price=data.close[0])

    def _admit(self, data: Any) -> None:
        super()._admit(data)
        if self._baskets:
            raise ConfigError(f"this run trades baskets; single orders cannot be mixed with them: {_REMEDY}")
        if self.p.margin:
            raise ConfigError(
                "account.margin works with baskets only, not with single orders (buy, sell, or anything attached "
                "that listens to orders and trades); detach it or set account.margin: false"
            )

    def getvalue(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """NAV in USD, or the market value of one feed's position when ``datas`` names one."""
        if not self._baskets:
            value: float = super().getvalue(datas, mkt, lever)
            return value
        if datas and len(datas) == 1:
            held = float(self._account.held[datas[0].column])
            return held * float(datas[0].close[0]) if held else 0.0
        return float(super().getvalue(None, mkt, lever))

    get_value = getvalue

    def getcash(self) -> float:
        """Cash in USD."""
        return float(self.cash)

    get_cash = getcash

    def getposition(self, data: Any) -> Any:
        """Position of one feed, size in shares and average price in USD."""
        if not self._baskets and data in self.positions:
            return self.positions[data]
        if isinstance(data, AlignedData) and data.unlisted:
            # Backtrader would value it from now on, at a price that it does not have yet.
            return Position()
        if not self._baskets:
            return self.positions[data]
        column = data.column
        return Position(size=self._account.held[column], price=self._account.cost_price[column])
