"""A Backtrader broker that trades a panel: baskets in one step, waiting orders, delistings, interest."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
from backtrader.position import Position

from ares7.arrays import Float1D, Int1D
from ares7.bars import EngineBars
from ares7.costs import CostModel
from ares7.errors import ConfigError
from ares7.ledger import Ledger, OrderKind
from ares7.orders import Basket
from feeds.account_curve import AccountCurve, History
from feeds.baskets import Baskets
from feeds.commission import CostCommission
from feeds.marked_broker import MarkedBroker
from feeds.panel_feed import AlignedData, Clock

_REMEDY = "add the strategy with single_orders=True"


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
        self._bars = bars
        self._exits = bars.exits
        self._row = -1
        self._curve = AccountCurve(bars.prices["close"])
        self._baskets: Baskets | None = None
        self.refused = False
        """Something that baskets asked for was refused in this session."""
        self._own_feeds = [feed for feed in self.cerebro.datas if isinstance(feed, AlignedData)]
        self._clock_now: Clock = self._own_feeds[0].lines.lines[0].clock

    @property
    def ledger(self) -> Ledger | None:
        """Orders and fills of baskets; None while the run trades single orders."""
        return None if self._baskets is None else self._baskets.ledger

    @property
    def history(self) -> History:
        """NAV, cash, gross and names at the close of each session so far."""
        return self._curve.until(self._row + 1, self._bars.panel.dates[self._bars.first :])

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
        if self._baskets is None:
            self._baskets = Baskets(
                self._bars,
                self.costs,
                self._curve,
                self._exits,
                cash=float(self.cash),
                row=self._row,
                margin=bool(self.p.margin),
                cash_rate=self.p.cash_rate,
                financing_rate=(self.p.financing_bps or 0.0) / 1e4,
            )
        self._baskets.submit(self._row, basket, kind, on_switch)

    def cancel_waiting(self) -> None:
        """Cancel accepted orders that still wait for a bar: a new decision replaces them (rulings 5)."""
        if self._baskets is not None:
            self._baskets.cancel_waiting()

    def refused_buys(self) -> tuple[Int1D, Float1D]:
        """Columns and shares of buys refused in this session that have not been retried yet, where ``refused``."""
        if self._baskets is None:
            raise ConfigError("this run has traded no basket; nothing was refused")
        return self._baskets.refused_buys()

    @property
    def held(self) -> Float1D:
        """(N,) shares held, whichever way they were traded."""
        if self._baskets is not None:
            return self._baskets.account.held
        out = np.zeros(len(self._bars.panel.symbols))
        for data, position in self.positions.items():
            if isinstance(data, AlignedData):
                out[data.column] = position.size
        return out

    # Backtrader's contract ----------------------------------------------------------------------------

    def next(self) -> None:
        """One session: interest, orders, delistings, value."""
        row = self._clock_now.row
        if row is None:
            row = self._row_of_feeds()
        if row == self._row:
            # Another feed has a bar where the panel has no session.
            if self._baskets is None:
                super().next()
            return
        self._row = row
        if self._baskets is not None:
            if row >= self._baskets.wakes or self._cash_addition:
                self._baskets.session(row, self._deposits(row) if self._cash_addition else ())
                self.cash, self.refused = self._baskets.account.cash, self._baskets.refused
            return
        self._next_orders()
        value = float(self._get_value())
        gross, names = self.exposure()
        self._curve.put(row, value, self.cash, gross / value, names)

    def _row_of_feeds(self) -> int:
        """Engine row that feeds show which Backtrader moves; -1 before the first bar."""
        return max((len(feed) + feed.p.listed - 1 for feed in self._own_feeds if len(feed)), default=-1)

    def _deposits(self, row: int) -> list[float]:
        """Take what was added to the cash; it buys fund shares at the last close's value."""
        value = self._curve.nav(row - 1) / self._fundshares if row else self._fundval
        deposits = list(self._cash_addition)
        self._cash_addition.clear()
        for deposit in deposits:
            self._fundshares += deposit / value
        return deposits

    def _next_orders(self) -> None:
        if self.p.cash_rate and self.cash > 0:
            self.cash *= 1.0 + self.p.cash_rate / 252.0
        super().next()
        columns = self._exits.get(self._row)
        if columns is not None:
            self._close_delisted_orders(set(columns.tolist()))

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
        if self._baskets is not None:
            raise ConfigError(f"this run trades baskets; single orders cannot be mixed with them: {_REMEDY}")
        if self.p.margin:
            raise ConfigError(
                "account.margin works with baskets only, not with single orders (buy, sell, or anything attached "
                "that listens to orders and trades); detach it or set account.margin: false"
            )

    def getvalue(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """NAV in USD, or the market value of one feed's position when ``datas`` names one."""
        if self._baskets is None:
            value: float = super().getvalue(datas, mkt, lever)
            return value
        if datas and len(datas) == 1:
            held = float(self._baskets.account.held[datas[0].column])
            return held * float(datas[0].close[0]) if held else 0.0
        return self._curve.nav(self._row) - (self.cash if mkt else 0.0)

    get_value = getvalue

    def get_fundvalue(self) -> float:
        """Value of one fund share in USD."""
        return float(self._fundval if self._baskets is None else self.getvalue() / self._fundshares)

    fundvalue = property(get_fundvalue)

    def getcash(self) -> float:
        """Cash in USD."""
        return float(self.cash)

    get_cash = getcash

    def getposition(self, data: Any) -> Any:
        """Position of one feed, size in shares and average price in USD."""
        if self._baskets is None and data in self.positions:
            return self.positions[data]
        if isinstance(data, AlignedData) and data.unlisted:
            # Backtrader would value it from now on, at a price that it does not have yet.
            return Position()
        if self._baskets is None:
            return self.positions[data]
        account, column = self._baskets.account, data.column
        return Position(size=account.held[column], price=account.cost_price[column])
