"""The order engine: acceptance, waiting, fills, cancellation and expiry, on the virtual clock.

It knows nothing of sockets. What happens is told to a `Listener`, in the order in which the gateway says it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ares7.costs import CostModel
from live.double import checks
from live.double.account import Account
from live.double.clock import Clock
from live.double.knobs import Knobs
from live.double.market import Listing, Market
from live.double.orders import Execution, Order, Refused, conform, prices
from live.double.working import work


class Listener(Protocol):
    """Who is told what happens."""

    def order_changed(self, order: Order, *, status: bool = True) -> None:
        """Open order, and its status unless ``status`` is false."""

    def order_error(self, order: Order, code: int, text: str) -> None:
        """Message about an order."""

    def executed(self, execution: Execution) -> None:
        """One fill."""

    def commission(self, execution: Execution) -> None:
        """The cost of a fill."""

    def position_changed(self, account: Account, listing: Listing) -> None:
        """A position has another size or cost."""


class Engine:
    """Every order of every client, the executions, and the accounts.

    Parameters
    ----------
    market, clock, knobs, costs
        What orders meet.
    accounts : iterable of Account
    listener : Listener
    nonce : int
        Part of execution ids and first permanent id; tells two gateways apart.

    Attributes
    ----------
    orders : dict of (client id, order id) to Order
        The latest order of each id.
    every : list of Order
        All orders, in the order of acceptance.
    executions : list of Execution
        Without those that a correction replaced.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock,
        accounts: Iterable[Account],
        listener: Listener,
        *,
        knobs: Knobs,
        costs: CostModel,
        nonce: int = 0xA7,
    ) -> None:
        self.market, self.clock, self.listener = market, clock, listener
        self.knobs, self.costs, self.nonce = knobs, costs, nonce
        self.accounts = {account.name: account for account in accounts}
        self.orders: dict[tuple[int, int], Order] = {}
        self.every: list[Order] = []
        self.executions: list[Execution] = []
        self.live: dict[int, Order] = {}
        self._reserved = dict.fromkeys(self.accounts, 0.0)
        self._perm_id = nonce * 1_000_000
        self._executed = 0

    # Orders come in.

    def place(self, client_id: int, raw: dict[str, Any]) -> Order | None:
        """Accept, change or refuse what a client sends.

        Returns
        -------
        Order or None
            None when it was refused without being kept.

        Raises
        ------
        Refused
            The client is told the code; an order that is kept as Inactive was announced before.
        """
        if self.knobs.read_only:
            raise Refused(
                321,
                "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode.",
            )
        listing = checks.contract(self.market, raw)
        if listing.kind == "IND" or listing.column < 0:
            raise Refused(201, "Order rejected - reason:This contract is not available for trading.")
        try:
            checks.fields(raw, self.knobs)
        except Refused as refusal:
            if refusal.inactive:
                self._keep_inactive(self._new(client_id, raw, listing), refusal)
            raise
        key = client_id, int(raw["orderId"])
        if (old := self.orders.get(key)) is not None:
            checks.modification(old, raw, listing)
            return self._modify(old, raw)
        order = self._new(client_id, raw, listing)
        if raw["whatIf"] == "1":
            order.status = "PreSubmitted"
            self.listener.order_changed(order, status=False)
            return None
        self._check(order)
        self.orders[key] = order
        self.every.append(order)
        self._accept(order)
        return order

    def new_perm_id(self) -> int:
        """A permanent id that no order has."""
        self._perm_id += 1
        return self._perm_id

    def _new(self, client_id: int, raw: dict[str, Any], listing: Listing) -> Order:
        account = checks.account(list(self.accounts), raw["account"])
        kind = conform(raw["orderType"])
        limit, stop = prices(kind, raw)
        return Order(
            order_id=int(raw["orderId"]),
            client_id=client_id,
            perm_id=self.new_perm_id(),
            listing=listing,
            account=account,
            action="SELL" if raw["action"] == "SSHORT" else raw["action"],
            quantity=float(raw["totalQuantity"]),
            kind=kind,
            limit=limit,
            stop=stop,
            tif=raw["tif"] or "DAY",
            oca=raw["ocaGroup"],
            parent_id=int(raw["parentId"] or 0),
            ref=raw["orderRef"],
            transmit=raw["transmit"] == "1",
            raw=raw,
            placed_at=self.clock.now,
        )

    def _check(self, order: Order) -> None:
        try:
            checks.auction(order, self.market, self.clock, self.knobs)
            ahead = sum(
                o.sign * o.remaining
                for o in self.live.values()
                if o.listing is order.listing and o.account == order.account and o.sign == order.sign
            )
            owner, reserved = self.accounts[order.account], self._reserved[order.account]
            order.reserved = checks.funds(order, owner, self.market, ahead, reserved, self.knobs)
        except Refused as refusal:
            self._keep_inactive(order, refusal)
            raise

    def _keep_inactive(self, order: Order, refusal: Refused) -> None:
        """Say the error first, then the order with its status, as is reported of rejected orders."""
        self.orders[order.client_id, order.order_id] = order
        self.every.append(order)
        order.status, order.ended_at, order.ended_as = "Inactive", self.clock.now, refusal.text
        self.listener.order_error(order, refusal.code, refusal.text)
        self.listener.order_changed(order)

    def _accept(self, order: Order) -> None:
        self.live[order.perm_id] = order
        self._reserved[order.account] += order.reserved
        if order.parent_id:
            parent = self.orders.get((order.client_id, order.parent_id))
            order.waits = parent is None or parent.status != "Filled"
        if not order.raw["tif"]:
            self.listener.order_error(order, 10349, "Order TIF was set to DAY based on order preset.")
        if not order.transmit:
            order.waits = True
            return
        for other in [*self._family(order), order]:
            if not other.announced:
                other.transmit = True
                self._announce(other)

    def _family(self, order: Order) -> list[Order]:
        """Parent first, then the earlier children, that were not transmitted."""
        if not order.parent_id:
            return []
        return [
            other
            for other in self.live.values()
            if other.client_id == order.client_id
            and not other.announced
            and (other.order_id == order.parent_id or other.parent_id == order.parent_id)
            and other is not order
        ]

    def _announce(self, order: Order) -> None:
        order.announced = True
        if not order.parent_id:
            order.waits = False
        if self.knobs.hold_orders:
            order.waits = True
            return
        work(self, order)

    def _modify(self, order: Order, raw: dict[str, Any]) -> Order:
        order.quantity = max(float(raw["totalQuantity"]), order.filled)
        order.limit, order.stop = prices(order.kind, raw)
        order.raw, order.placed_at = raw, self.clock.now
        order.transmit = raw["transmit"] == "1"
        order.stop_timers()
        if order.transmit:
            self._announce(order)
        return order

    # Orders go.

    def cancel(self, order: Order) -> None:
        """Cancel at a client's request.

        Raises
        ------
        Refused
            10148 when it is done, 161 when a cancellation is on its way.
        """
        if order.status == "PendingCancel":
            raise Refused(
                161,
                "Cancel attempted when order is not in a cancellable state.  Order permId = "
                + str(order.perm_id),
            )
        if not order.live:
            raise Refused(
                10148,
                f"OrderId {order.order_id} that needs to be cancelled can not be cancelled, state: {order.status}.",
            )
        if self.knobs.cancel_delay:
            order.status = "PendingCancel"
            self.listener.order_changed(order)
            self.clock.at(self.clock.now + self.knobs.cancel_delay, lambda: self._cancelled(order))
        else:
            self._cancelled(order)

    def _cancelled(self, order: Order) -> None:
        if order.live:
            self.end(order, "Cancelled", "Cancelled by Trader")
            self.listener.order_error(order, 202, "Order Canceled - reason:")

    def end(self, order: Order, status: str, text: str) -> None:
        """Take a live order off: cancelled or expired. Its children go with it."""
        if not order.live:
            return
        order.stop_timers()
        order.status, order.ended_at, order.ended_as = status, self.clock.now, text
        self._forget(order)
        self.listener.order_changed(order)
        if not order.filled:
            for child in self._children(order):
                self.end(child, "Cancelled", "Parent order was cancelled")

    def _forget(self, order: Order) -> None:
        del self.live[order.perm_id]
        left = order.remaining / order.quantity if order.quantity else 0.0
        self._reserved[order.account] -= order.reserved * left
        if not any(other.account == order.account for other in self.live.values()):
            self._reserved[order.account] = 0.0

    def _children(self, order: Order) -> list[Order]:
        key = order.client_id, order.order_id
        return [other for other in self.live.values() if (other.client_id, other.parent_id) == key]

    # Fills.

    def fill(self, order: Order, shares: float, price: float, exchange: str = "") -> Execution | None:
        """Fill part or all of a live order at a price now."""
        shares = min(shares, order.remaining)
        if shares <= 0 or not order.live:
            return None
        execution = self.book(order, shares, price, exchange or order.listing.exchange)
        done = order.remaining == 0
        if done:
            order.stop_timers()
            order.status, order.ended_at = "Filled", self.clock.now
            order.ended_as = f"Filled Size: {order.filled:.0f}"
            self._forget(order)
        self._tell(order, execution)
        if done:
            self._after_filling(order)
        if order.oca or order.parent_id:
            self._cancel_group(order)
        return execution

    def book(self, order: Order, shares: float, price: float, exchange: str) -> Execution:
        """Put an execution into the books, whatever the order's state; nobody is told."""
        owner = self.accounts[order.account]
        order.filled += shares
        order.value += shares * price
        order.last_price = price
        total = float(self.costs.fees(order.filled, order.average))  # type: ignore[arg-type]
        fee, order.fee = total - order.fee, total
        self._reserved[order.account] -= order.reserved * shares / order.quantity
        realized = owner.trade(order.listing, order.sign * shares, price, fee)
        self._executed += 1
        execution = Execution(
            exec_id=f"{self.nonce:08x}.{self._executed:08x}.01.01",
            order=order,
            time=self.clock.now,
            shares=shares,
            price=price,
            cumulative=order.filled,
            average=order.average,
            exchange=exchange,
            fee=fee,
            realized=realized,
        )
        order.executions.append(execution)
        self.executions.append(execution)
        return execution

    def revive(self, order: Order) -> None:
        """Put an order among the live ones that a client did not send just now, and let it work."""
        order.announced = True
        if order not in self.every:
            self.every.append(order)
        self.live[order.perm_id] = order
        self._reserved[order.account] += order.reserved * order.remaining / order.quantity
        order.ended_at, order.ended_as = 0.0, ""
        if not order.waits:
            work(self, order)

    def suspend(self, order: Order) -> None:
        """Make a live order Inactive: it does not work, and may be revived."""
        if order.live:
            order.stop_timers()
            order.status = "Inactive"
            self._forget(order)
            self.listener.order_changed(order)

    def _tell(self, order: Order, execution: Execution) -> None:
        when = self.knobs.commission
        execution.reported = when in ("normal", "before")
        if when == "before":
            self.listener.commission(execution)
        self.listener.executed(execution)
        self.listener.order_changed(order, status=not self.knobs.skip_status)
        if when == "normal":
            if not order.live:
                self.listener.order_changed(order, status=False)
            self.listener.commission(execution)
        elif when == "late":
            self.clock.at(self.clock.now + self.knobs.commission_delay, lambda: self._report(execution))
        self.listener.position_changed(self.accounts[order.account], order.listing)

    def _report(self, execution: Execution) -> None:
        execution.reported = True
        self.listener.commission(execution)

    def _after_filling(self, order: Order) -> None:
        for child in self._children(order):
            child.waits = False
            work(self, child)

    def _cancel_group(self, order: Order) -> None:
        """One cancels all: the group, or the other children of a bracket."""
        for other in list(self.live.values()):
            siblings = order.parent_id and (other.client_id, other.parent_id) == (
                order.client_id,
                order.parent_id,
            )
            group = order.oca and other.oca == order.oca and other.account == order.account
            if other is not order and (siblings or group):
                self.end(other, "Cancelled", "One Cancels All")
                self.listener.order_error(other, 202, "Order Canceled - reason:")
