"""A Backtrader broker on Interactive Brokers: every state, position and dollar comes from the wire."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import backtrader as bt

from ares7.errors import ConfigError
from live.bt_order import IBOrder, Routing, ticket_of, whole_shares
from live.client.order_messages import OrderTicket
from live.holdings import Holdings
from live.order_book import Booking, Doubt, FeeBooking, Known, Stage, StageChange

if TYPE_CHECKING:
    from live.client.messages import Message
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

    Attributes
    ----------
    holdings : Holdings
        Positions and cash: the gateway's at the last synchronisation, and every execution since.
    """

    def __init__(self, store: IBStore) -> None:
        super().__init__()
        self.store = store
        self.holdings = Holdings()
        self.positions = Positions(self)
        self.startingcash = self.startingvalue = 0.0
        self._notifications: collections.deque[Any] = collections.deque()
        self._orders: dict[str, IBOrder] = {}
        self._waiting: dict[str, _Pending] = {}
        self._cancelling: dict[str, dt.datetime] = {}
        self._prices: dict[int, float] = {}

    # -- life cycle -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect if nobody has; cash and positions are known when this returns."""
        super().start()
        self.store.start(broker=self)
        self.startingcash, self.startingvalue = self.getcash(), self.getvalue()

    def stop(self) -> None:
        """Nothing to do: cash and value are answered from memory, also after the store has stopped."""

    def next(self) -> None:
        """Take in what arrived; called by Cerebro in every round, with or without a bar."""
        self.store.pump()
        self._release(self.store.now())

    def get_notification(self) -> Any:
        """Return the next notification, or None."""
        return self._notifications.popleft() if self._notifications else None

    # -- account ----------------------------------------------------------------------------------------------

    def getcash(self) -> float:
        """Cash in the account's currency."""
        return self.holdings.cash

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:
        """Market value of these positions, or of the whole account with its cash.

        A position whose feed has no bar yet is valued at its average cost.
        """
        if datas is not None:
            return sum(self._worth(data.facts.con_id) for data in datas if data.facts is not None)
        return self.holdings.cash + sum(self._worth(con_id) for con_id in self.holdings.positions)

    get_value = getvalue

    def _worth(self, con_id: int) -> float:
        position = self.holdings.positions.get(con_id)
        return 0.0 if position is None else position.size * self._prices.get(con_id, position.price)

    def mark(self, con_id: int, price: float) -> None:
        """Value a contract at the close of its latest bar."""
        self._prices[con_id] = price

    def getposition(self, data: Any, clone: bool = True) -> bt.Position:
        """Return what is held of a feed's contract."""
        held = self.holdings.positions.get(data.facts.con_id) if data.facts is not None else None
        if held is None:
            return bt.Position()
        return held.clone() if clone else held

    def getcommissioninfo(self, data: Any) -> Any:
        """Commission scheme of a feed; fees of executions come from the wire."""
        return super().getcommissioninfo(data)

    # -- orders -----------------------------------------------------------------------------------------------

    def buy(self, owner: Any, data: Any, size: float, **kwargs: Any) -> IBOrder:
        """Send a buy order; see `live.bt_order.ticket_of` for what it becomes."""
        return self._made("BUY", owner, data, size, kwargs)

    def sell(self, owner: Any, data: Any, size: float, **kwargs: Any) -> IBOrder:
        """Send a sell order."""
        return self._made("SELL", owner, data, size, kwargs)

    def _made(self, action: str, owner: Any, data: Any, size: float, kwargs: dict[str, Any]) -> IBOrder:
        kwargs["pricelimit"] = kwargs.pop("plimit", None)
        kwargs.pop("histnotify", None)
        order = IBOrder(action, owner=owner, data=data, size=size, **kwargs)
        order.addcomminfo(self.getcommissioninfo(data))
        return self.submit(order)

    def submit(self, order: IBOrder) -> IBOrder:
        """Write an order to the gateway, or reject it here with the reason."""
        order.submit(self)
        reason = self.store.why_not_trade(order.data)
        routing = Routing(self.store.market_is_open(), whole_shares(order.created.size, order.data.facts.lot))
        if not reason and routing.whole == 0:
            reason = f"{abs(order.created.size):g} shares are less than the smallest quantity"
        if reason:
            return self._refused(order, reason)
        order.ib_ref = self.store.new_ref(order.data.facts, "BUY" if order.isbuy() else "SELL")
        self._orders[order.ib_ref] = order
        try:
            parent = self._parent_id(order)
            ticket = ticket_of(order, order.data.facts, order.ib_ref, routing, parent)
        except ConfigError as error:
            del self._orders[order.ib_ref]
            return self._refused(order, str(error))
        order.size = order.created.size = ticket.quantity if order.isbuy() else -ticket.quantity
        order.created.remsize = order.executed.remsize = order.created.size
        self._notify(order)
        self._send(order, ticket)
        return order

    def _send(self, order: IBOrder, ticket: OrderTicket) -> None:
        reason = self.store.send(ticket)
        if reason:
            del self._orders[order.ib_ref]
            self._refused(order, reason)

    def _parent_id(self, order: IBOrder) -> int:
        if order.parent is None:
            return 0
        known = self.store.book.orders.get(order.parent.ib_ref)
        if known is None:
            raise ConfigError("the parent of this order was never sent; its children cannot be")
        return known.order_id

    def _refused(self, order: IBOrder, reason: str) -> IBOrder:
        order.reason = reason
        order.reject(self)
        self._notify(order)
        self.store.note(f"order for {order.data._name} not sent: {reason}")
        return order

    def cancel(self, order: IBOrder) -> None:
        """Ask the gateway to cancel; the order is cancelled when the wire says so."""
        known = self.store.book.orders.get(order.ib_ref)
        if known is not None and not known.stage.is_final:
            self.store.cancel(known)

    def orderstatus(self, order: IBOrder) -> int:
        """Backtrader's status of an order."""
        return int(order.status)

    def get_orders_open(self, safe: bool = False) -> list[IBOrder]:
        """Orders that may still fill."""
        found = [order for order in self._orders.values() if order.alive()]
        return [order.clone() for order in found] if safe else found

    def open_shares(self, data: Any) -> float:
        """Signed shares that working orders of this contract may still trade."""
        return self.store.book.open_shares(data.facts.con_id)

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

    # -- what the wire says -----------------------------------------------------------------------------------

    def synchronise(self, cash: float, positions: Mapping[int, tuple[float, float]]) -> None:
        """Adopt the gateway's cash and positions: shares and average cost by contract."""
        self.holdings.adopt(cash, positions)

    def on_changes(self, changes: list[Any]) -> None:
        """Apply what the order book made of a message."""
        for change in changes:
            if isinstance(change, Booking):
                self._book(change)
            elif isinstance(change, FeeBooking):
                self._fee(change)
            elif isinstance(change, StageChange):
                self._stage(change)
            elif isinstance(change, Doubt):
                self.store.in_doubt(change.ref, change.reason)

    def on_message(self, message: Message) -> None:
        """Feed one message to the order book and apply what follows."""
        self.on_changes(self.store.handle_order_message(message))

    def _book(self, booking: Booking) -> None:
        moved = self.holdings.book(booking)
        order = self._orders.get(booking.ref)
        if order is None or booking.shares == 0:
            return
        earlier = self._waiting.pop(booking.root, None)
        if earlier is not None:
            self._execute(earlier, 0.0)
        self._waiting[booking.root] = _Pending(order, booking, moved, self.store.now())

    def _fee(self, fee: FeeBooking) -> None:
        self.holdings.charge(fee.amount)
        pending = self._waiting.pop(fee.root, None)
        if pending is not None:
            self._execute(pending, fee.amount)

    def _release(self, now: dt.datetime) -> None:
        """Notify executions whose commission is late with a fee of 0, and cancellations that nothing followed."""
        for root, pending in list(self._waiting.items()):
            if now - pending.since >= self.store.options.commission_wait:
                del self._waiting[root]
                self._execute(pending, 0.0)
        for ref, since in list(self._cancelling.items()):
            if now - since >= self.store.options.cancel_settle:
                del self._cancelling[ref]
                self._cancelled(self._orders[ref])

    def _cancelled(self, order: IBOrder) -> None:
        if order.status != order.Completed:
            order.cancel()
            self._notify(order)

    def _execute(self, pending: _Pending, fee: float) -> None:
        order, booking, moved = pending.order, pending.booking, pending.moved
        share = fee / abs(booking.shares)
        info = order.comminfo
        order.execute(
            order.data.datetime[0],
            booking.shares,
            booking.price,
            moved.closed,
            abs(moved.closed) * booking.price,
            abs(moved.closed) * share,
            moved.opened,
            abs(moved.opened) * booking.price,
            abs(moved.opened) * share,
            0.0,
            info.profitandloss(-moved.closed, moved.price_before, booking.price),
            moved.size,
            moved.price,
        )
        known = self.store.book.orders[booking.ref]
        done = known.stage is Stage.FILLED and not any(p.order is order for p in self._waiting.values())
        order.status = order.Completed if done else order.Partial
        self._notify(order)

    def _stage(self, change: StageChange) -> None:
        order = self._orders.get(change.ref)
        if order is None:
            return
        if change.stage is Stage.WORKING and order.status == order.Submitted:
            order.accept(self)
            self._notify(order)
        elif change.stage is Stage.REJECTED:
            order.reason = change.reason
            order.reject(self)
            self._notify(order)
        elif change.stage is Stage.CANCELLED:
            self._cancelling[change.ref] = self.store.now()

    def forget(self, known: Known) -> None:
        """Drop an order that never left; used where a send failed before the socket."""
        self._orders.pop(known.ticket.ref, None)

    def _notify(self, order: IBOrder) -> None:
        self._notifications.append(order.clone())


class _Pending:
    """An execution that waits for its commission."""

    __slots__ = ("booking", "moved", "order", "since")

    def __init__(self, order: IBOrder, booking: Booking, moved: Any, since: dt.datetime) -> None:
        self.order, self.booking, self.moved, self.since = order, booking, moved, since
