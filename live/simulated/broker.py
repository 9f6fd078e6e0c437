"""Backtrader's own broker as a paper account: its state comes from the journal, and everything it does goes there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import backtrader as bt
import numpy as np
from backtrader.position import Position

from ares7.book import FRESH_SESSIONS
from ares7.errors import CheckFailed, ConfigError
from ares7.orders import net_asset_value
from feeds.commission import CostCommission
from live.client.order_messages import OrderTicket
from live.journal.identity import order_ref, rebalance_id
from live.journal.rows import JournalOrder
from live.simulated.account import Standing, Traded, divide
from live.simulated.actions import Split, dividend_usd, split_between
from live.simulated.market import SimulatedMarket
from live.simulated.record import Record

Admit = Callable[[OrderTicket, int], None]
NO_CASH = "the cash does not cover it"
REPLACED = "it waited for a bar until the next decision"
DELISTED = "the name has had no bar for five sessions"


class Given(NamedTuple):
    """An order that the broker has: its ticket, the number under which the journal knows it, the session it is of."""

    ticket: OrderTicket
    order_id: int
    session: dt.date


class SimulatedBroker(bt.brokers.BackBroker):  # type: ignore[misc]
    """Market orders decided at a close fill at the next session's open, by Backtrader's own rules.

    Parameters
    ----------
    market : SimulatedMarket
    record : Record
    standing : Standing
        With which the account begins.
    costs : CostModel
    cash_rate : float
        Interest on cash a year; each session credits ``rate / 252`` before its orders.

    Attributes
    ----------
    admit : callable or None
        Journals a ticket and its order id, or raises `CheckFailed`: the order is refused.
    before_open : callable or None
        Is called before the orders of a session are filled.
    tell : callable
    """

    params: Any = (
        ("market", None),
        ("record", None),
        ("standing", None),
        ("costs", None),
        ("cash_rate", 0.0),
    )

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.addcommissioninfo(CostCommission(costs=self.p.costs))
        self.market: SimulatedMarket = self.p.market
        self._record: Record = self.p.record
        self.admit: Admit | None = None
        self.before_open: Callable[[], None] | None = None
        self.tell: Callable[[str], None] = lambda text: None
        self._name: tuple[dt.date, str] | None = None
        self._again = False

    def start(self) -> None:
        """Take the account over from the journal; called by Cerebro."""
        super().start()
        standing: Standing = self.p.standing
        self.cash: float = standing.cash
        self.startingcash = standing.cash
        self._acted: dt.date | None = None
        self._takes_up = True
        self._feeds = {self.market.contracts[feed._name]: feed for feed in self.cerebro.datas}
        self._traded: dict[int, Traded] = dict(standing.traded)
        for con_id, position in standing.positions.items():
            self.positions[self._feeds[con_id]] = position.clone()
        self._next_id = self._record.next_order_id

    # Account

    def getposition(self, data: Any) -> Any:
        """Position of a feed; Backtrader would value one that was asked for, at a price that it may not have."""
        return self.positions[data] if data in self.positions else Position()

    def open_shares(self, data: Any) -> float:
        """Signed shares of a feed that waiting orders may still trade."""
        return float(sum(order.executed.remsize for order in self._waiting() if order.data is data))

    def getvalue(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        """Value of these positions, or of the account, added up as `ares7.orders.net_asset_value` does."""
        feeds = self.cerebro.datas if datas is None else datas
        positions = [self.getposition(feed) for feed in feeds]
        held = np.array([float(position.size) for position in positions])
        # Before the first bar of a run nothing but the cost is known.
        close = [feed.close[0] if len(feed) else p.price for feed, p in zip(feeds, positions, strict=True)]
        return net_asset_value(float(self.cash) if datas is None else 0.0, held, np.array(close))

    get_value = getvalue

    def gross(self) -> float:
        """Sum of the positions' absolute values, USD."""
        return float(sum(abs(p.size) * feed.close[0] for feed, p in self.positions.items() if p.size))

    @property
    def shares(self) -> dict[int, float]:
        """What is held, by contract."""
        held = {con_id: float(self.getposition(feed).size) for con_id, feed in self._feeds.items()}
        return {con_id: size for con_id, size in held.items() if size}

    def given(self) -> Iterator[Given]:
        """Orders that wait, in the order in which they will be filled."""
        return (order.info["given"] for order in self._waiting() if "given" in order.info)

    def _waiting(self) -> Iterator[Any]:
        yield from (order for order in self.pending if order is not None)
        yield from self.submitted

    # Orders

    def name_orders(self, session: dt.date, identity: str, *, again: bool = False) -> None:
        """Name the orders that follow after a session and a rebalance: the same in every process.

        ``again`` counts on where the journal knows the name: an order to flatten may be given a second time.
        """
        self._name, self._again = (session, identity), again

    def buy(self, owner: Any, data: Any, size: float, **kwargs: Any) -> Any:
        """Give an order for the next open; one that may not be sent is rejected."""
        return self._give("BUY", owner, data, size, kwargs)

    def sell(self, owner: Any, data: Any, size: float, **kwargs: Any) -> Any:
        """Give an order for the next open; one that may not be sent is rejected."""
        return self._give("SELL", owner, data, size, kwargs)

    def _give(self, side: str, owner: Any, data: Any, size: float, kwargs: Mapping[str, Any]) -> Any:
        if kwargs.get("exectype") not in (None, bt.Order.Market) or kwargs.get("price") is not None:
            raise ConfigError(
                "a simulated account fills market orders at the next open and knows no others; leave exectype and "
                "price out"
            )
        info = {name: value for name, value in kwargs.items() if name in ("kind", "on_switch")}
        ticket = self._ticket(data, side, size)
        try:
            if self.admit is not None:
                self.admit(ticket, self._next_id)
        except CheckFailed as error:
            # It may be in the journal all the same, as one that was refused at the last moment.
            self._next_id = self._record.next_order_id
            self.tell(str(error))
            return self._refused(side, owner, data, size, info)
        given = Given(ticket, self._next_id, self._name[0] if self._name else dt.date.min)
        self._next_id += 1
        return self._submit(owner, data, given, info)

    def _ticket(self, data: Any, side: str, size: float) -> OrderTicket:
        if self._name is None:
            raise ConfigError("an order belongs to no rebalance; use a strategy that decides on sessions")
        symbol = data._name
        con_id = self.market.contracts[symbol]
        session, identity = self._name
        number = 1
        ref = order_ref(session, identity, con_id, side, number)
        while self._again and self._record.order(ref) is not None:
            number += 1
            ref = order_ref(session, identity, con_id, side, number)
        return OrderTicket(ref, con_id, symbol, side, abs(int(size)), "MKT", "OPG")

    def _submit(
        self, owner: Any, data: Any, given: Given, info: Mapping[str, Any], *, checked: bool = False
    ) -> Any:
        order = super().buy if given.ticket.side == "BUY" else super().sell
        size = given.ticket.quantity
        return order(
            owner, data, size, exectype=bt.Order.Market, _checksubmit=not checked, given=given, **info
        )

    def _refused(self, side: str, owner: Any, data: Any, size: float, info: Mapping[str, Any]) -> Any:
        made = bt.order.BuyOrder if side == "BUY" else bt.order.SellOrder
        order = made(owner=owner, data=data, size=size, exectype=bt.Order.Market)
        order.addinfo(**info)
        order.reject(self)
        self.notify(order)
        return order

    def resume(self, orders: Iterable[JournalOrder], checked: Callable[[JournalOrder], bool]) -> None:
        """Give orders again that an earlier process gave; the journal has them already."""
        strategy = self.cerebro.runningstrats[0]
        for order in orders:
            intent = order.intent
            given = Given(intent.ticket, intent.order_id, intent.session)
            self._submit(strategy, self._feeds[intent.con_id], given, {}, checked=checked(order))

    def withdraw(self, keep: Callable[[Given], bool], reason: str) -> None:
        """Cancel waiting orders, all but some."""
        for order in list(self._waiting()):
            if "given" in order.info and not keep(order.info["given"]):
                self._withdraw(order, reason)

    def _withdraw(self, order: Any, reason: str) -> None:
        order.addinfo(why=reason)
        if not any(waiting is order for waiting in self.pending):
            # Backtrader cancels only what it has accepted.
            self.submitted.remove(order)
            self.pending.append(order)
        self.cancel(order)

    def cancel_unfilled(self) -> None:
        """Cancel orders that have waited for a bar: a new decision replaces them (rulings 5)."""
        for order in list(self.pending):
            self._withdraw(order, REPLACED)

    # A session

    def next(self) -> None:
        """Fill what waited for this session's open; called by Cerebro in every round."""
        session = self.market.session
        if session is None or session == self._acted:
            return
        self._acted = session
        standing: Standing = self.p.standing
        if self.market.begins:
            self.resume(standing.waiting, standing.checked)
            return
        if self.before_open is not None:
            self.before_open()
        self._act(session)
        super().next()
        self._close_delisted(session)
        if self._takes_up:
            # What a process gave before it died in this session; no later one can have been begun.
            self._takes_up = False
            self.resume((o for o in self._record.orders(session) if not o.is_done), lambda _: False)

    def _act(self, session: dt.date) -> None:
        """Splits, interest and dividends, before the open; nothing is written before all of the past is accepted."""
        splits, orders = self._splits_of_holdings(session), self._splits_of_orders(session)
        if self.p.cash_rate and self.cash > 0:
            interest = self.cash * (1.0 + self.p.cash_rate / 252.0) - self.cash
            self.cash *= 1.0 + self.p.cash_rate / 252.0
            self._record.flow(session, "interest", interest, "", None, "on cash")
        for con_id, split in splits.items():
            self._split(session, con_id, split)
        for con_id, feed in self._feeds.items():
            if self.getposition(feed).size:
                self._pay(session, con_id, feed)
        for order, split in orders:
            self._withdraw(order, f"the share was split {split.new}-for-{split.old} before the open")

    def _splits_of_holdings(self, session: dt.date) -> dict[int, Split]:
        found = {
            con_id: split_between(
                self.market.folder, traded.symbol, "open", traded.session, traded.price, session
            )
            for con_id, traded in self._traded.items()
            if self.getposition(self._feeds[con_id]).size
        }
        return {con_id: split for con_id, split in found.items() if split is not None}

    def _splits_of_orders(self, session: dt.date) -> list[tuple[Any, Split]]:
        """Orders whose shares were split since they were decided."""
        found = []
        prices = self._record.decision_prices({given.session for given in self.given()})
        for order in [o for o in self._waiting() if "given" in o.info]:
            given: Given = order.info["given"]
            price = prices.get(given.ticket.ref)
            if price is None:
                continue
            split = split_between(
                self.market.folder, given.ticket.symbol, "close", given.session, price, session
            )
            if split is not None:
                found.append((order, split))
        return found

    def _split(self, session: dt.date, con_id: int, split: Split) -> None:
        feed, folder = self._feeds[con_id], self.market.folder
        position = self.positions[feed]
        before = float(position.size)
        fraction = divide(position, split)
        self._traded[con_id] = self._traded[con_id].after(split)
        self._record.split(split, feed._name, con_id, before, float(position.size))
        if fraction:
            last = folder.last_bar(feed._name, session - dt.timedelta(days=1))
            usd = 0.0 if last is None else fraction * folder.value("close", feed._name, last)
            self.cash += usd
            text = f"{fraction:g} of a share in cash, {split.new}-for-{split.old} split"
            self._record.flow(session, "corporate_action", usd, feed._name, con_id, text)
        self.tell(f"{feed._name}: {split.reason}, {before:g} shares are {position.size:g} now")

    def _pay(self, session: dt.date, con_id: int, feed: Any) -> None:
        dividend = dividend_usd(self.market.folder, feed._name, session)
        if dividend:
            usd = dividend * float(self.positions[feed].size)
            self.cash += usd
            text = f"{dividend:.6g} USD a share, by the adjusted prices"
            self._record.flow(session, "dividend", usd, feed._name, con_id, text)

    def _close_delisted(self, session: dt.date) -> None:
        """Sell, at the last close, what has had no bar for five sessions (rulings 5)."""
        for con_id, feed in self._feeds.items():
            held = float(self.getposition(feed).size)
            last = self.market.folder.last_bar(feed._name, session) if held else None
            if last is None or self.market.days.passed(last, session) < FRESH_SESSIONS:
                continue
            for order in [o for o in self.pending if o.data is feed]:
                self._withdraw(order, DELISTED)
            self._exit(session, con_id, feed, held)

    def _exit(self, session: dt.date, con_id: int, feed: Any, held: float) -> None:
        identity = rebalance_id("delisted", "", self._record.account, session)
        ref = order_ref(session, identity, con_id, "SELL", 1)
        ticket = OrderTicket(ref, con_id, feed._name, "SELL", int(held), "MKT", "DAY")
        known = self._record.order(ref)
        number = self._next_id if known is None else known.intent.order_id
        self._next_id = max(self._next_id, number + 1)
        self._record.intent(ticket, number, session)
        order = bt.order.SellOrder(owner=None, data=feed, size=held, exectype=bt.Order.Market, simulated=True)
        order.addinfo(delisted=True, given=Given(ticket, number, session))
        self._ocoize(order, None)
        order.submit()
        order.accept()
        self.orders.append(order)
        self._execute(order, ago=0, price=feed.close[0])
        self.tell(f"{feed._name}: {DELISTED}; sold at its last close {feed.close[0]:g}")

    def notify(self, order: Any) -> None:
        """Journal what became of an order, and tell its owner."""
        super().notify(order)
        given: Given | None = order.info.get("given")
        session = self.market.session
        if given is None or session is None:
            return
        ref, opened, closed = (
            given.ticket.ref,
            self.market.days.opens(session),
            self.market.days.closes(session),
        )
        if order.status == bt.Order.Submitted:
            self._record.stage(ref, "working", "", closed)
        elif order.status == bt.Order.Completed:
            # Of the one execution; the order's own average is rounded once more.
            done = order.executed.exbits[-1]
            price, fee = float(done.price), float(done.comm)
            self._traded[given.ticket.con_id] = Traded(given.ticket.symbol, session, price)
            self._record.filled(given.ticket, given.order_id, session, price, fee)
        elif order.status == bt.Order.Margin:
            self._record.stage(ref, "rejected", NO_CASH, opened)
        elif order.status == bt.Order.Canceled:
            self._record.stage(ref, "cancelled", order.info.get("why", ""), closed)
