"""A Backtrader broker on Interactive Brokers: every state, position and dollar comes from the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import backtrader as bt

from ares7.errors import ConfigError
from live.bt_order import PARENT_OF_GROUP, IBOrder, Routing, require_bar, require_supported, ticket_of
from live.client.messages import ContractFacts
from live.client.order_messages import OrderTicket
from live.order_batch import OrderBatch
from live.validity import trading_day

if TYPE_CHECKING:
    from live.store import IBStore


class Positions(Mapping[Any, bt.Position]):
    """Positions by data feed; one that holds nothing is an empty position (Backtrader's contract)."""

    def __init__(self, broker: IBBroker) -> None:
        self._broker = broker

    def __getitem__(self, data: Any) -> bt.Position:
        return self._broker.getposition(data)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._broker.store.datas)

    def __len__(self) -> int:
        return len(self._broker.store.datas)


class IBBroker(bt.BrokerBase):  # type: ignore[misc]
    """Made by `live.store.IBStore.getbroker`.

    A market order leaves at once. Others of one step (``next`` or a notification) leave when the step is over, in order
    of submission: only then are brackets and OCO groups complete.

    Attributes
    ----------
    positions : mapping of feed to Position
    """

    def __init__(self, store: IBStore) -> None:
        super().__init__()
        self.store = store
        self.positions = Positions(self)
        self.startingcash = self.startingvalue = 0.0
        self._batch = OrderBatch()
        self._prices: dict[int, float] = {}

    # Life

    def start(self) -> None:
        """Connect if nobody has; cash and positions are known when this returns."""
        super().start()
        self.store.start(broker=self)
        self.startingcash, self.startingvalue = self.getcash(), self.getvalue()

    def stop(self) -> None:
        """Withdraw what was not written; cash and value are answered from memory, also after the store has stopped."""
        for order in self._batch.drop_all():
            del self.store.events.orders[order.ib_ref]
            self._withdrawn(order, "the run ended before it was sent")

    def next(self) -> None:
        """Take in what arrived; called by Cerebro in every round, with or without a bar."""
        self.store.begin_round()
        self.store.pump()

    def get_notification(self) -> Any:
        """Return the next notification, or None."""
        return self.store.events.next_notification()

    # Account

    def getcash(self) -> float:
        """Cash in USD."""
        return self.store.holdings.cash

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:
        """Market value of these positions, or of the whole account with its cash.

        A position is valued at the close of the latest bar of its feed, at its average cost without one.
        """
        holdings = self.store.holdings
        if datas is None:
            return holdings.cash + sum(self.worth(con_id) for con_id in holdings.positions)
        return sum(self.worth(facts.con_id) for facts in map(facts_of, datas) if facts is not None)

    get_value = getvalue

    def worth(self, con_id: int) -> float:
        """Market value of a position, USD; at its average cost while its feed has no bar."""
        position = self.store.holdings.positions.get(con_id)
        return 0.0 if position is None else position.size * self._prices.get(con_id, position.price)

    def mark(self, con_id: int, price: float) -> None:
        """Value a contract at the close of its latest bar."""
        self._prices[con_id] = price

    def getposition(self, data: Any, clone: bool = True) -> bt.Position:
        """Return what is held of a feed's contract."""
        facts = facts_of(data)
        held = None if facts is None else self.store.holdings.positions.get(facts.con_id)
        if held is None:
            return bt.Position()
        return held.clone() if clone else held

    # Orders

    def buy(self, owner: Any, data: Any, size: float, **kwargs: Any) -> IBOrder:
        """Send a buy order at the end of this step; see `live.bt_order.ticket_of` for what it becomes.

        Raises
        ------
        ConfigError
            There is no such order type here, or the feed has no bar yet.
        """
        return self._made("BUY", owner, data, size, kwargs)

    def sell(self, owner: Any, data: Any, size: float, **kwargs: Any) -> IBOrder:
        """Send a sell order; as `buy`."""
        return self._made("SELL", owner, data, size, kwargs)

    def _made(self, action: str, owner: Any, data: Any, size: float, kwargs: dict[str, Any]) -> IBOrder:
        require_supported(kwargs.get("exectype"))
        require_bar(data)
        kwargs["pricelimit"] = kwargs.pop("plimit", None)
        kwargs.pop("histnotify", None)
        order = IBOrder(action, owner=owner, data=data, size=size, **kwargs)
        order.addcomminfo(self.getcommissioninfo(data))
        return self.submit(order)

    def submit(self, order: IBOrder) -> IBOrder:
        """Take an order, or reject it here with the reason."""
        order.submit(self)
        facts = facts_of(order.data)
        if facts is None:
            return self._refused(order, "the feed is not one of this store")
        asked = order.created.size
        reason = self.store.why_not_trade(order.data)
        if not order.make_whole(facts.lot):
            reason = f"{abs(asked):g} shares are less than the smallest quantity"
        if not reason and order.parent is not None and not order.parent.alive():
            reason = "its parent is done"
        if not reason:
            order.ib_ref = self.store.desk.new_ref(facts, order.side)
            reason = "" if _stands_alone(order) else self._batch.hold(order)
        if reason:
            return self._refused(order, reason)
        self.store.events.orders[order.ib_ref] = order
        self.store.events.notify(order)
        if _stands_alone(order):
            self._write([order])
        return order

    def _refused(self, order: IBOrder, reason: str) -> IBOrder:
        self.store.events.refuse(order, reason)
        if order.parent is not None and order.parent in self._batch:
            # Half a bracket would be an entry without its stop.
            for mine in self._batch.drop(order.parent):
                del self.store.events.orders[mine.ib_ref]
                self.store.events.refuse(mine, f"a part of its bracket was refused: {reason}")
        return order

    def flush(self) -> None:
        """Write the orders of the step that is over. Called in every round, before anything is read."""
        if not len(self._batch):
            return
        for group in self._batch.take():
            self._write(group)

    def _write(self, group: list[IBOrder]) -> None:
        try:
            tickets = self._tickets(group)
        except ConfigError as error:
            self._not_sent(group, dict.fromkeys((order.ib_ref for order in group), str(error)))
            return
        if self.store.options.shadow:
            self._shown(group, tickets)
        else:
            self._not_sent(group, self.store.desk.send(tickets))

    def _tickets(self, group: list[IBOrder]) -> list[OrderTicket]:
        store = self.store
        options = store.options
        day = trading_day(store.now(), store.calendar, options.opening_cutoff, options.closing_cutoff)
        tickets = []
        for i, order in enumerate(group):
            daily = order.data._timeframe >= bt.TimeFrame.Days
            parent = PARENT_OF_GROUP if i else self._parent_id(order)
            routing = Routing(day, daily, parent, transmit=i == len(group) - 1)
            facts: Any = facts_of(order.data)
            tickets.append(ticket_of(order, facts, routing))
        return tickets

    def _parent_id(self, order: IBOrder) -> int:
        """Order id of a parent that was sent in an earlier step."""
        if order.parent is None:
            return 0
        known = self.store.book.orders.get(order.parent.ib_ref)
        if known is None:
            raise ConfigError("the parent of this order was never sent; its children cannot be")
        return known.order_id

    def _not_sent(self, group: list[IBOrder], reasons: dict[str, str]) -> None:
        for order in group:
            if order.ib_ref in reasons:
                del self.store.events.orders[order.ib_ref]
                self._refused(order, reasons[order.ib_ref])

    def _shown(self, group: list[IBOrder], tickets: list[OrderTicket]) -> None:
        """In a shadow run an order is shown and cancelled: nothing will come of it."""
        self.store.desk.show(tickets)
        for order in group:
            del self.store.events.orders[order.ib_ref]
            self._withdrawn(order, "shadow")

    def _withdrawn(self, order: IBOrder, reason: str) -> None:
        order.reason = reason
        order.cancel()
        self.store.events.notify(order)

    def cancel(self, order: IBOrder) -> None:
        """Ask the gateway to cancel; the order is cancelled when the wire says so."""
        if order in self._batch:
            for mine in self._batch.drop(order):
                del self.store.events.orders[mine.ib_ref]
                self._withdrawn(mine, "cancelled before it was sent")
            return
        known = self.store.book.orders.get(order.ib_ref)
        if known is not None and not known.stage.is_done:
            self.store.desk.cancel(known)

    def orderstatus(self, order: IBOrder) -> int:
        """Backtrader's status of an order."""
        return int(self.store.events.orders.get(order.ib_ref, order).status)

    def get_orders_open(self, safe: bool = False) -> list[IBOrder]:
        """Orders that may still fill."""
        found = [order for order in self.store.events.orders.values() if order.alive()]
        return [order.clone() for order in found] if safe else found

    def open_shares(self, data: Any) -> float:
        """Signed shares that working orders of this contract may still trade, those of this step included."""
        facts = facts_of(data)
        if facts is None:
            return 0.0
        held = [o for o in self.get_orders_open() if o in self._batch and facts_of(o.data) == facts]
        return float(self.store.book.open_shares(facts.con_id) + sum(order.created.size for order in held))

    # What has no counterpart

    def set_coo(self, coo: bool) -> None:
        """Refuse cheat-on-open, which exists in backtests only."""
        if coo:
            raise ConfigError(
                "cheat_on_open exists in backtests only; remove it from the Cerebro that trades live"
            )

    def add_order_history(self, orders: Any, notify: bool = False) -> None:
        """Refuse: past orders cannot be sent."""
        raise ConfigError(
            "an order history cannot be replayed on Interactive Brokers; remove add_order_history"
        )

    def set_fund_history(self, fund: Any) -> None:
        """Refuse: the account's value comes from the gateway."""
        raise ConfigError("a fund history cannot be set on Interactive Brokers; remove set_fund_history")


def _stands_alone(order: IBOrder) -> bool:
    """Nothing of the same step can belong to it."""
    alone = order.parent is None and order.oco is None and bool(order.transmit)
    return alone and order.exectype in (order.Market, order.Close)


def facts_of(data: Any) -> ContractFacts | None:
    """Contract of a feed, or of the feed that it is a clone of; None for a feed of another store."""
    while getattr(data, "_clone", False):
        data = data.data
    return getattr(data, "facts", None)
