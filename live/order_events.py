"""What the wire says about orders, as Backtrader's states, executions and notifications."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from live.account_watch import AccountWatch
from live.bt_order import IBOrder
from live.holdings import Holdings, Moved
from live.order_desk import OrderDesk
from live.order_state import Booking, Change, Doubt, FeeBooking, HeldTwice, Known, Stage, StageChange
from live.store_options import StoreOptions
from live.trading_clock import Calendar

FLAT = 1e-9
"""Shares: an order whose executions net to nothing cannot be told to Backtrader, which divides by them."""


@dataclass(slots=True)
class _Pending:
    """An execution that waits for its fee."""

    order: IBOrder
    booking: Booking
    moved: Moved
    since: dt.datetime


class OrderEvents:
    """Turns changes of the order book into notifications.

    Parameters
    ----------
    holdings, desk, watch, options
        Parts of the store.
    now, note : callable
    calendar : callable
        The exchange's sessions.

    Attributes
    ----------
    orders : dict of reference to IBOrder
    frozen : dict of contract id to str
        Contracts that are not traded any more, and why.
    """

    def __init__(
        self,
        holdings: Holdings,
        desk: OrderDesk,
        watch: AccountWatch,
        options: StoreOptions,
        now: Callable[[], dt.datetime],
        note: Callable[[str], None],
        calendar: Callable[[], Calendar],
    ) -> None:
        self.orders: dict[str, IBOrder] = {}
        self.frozen: dict[int, str] = {}
        self._known: Callable[[str], Known] = lambda ref: watch.book.orders[ref]
        self._holdings, self._desk, self._watch, self._options = holdings, desk, watch, options
        self._now, self._note, self._calendar = now, note, calendar
        self._notifications: collections.deque[IBOrder] = collections.deque()
        self._waiting: dict[str, _Pending] = {}
        self._estimates: dict[str, tuple[IBOrder, float]] = {}

    def next_notification(self) -> IBOrder | None:
        """Return the next notification, or None."""
        return self._notifications.popleft() if self._notifications else None

    def notify(self, order: IBOrder) -> None:
        """Queue a clone: cloning is what tells Backtrader which executions are new (strategy.py:503)."""
        self._notifications.append(order.clone())

    def apply(self, changes: list[Change]) -> None:
        """Apply what the order book made of a message."""
        for change in changes:
            match change:
                case Booking():
                    self._book(change)
                case FeeBooking():
                    self._fee(change)
                case StageChange():
                    self._stage(change)
                case Doubt():
                    self._desk.in_doubt(change.ref, change.reason)
                case HeldTwice():
                    self._held_twice(change.ref)

    def _held_twice(self, ref: str) -> None:
        ticket = self._known(ref).ticket
        text = f"the gateway holds order {ref} of {ticket.symbol} twice; cancel one by hand in TWS"
        self.frozen[ticket.con_id] = text
        self._note(text)

    # States

    def _stage(self, change: StageChange) -> None:
        order = self.orders.get(change.ref)
        if order is None:
            return
        if change.stage is Stage.WORKING and order.status in (
            order.Submitted,
            order.Rejected,
            order.Canceled,
        ):
            order.accept(order.broker)
            self.notify(order)
        elif change.stage is Stage.REJECTED:
            self.refuse(order, change.reason)
            self._end_children(order)
        elif change.stage is Stage.CANCELLED:
            order.reason = change.reason
            self._desk.settle_cancel(change.ref)

    def refuse(self, order: IBOrder, reason: str) -> None:
        """Tell that an order is rejected."""
        order.reason = reason
        order.reject(order.broker)
        self.notify(order)
        self._note(f"order for {order.data._name} rejected: {reason}")

    def _end_children(self, parent: IBOrder) -> None:
        """Cancel what waits for an order that will never fill."""
        for ref, order in self.orders.items():
            if order.parent is parent and order.alive():
                self._desk.cancel(self._known(ref))

    def cancelled(self, ref: str) -> None:
        """Tell that an order is cancelled or expired, unless a fill has overtaken that."""
        order, known = self.orders.get(ref), self._known(ref)
        if order is None or not order.alive() or known.stage is not Stage.CANCELLED:
            return
        if self._expired(known):
            order.expire()
        else:
            order.cancel()
        self.notify(order)

    def _expired(self, known: Known) -> bool:
        """Nobody asked for it, and its time is over."""
        tif = known.ticket.tif
        if known.cancel_asked or tif not in ("DAY", "GTD", "OPG"):
            return False
        session = self._calendar().coming(known.sent)
        return self._now() >= (session.opens if tif == "OPG" else session.closes)

    # Executions

    def _book(self, booking: Booking) -> None:
        moved = self._holdings.book(booking)
        self._watch.booked(booking.con_id)
        order = self.orders.get(booking.ref)
        if booking.corrects:
            self._note(
                f"execution {booking.root} was corrected from {booking.was[0]:g} at {booking.was[1]:g} to "
                f"{booking.is_now[0]:g} at {booking.is_now[1]:g}"
            )
        if order is None or booking.shares == 0:
            return
        earlier = self._waiting.pop(booking.root, None)
        if earlier is not None:
            self._execute(earlier, 0.0)
        if abs(order.executed.size + booking.shares) < FLAT:
            return
        self._waiting[booking.root] = _Pending(order, booking, moved, self._now())

    def _fee(self, fee: FeeBooking) -> None:
        self._holdings.charge(fee.cash)
        self._watch.booked()
        pending = self._waiting.pop(fee.root, None)
        if pending is not None:
            self._execute(pending, fee.amount)
        elif fee.root in self._estimates:
            # Told with an estimate: later notifications of the order carry the right sum.
            order, estimate = self._estimates.pop(fee.root)
            order.executed.comm += fee.amount - estimate

    def release(self, now: dt.datetime) -> None:
        """Tell executions whose fee is late, with Backtrader's estimate of it; cash waits for the real one."""
        for root, pending in list(self._waiting.items()):
            if now - pending.since >= self._options.commission_wait:
                del self._waiting[root]
                booking, info = pending.booking, pending.order.comminfo
                estimate = info.getcommission(booking.shares, booking.price)
                self._estimates[root] = pending.order, estimate
                self._execute(pending, estimate)

    def _execute(self, pending: _Pending, fee: float) -> None:
        order, booking, moved = pending.order, pending.booking, pending.moved
        a_share = fee / abs(booking.shares)
        opened, closed, price = moved.opened, moved.closed, booking.price
        when: Any = bt.date2num(booking.time_utc.replace(tzinfo=None))
        info = order.comminfo
        order.execute(
            when,
            booking.shares,
            price,
            closed,
            info.getvaluesize(-closed, moved.price_before),
            abs(closed) * a_share,
            opened,
            info.getvaluesize(opened, price),
            abs(opened) * a_share,
            0.0,
            info.profitandloss(-closed, moved.price_before, price),
            moved.size,
            moved.price,
        )
        ended = order.status in (order.Completed, order.Canceled, order.Expired)
        if not ended or (order.status != order.Completed and self._is_full(order)):
            waits = any(other.order is order for other in self._waiting.values())
            order.status = order.Completed if self._is_full(order) and not waits else order.Partial
        self.notify(order)

    def _is_full(self, order: IBOrder) -> bool:
        return self._known(order.ib_ref).stage is Stage.FILLED
