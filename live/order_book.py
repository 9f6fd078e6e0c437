"""Orders by what the wire said about them, and by nothing else (C11; live_ib R7).

An order is known by its reference. Errors on its id, silence, a lost connection and what a client library believes
change no state here: they make the order *doubtful*, and doubt is settled by asking the gateway.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from live.client.messages import ErrorMessage
from live.client.order_messages import (
    Commission,
    CompletedOrder,
    Execution,
    OpenOrder,
    OrderStatus,
    OrderTicket,
)

WORKING = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")
CANCELLED = ("Cancelled", "ApiCancelled")
REJECTED = 201
HARMLESS = (202, 399, 404, 10147, 10148, 2109, 10349)
"""Codes that say nothing about whether the order lives: the status that follows does."""


class Stage(StrEnum):
    """How far an order has come."""

    SENT = "sent"
    """Written to the socket, or about to be; no answer yet."""
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Nothing more is expected, though a late fill is still booked."""
        return self in (Stage.FILLED, Stage.CANCELLED, Stage.REJECTED)


@dataclass(slots=True)
class Fill:
    """One execution in its latest revision."""

    root: str
    revision: int
    shares: float
    price: float
    time_utc: dt.datetime
    fee: float | None = None


@dataclass(slots=True)
class Known:
    """An order and everything the wire said about it.

    Attributes
    ----------
    ticket : OrderTicket
    order_id : int
        Of the connection that sent it.
    perm_ids : set of int
        More than one means that the gateway holds the reference twice.
    fills : dict of execution root to Fill
    reason : str
        Why it was rejected or is doubtful.
    doubt_since : datetime or None
    """

    ticket: OrderTicket
    order_id: int
    sent: dt.datetime
    stage: Stage = Stage.SENT
    perm_ids: set[int] = field(default_factory=set)
    fills: dict[str, Fill] = field(default_factory=dict)
    error_code: int = 0
    reason: str = ""
    doubt_since: dt.datetime | None = None

    @property
    def filled(self) -> float:
        """Shares, corrections applied."""
        return sum(fill.shares for fill in self.fills.values())

    @property
    def remaining(self) -> float:
        """Shares that may still fill; 0 when the order is final."""
        return 0.0 if self.stage.is_final else max(self.ticket.quantity - self.filled, 0.0)

    @property
    def sign(self) -> int:
        """1 buys, -1 sells."""
        return 1 if self.ticket.side == "BUY" else -1


@dataclass(frozen=True, slots=True)
class StageChange:
    """An order moved to another stage."""

    ref: str
    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """What an execution or its correction changes.

    Attributes
    ----------
    ref : str
        Empty for an order that is not ours.
    root : str
    con_id : int
    shares : float
        Signed change of the position; 0 for a correction of the price alone.
    price : float
        Of the shares of this revision.
    cash : float
        Change of cash before fees, in the contract's currency.
    """

    ref: str
    root: str
    con_id: int
    shares: float
    price: float
    cash: float


@dataclass(frozen=True, slots=True)
class FeeBooking:
    """A fee became known, or changed by ``amount``."""

    ref: str
    root: str
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The gateway must be asked what became of an order."""

    ref: str
    reason: str


Change = StageChange | Booking | FeeBooking | Doubt


class OrderBook:
    """The single handler of everything that concerns orders; replaying a message changes nothing.

    Parameters
    ----------
    account : str
        Executions and orders of other accounts are ignored.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        self.orders: dict[str, Known] = {}
        self.foreign: dict[str, Fill] = {}
        """Fills of orders that are not ours, by execution root."""
        self._refs: dict[int, str] = {}
        self._owners: dict[str, str] = {}
        self._early_fees: dict[str, Commission] = {}

    def sent(self, ticket: OrderTicket, order_id: int, now: dt.datetime) -> Known:
        """Register an order before it is written to the socket.

        Raises
        ------
        ValueError
            The reference was used before.
        """
        if ticket.ref in self.orders:
            raise ValueError(f"order reference {ticket.ref} was used before")
        known = self.orders[ticket.ref] = Known(ticket, order_id, now)
        self._refs[order_id] = ticket.ref
        return known

    def forget_ids(self) -> None:
        """Start of a new connection: order ids of the one before mean nothing."""
        self._refs.clear()

    def working(self) -> list[Known]:
        """Orders that may still fill, oldest first."""
        return [known for known in self.orders.values() if not known.stage.is_final]

    def open_shares(self, con_id: int) -> float:
        """Signed shares of a contract that working orders may still trade."""
        return sum(k.sign * k.remaining for k in self.working() if k.ticket.con_id == con_id)

    def on_status(self, status: OrderStatus) -> list[Change]:
        """Apply a wire status."""
        known = self.orders.get(status.ref or self._refs.get(status.order_id, ""))
        if known is None:
            return []
        return self._moved(known, status.perm_id, status.status)

    def on_open_order(self, order: OpenOrder) -> list[Change]:
        """Apply an open order, solicited or not."""
        known = self.orders.get(order.ref)
        if known is None or order.account != self.account:
            return []
        return self._moved(known, order.perm_id, order.status)

    def on_completed(self, order: CompletedOrder) -> list[Change]:
        """Apply an order that the gateway reports as done."""
        known = self.orders.get(order.ref)
        if known is None or order.account != self.account:
            return []
        return self._moved(known, order.perm_id, order.status)

    def _moved(self, known: Known, perm_id: int, status: str) -> list[Change]:
        if perm_id:
            known.perm_ids.add(perm_id)
        if status in WORKING:
            return self._stage(known, Stage.WORKING) if known.stage is Stage.SENT else []
        if status in CANCELLED:
            return self._stage(known, Stage.CANCELLED) if not known.stage.is_final else []
        if status == "Inactive":
            return self._inactive(known)
        # Filled: executions say so, share by share; until they do, the gateway is asked.
        if status == "Filled" and known.filled < known.ticket.quantity and not known.stage.is_final:
            return self._doubtful(known, "reported as filled before its executions arrived")
        return []

    def _inactive(self, known: Known) -> list[Change]:
        if known.error_code == REJECTED and not known.stage.is_final:
            return self._stage(known, Stage.REJECTED, known.reason)
        return self._doubtful(known, "the gateway holds it as inactive") if not known.stage.is_final else []

    def _stage(self, known: Known, stage: Stage, reason: str = "") -> list[Change]:
        known.stage, known.doubt_since = stage, None
        known.reason = reason or known.reason
        return [StageChange(known.ticket.ref, stage, known.reason)]

    def _doubtful(self, known: Known, reason: str) -> list[Change]:
        if known.reason == reason:
            return []
        known.reason = reason
        return [Doubt(known.ticket.ref, reason)]

    def on_error(self, error: ErrorMessage) -> list[Change]:
        """Note an error on an order's id; it is never a state."""
        known = self.orders.get(error.ref or self._refs.get(error.request, ""))
        if known is None or known.stage.is_final or error.code in HARMLESS:
            return []
        known.error_code = error.code
        return self._doubtful(known, f"{error.code}: {error.text}")

    def on_execution(self, execution: Execution) -> list[Change]:
        """Book a fill, or the difference that its correction makes."""
        if execution.account != self.account:
            return []
        known = self.orders.get(execution.ref)
        fills = self.foreign if known is None else known.fills
        before = fills.get(execution.root)
        if before is not None and before.revision >= execution.revision:
            return []
        fee = self._early_fees.pop(execution.exec_id, None)
        fills[execution.root] = Fill(
            execution.root,
            execution.revision,
            execution.shares,
            execution.price,
            execution.time_utc,
            None if before is None else before.fee,
        )
        sign = 1.0 if execution.side == "BUY" else -1.0
        had, paid = (0.0, 0.0) if before is None else (before.shares, before.shares * before.price)
        changes: list[Change] = [
            Booking(
                "" if known is None else execution.ref,
                execution.root,
                execution.con_id,
                sign * (execution.shares - had),
                execution.price,
                -sign * (execution.shares * execution.price - paid),
            )
        ]
        if known is not None:
            self._owners[execution.root] = execution.ref
            if execution.perm_id:
                known.perm_ids.add(execution.perm_id)
            done = known.filled >= known.ticket.quantity
            if done and known.stage is not Stage.FILLED:
                changes += self._stage(known, Stage.FILLED)
            elif known.stage is Stage.SENT:
                changes += self._stage(known, Stage.WORKING)
        return changes + ([] if fee is None else self.on_commission(fee))

    def on_commission(self, commission: Commission) -> list[Change]:
        """Book a fee, or the difference to the one that was booked; kept until its execution arrives."""
        root, _, _ = commission.exec_id.rpartition(".")
        owner = self._owners.get(root, "")
        fill = self.orders[owner].fills[root] if owner else self.foreign.get(root)
        if fill is None:
            self._early_fees[commission.exec_id] = commission
            return []
        amount = commission.fee - (fill.fee or 0.0)
        fill.fee = commission.fee
        return [FeeBooking(owner, root, amount, commission.currency)] if amount else []

    def overdue(self, now: dt.datetime, limit: dt.timedelta) -> list[Known]:
        """Orders that the gateway has not acknowledged in time (R6)."""
        return [k for k in self.orders.values() if k.stage is Stage.SENT and now - k.sent > limit]

    def settle(
        self, answers: Iterable[OpenOrder | CompletedOrder | Execution], refs: Iterable[str]
    ) -> list[Change]:
        """Decide on doubtful orders after the gateway answered all three queries in full.

        An order that none of the answers names does not exist at the gateway: it was rejected, or never arrived.

        Parameters
        ----------
        answers : iterable
            Everything that open orders, completed orders and executions returned.
        refs : iterable of str
            Doubtful orders, sent before the queries.
        """
        changes: list[Change] = []
        named = set()
        for answer in answers:
            named.add(answer.ref)
            if isinstance(answer, Execution):
                changes += self.on_execution(answer)
            elif isinstance(answer, OpenOrder):
                changes += self.on_open_order(answer)
            else:
                changes += self.on_completed(answer)
        for ref in refs:
            known = self.orders[ref]
            if ref not in named and not known.stage.is_final:
                changes += self._stage(known, Stage.REJECTED, known.reason or "it never reached the gateway")
        return changes
