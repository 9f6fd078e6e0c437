"""Backtrader's broker for feeds that share one clock: the same account to the last bit, in a fraction of the time."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import backtrader as bt
from backtrader.order import BuyOrder, Order, SellOrder
from backtrader.utils import date2num

from ares7.bars import EngineBars
from ares7.errors import ConfigError
from feeds.cheap_orders import clone, is_plain, market_order, session_end
from feeds.fast_path import settings_are_plain, share_clock
from feeds.listening import someone_listens
from feeds.marked_positions import MarkedPosition, MarkedPositions, Marks, average, split
from feeds.panel_feed import AlignedData


class _Session(NamedTuple):
    """What orders read of one session: row; by column USD a share and whether there is a bar; date numbers."""

    row: int
    open: list[float]
    close: list[float]
    bar: list[bool]
    now: float
    end: float


class MarkedBroker(bt.brokers.BackBroker):
    """Backtrader's broker, quick where all feeds are one panel's and nothing special is set.

    Positions are marked to market in one step, sessions without orders touch no position, market orders without
    conditions are made and filled directly, and notifications are made only if someone would see them. With
    slippage, a filler, another commission, cheating, histories, other feeds or Backtrader's own loop, and for every
    order that is not a plain market order, Backtrader's code runs. Cash, value, orders, positions, notifications
    and trades are the same either way.

    Parameters
    ----------
    bars : EngineBars
        What the feeds show.

    Notes
    -----
    A plain order is not in Backtrader's books of order groups (``_ocos``, ``_pchildren``) until another
    order refers to it: nothing would read them.
    """

    params: Any = (("bars", None),)

    def start(self) -> None:
        """Reset the account; called by Cerebro."""
        super().start()
        self.cash: float = self.cash
        self._fundval: float = self._fundval
        self._marks = Marks(self.p.bars)
        self.positions: Any = MarkedPositions(self._marks)
        self._quick = False
        self._listened: bool | None = None
        self._same_feeds: bool | None = None
        self._clock: Any = None
        self._session_now = _Session(-1, [], [], [], 0.0, 0.0)
        self._unlisted: dict[Any, int] = {}
        self._marked_cash: float | None = None

    # When the quick way is open -----------------------------------------------------------------------

    def _is_quick(self) -> bool:
        if self._same_feeds is None:
            feeds = self.cerebro.datas
            self._clock = getattr(feeds[0].p, "clock", None)
            self._same_feeds = self._clock is not None and share_clock(feeds, self.p.bars)
        return self._same_feeds and self._clock.row is not None and settings_are_plain(self)

    def _switch(self, quick: bool) -> None:
        if self._quick and not quick:
            for position in self.positions.values():
                position.settle()
            self._marks.row = None
        self._quick = quick

    def _at_row(self) -> _Session:
        row = self._clock.row
        if self._session_now.row != row:
            bars: EngineBars = self.p.bars
            now = self._marks.time(row)
            self._session_now = _Session(
                row,
                bars.prices["open"][row].tolist(),
                bars.prices["close"][row].tolist(),
                bars.bar[row].tolist(),
                date2num(now),
                session_end(now, self.cerebro.datas[0].p.sessionend),
            )
        return self._session_now

    # Orders -------------------------------------------------------------------------------------------

    def buy(
        self, owner: Any, data: Any, size: float, price: float | None = None, *rest: Any, **kwargs: Any
    ) -> Any:
        """Submit a buy order of ``size`` shares."""
        self._admit(data)
        if not rest and self._is_plain(data, size, kwargs):
            return self._submit_plain(BuyOrder, owner, data, size, price, kwargs)
        return super().buy(owner, data, size, price, *rest, **kwargs)

    def sell(
        self, owner: Any, data: Any, size: float, price: float | None = None, *rest: Any, **kwargs: Any
    ) -> Any:
        """Submit a sell order of ``size`` shares."""
        self._admit(data)
        if not rest and self._is_plain(data, size, kwargs):
            return self._submit_plain(SellOrder, owner, data, size, price, kwargs)
        return super().sell(owner, data, size, price, *rest, **kwargs)

    def _admit(self, data: Any) -> None:
        """Raise if a single order is out of place."""
        if isinstance(data, AlignedData) and data.unlisted:
            raise ConfigError(
                f"an order for {data._name} before its first bar; test len(data) before trading it"
            )

    def _is_plain(self, data: Any, size: float, conditions: dict[str, Any]) -> bool:
        """A market order for the next bar that belongs to no group."""
        if not self._quick or self._clock.row is None or not size > 0 or not is_plain(conditions):
            return False
        if data not in self._unlisted:
            if not len(data):
                return False
            self._unlisted[data] = self._clock.row + 1 - len(data)
        return True

    def _submit_plain(
        self, kind: Any, owner: Any, data: Any, size: float, price: float | None, conditions: dict[str, Any]
    ) -> Any:
        session = self._at_row()
        order = market_order(
            kind,
            owner,
            data,
            size,
            price,
            conditions,
            close=session.close[data.column],
            now=session.now,
            session_end=session.end,
        )
        order.status, order.plen = Order.Submitted, session.row + 1 - self._unlisted[data]
        self.submitted.append(order)
        self.orders.append(order)
        self.notify(order)
        return order

    def submit(self, order: Any, check: bool = True) -> Any:
        """Take an order, with its parent's group if it has one."""
        parent = order.parent
        if parent is not None:
            self._book(parent.ref)
        return super().submit(order, check=check)

    def _ocoize(self, order: Any, oco: Any) -> None:
        if oco is not None:
            self._book(oco.ref)
        super()._ocoize(order, oco)

    def _book(self, ref: int) -> None:
        """Write a plain order into the books of groups: another order refers to it from now on."""
        if ref in self._ocos:
            return
        order = next((o for o in self.orders if o.ref == ref), None)
        if order is not None:
            super()._ocoize(order, None)
            if order.alive():
                self._pchildren[ref].append(order)
            elif order.status == Order.Completed:
                self._pchildren[ref].clear()

    def _ococheck(self, order: Any) -> None:
        if order.ref in self._ocos:
            super()._ococheck(order)

    def _bracketize(self, order: Any, cancel: bool = False) -> None:
        if order.ref in self._ocos:
            super()._bracketize(order, cancel=cancel)

    def notify(self, order: Any) -> None:
        """Queue a copy of the order for its owner, if someone would see it."""
        if self._listened is None and self._quick:
            self._listened = someone_listens(self.cerebro.runningstrats)
        if self._listened is not False:
            self.notifs.append(clone(order))
        elif order.executed.exbits:
            order.executed.markpending()

    # A session ----------------------------------------------------------------------------------------

    def next(self) -> None:
        """One session: check, fill, mark."""
        self._switch(self._is_quick())
        if not self._quick:
            super().next()
            return
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted:
            self.check_submitted()
        if self.pending:
            self._fill_pending()
        self._get_value()

    def check_submitted(self) -> None:
        """Accept what running cash pays at the price of the decision (rulings 4)."""
        if not self._quick:
            super().check_submitted()
            return
        cash, fees = self.cash, self.comminfo[None].p.costs.fees
        sizes: dict[Any, float] = {}
        while self.submitted:
            order = self.submitted.popleft()
            params = order.p
            if params.parent is not None and self._take_children(order) is None:
                continue
            data, size, price = params.data, order.executed.remsize, order.created.price
            old = sizes[data] if data in sizes else self.positions[data].size
            opened, closed = split(old, size)
            sizes[data] = old + size
            if closed:
                cash += -closed * price
                cash -= float(fees(closed, price))
            if opened:
                cash -= opened * price
                cash -= float(fees(opened, price))
            if cash >= 0.0:
                self.submit_accept(order)
            else:
                self._no_cash(order)

    def submit_accept(self, order: Any) -> None:
        """Queue an order for the session's bar."""
        if order.ref in self._ocos or not self._quick:
            super().submit_accept(order)
            return
        order.pannotated, order.status = None, Order.Accepted
        order.plen = self._clock.row + 1 - self._unlisted[order.p.data]
        self.pending.append(order)
        self.notify(order)

    def _no_cash(self, order: Any) -> None:
        order.margin()
        self.notify(order)
        self._ococheck(order)
        self._bracketize(order, cancel=True)

    def _fill_pending(self) -> None:
        orders: deque[Any] = self.pending
        session, scheme = self._at_row(), self.comminfo[None]
        orders.append(None)
        while (order := orders.popleft()) is not None:
            if order.ref not in self._ocos:
                self._fill(order, session, scheme)
            elif order.expire():
                self.notify(order)
                self._ococheck(order)
                self._bracketize(order, cancel=True)
                continue
            elif not order.active():
                orders.append(order)
                continue
            else:
                self._try_exec(order)
            if order.alive():
                orders.append(order)
            elif order.status == Order.Completed:
                self._bracketize(order)

    def _fill(self, order: Any, session: _Session, scheme: Any) -> None:
        """Fill a plain market order at the open, as Backtrader's ``_try_exec`` and ``_execute`` do."""
        data, executed, fees = order.p.data, order.executed, scheme.p.costs.fees
        position = self.positions[data]
        if not session.bar[position.column] or session.now <= order.created.dt:
            return
        price, size = session.open[position.column], executed.remsize
        old, cost = position.size, position.price
        opened, closed = split(old, size)
        asked = opened
        new_size, new_price = old + size, average(old, cost, size, price)
        gain, cash = -closed * (price - cost), self.cash
        closed_value = closed_fee = opened_value = opened_fee = 0.0
        if closed:
            closed_value, closed_fee = -closed * cost, float(fees(closed, price))
            cash += closed_value + gain
            cash -= closed_fee
            self.cash = cash
        if opened:
            opened_value, opened_fee = opened * price, float(fees(opened, price))
            cash -= opened_value
            cash -= opened_fee
            if cash < 0.0:
                opened, opened_value, opened_fee = 0, 0.0, 0.0
            else:
                self.cash = cash
        if opened or closed:
            if closed and self.p.int2pnl and self.d_credit:
                # Interest of sessions in which the commission scheme charged some.
                closed_fee += self.d_credit.pop(data, 0.0)
            position.fill(session.row, session.now, opened + closed, price, opened)
            order.execute(
                session.now,
                closed + opened,
                price,
                closed,
                closed_value,
                closed_fee,
                opened,
                opened_value,
                opened_fee,
                scheme.p.margin,
                gain,
                new_size,
                new_price,
            )
            order.comminfo = scheme
            self.notify(order)
        if asked and not opened:
            order.margin()
            self.notify(order)

    def _execute(self, order: Any, ago: int | None = None, price: Any = None, **kwargs: Any) -> Any:
        position = self.positions[order.data] if ago is not None else None
        if not isinstance(position, MarkedPosition):
            return super()._execute(order, ago=ago, price=price, **kwargs)
        position.settle()
        cash = super()._execute(order, ago=ago, price=price, **kwargs)
        position.mirror(self._clock.row if self._quick else -1)
        return cash

    def _try_exec(self, order: Any) -> None:
        # A session without a bar shows the last close; nothing can trade at it.
        if isinstance(order.data, AlignedData) and order.data.lines.bar[0] != 1.0:
            return
        super()._try_exec(order)

    # Value --------------------------------------------------------------------------------------------

    def _get_value(self, datas: Any = None, lever: bool = False) -> Any:
        one = datas and len(datas) == 1
        if not self._quick or lever or self._clock.row is None or (datas and not one):
            return super()._get_value(datas, lever)
        while self._cash_addition:
            cash = self._cash_addition.popleft()
            self._fundshares += cash / self._fundval
            self.cash += cash
        if one:
            position = self.positions[datas[0]]
            return position.size * self._at_row().close[position.column]
        row = self._clock.row
        self._value = self.cash + self._marks.value(row)
        self._fundval = self._value / self._fundshares
        self._marks.row, self._marked_cash = row, self.cash
        return self._value

    def exposure(self) -> tuple[float, int]:
        """Sum of the positions' absolute values at the present close, USD, and how many are open."""
        if self._quick and self._clock.row is not None:
            return self._marks.gross(self._clock.row)
        held = [abs(p.size) * data.close[0] for data, p in self.positions.items() if p.size]
        return float(sum(held)), len(held)

    def _mark_rest(self) -> None:
        """Set what Backtrader computes beside the value in every session and hardly anybody reads."""
        if self._marked_cash is None or self._marks.row is None:
            return
        split, (whole, gain) = self._marks.value(self._marks.row), self._marks.unlevered(self._marks.row)
        self._valuemkt, self._valuemktlever = split, whole
        self._valuelever = self._marked_cash + whole
        self._leverage, self._unrealized = whole / (split or 1.0), gain
        self._marked_cash = None

    def get_value(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> Any:
        """Account value in USD, or that of some feeds' positions; see Backtrader."""
        if datas is not None:
            return self._get_value(datas, lever)
        if not mkt and not lever:
            return self._value
        self._mark_rest()
        return super().get_value(None, mkt, lever)

    getvalue = get_value

    def get_leverage(self) -> Any:
        """Market value of positions over what they take of the account's value."""
        self._mark_rest()
        return super().get_leverage()
