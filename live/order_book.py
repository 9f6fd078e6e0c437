"""Orders by what the wire said about them, and by nothing else (C11; live_ib R7).

An order is known by its reference. Errors on its id, silence, a lost connection and what a client library believes
change no state here: they make the order *doubtful*, and doubt is settled by asking the gateway.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from live.client.messages import ErrorMessage
from live.client.order_messages import (
    Commission,
    CompletedOrder,
    Execution,
    OpenOrder,
    OrderStatus,
    OrderTicket,
)
from live.order_state import Booking, Change, Doubt, FeeBooking, Fill, HeldTwice, Known, Stage, StageChange

Answer = OpenOrder | CompletedOrder | Execution
"""What the gateway answers when it is asked for orders."""
WORKING = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")
CANCELLED = ("Cancelled", "ApiCancelled")
REJECTED = 201
HARMLESS = (202, 399, 404, 2109, 10349)
"""Codes that say nothing about whether the order lives: the status that follows does."""
ABSENT = 2
"""Answers in which an order is missing before it counts as gone: it may still have been on its way."""
UNSET = 1e300
"""A fee beyond this is IB's mark for none."""


class OrderBook:
    """The single handler of everything that concerns orders; replaying a message changes nothing.

    Parameters
    ----------
    account : str
        Executions and orders of other accounts are ignored.
    client_id : int
        Order ids mean something for this client only.
    """

    def __init__(self, account: str, client_id: int) -> None:
        self.account, self.client_id = account, client_id
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
        """Start of a new connection: ids of the one before may be given out again."""
        self._refs.clear()

    def has_id(self, known: Known) -> bool:
        """Whether its order id is known to be its own in this connection."""
        return self._refs.get(known.order_id) == known.ticket.ref

    def working(self) -> list[Known]:
        """Orders that may still fill, oldest first."""
        return [known for known in self.orders.values() if not known.stage.is_done]

    def open_shares(self, con_id: int) -> float:
        """Signed shares of a contract that working orders may still trade."""
        return sum(k.sign * k.remaining for k in self.working() if k.ticket.con_id == con_id)

    # Status

    def on_status(self, status: OrderStatus) -> list[Change]:
        """Apply a wire status."""
        ours = status.client_id == self.client_id
        known = self.orders.get(status.ref or (self._refs.get(status.order_id, "") if ours else ""))
        return [] if known is None else self._moved(known, status.perm_id, status.status)

    def on_open_order(self, order: OpenOrder) -> list[Change]:
        """Apply an open order, solicited or not."""
        known = self.orders.get(order.ref)
        if known is None or order.account != self.account:
            return []
        if order.client_id == self.client_id and order.order_id > 0:
            # The id by which the gateway knows it now, in whichever connection it was given.
            known.order_id = order.order_id
            self._refs[order.order_id] = order.ref
        return self._moved(known, order.perm_id, order.status)

    def on_completed(self, order: CompletedOrder) -> list[Change]:
        """Apply an order that the gateway reports as done."""
        known = self.orders.get(order.ref)
        if known is None or order.account != self.account:
            return []
        if order.status == "Inactive" and not known.stage.is_done:
            return self._stage(known, Stage.REJECTED, known.refused or known.reason)
        return self._moved(known, order.perm_id, order.status)

    def _moved(self, known: Known, perm_id: int, status: str) -> list[Change]:
        known.absent = 0
        twice: list[Change] = []
        if perm_id and perm_id not in known.perm_ids:
            known.perm_ids.add(perm_id)
            twice = [HeldTwice(known.ticket.ref)] if len(known.perm_ids) > 1 else []
        known.inactive = status == "Inactive"
        return twice + self._judged(known, status)

    def _judged(self, known: Known, status: str) -> list[Change]:
        done = known.stage.is_done
        if status in WORKING and (known.stage is Stage.SENT or (done and known.assumed)):
            # Also one that was given up for lost: the wire knows better.
            return self._stage(known, Stage.WORKING)
        if status in CANCELLED and not done:
            return self._stage(known, Stage.CANCELLED)
        if status == "Inactive" and not done:
            if known.refused:
                return self._stage(known, Stage.REJECTED, known.refused)
            return self._doubtful(known, "the gateway holds it as inactive")
        # Filled: executions say so, share by share; until they do, the gateway is asked.
        if status == "Filled" and not done and known.filled < known.ticket.quantity:
            return self._doubtful(known, "reported as filled before its executions arrived")
        return []

    def _stage(self, known: Known, stage: Stage, reason: str = "", *, assumed: bool = False) -> list[Change]:
        known.stage, known.assumed = stage, assumed
        known.reason = reason or known.reason
        return [StageChange(known.ticket.ref, stage, known.reason)]

    @staticmethod
    def _doubtful(known: Known, reason: str) -> list[Change]:
        known.reason = reason
        return [Doubt(known.ticket.ref, reason)]

    def on_error(self, error: ErrorMessage) -> list[Change]:
        """Note an error on an order's id; by itself it is never a state."""
        known = self.orders.get(error.ref or self._refs.get(error.request, ""))
        if known is None or known.stage.is_done or error.code in HARMLESS:
            return []
        text = f"{error.code}: {error.text}"
        if error.code == REJECTED:
            known.refused = text
            if known.inactive:
                return self._stage(known, Stage.REJECTED, text)
        return self._doubtful(known, text)

    def not_sent(self, ref: str, reason: str) -> None:
        """Close an order that was registered and then certainly not written."""
        self._stage(self.orders[ref], Stage.REJECTED, reason)

    # Executions

    def on_execution(self, execution: Execution) -> list[Change]:
        """Book a fill, or the difference that its correction makes."""
        if execution.account != self.account:
            return []
        known = self.orders.get(execution.ref)
        fills = self.foreign if known is None else known.fills
        before = fills.get(execution.root)
        if before is not None and before.revision >= execution.revision:
            return []
        fill = Fill(execution.root, execution.revision, execution.shares, execution.price, execution.time_utc)
        if before is not None:
            fill.fee, fill.fee_revision, fill.absorbed = before.fee, before.fee_revision, before.absorbed
        fills[execution.root] = fill
        booking = Booking(
            "" if known is None else execution.ref,
            execution.root,
            execution.con_id,
            1 if execution.side == "BUY" else -1,
            (0.0, 0.0) if before is None else (before.shares, before.price),
            (execution.shares, execution.price),
            execution.time_utc,
        )
        changes = [booking] if known is None else self._filled(known, execution, booking)
        fee = self._early_fees.pop(execution.exec_id, None)
        return changes + ([] if fee is None else self.on_commission(fee))

    def _filled(self, known: Known, execution: Execution, booking: Booking) -> list[Change]:
        self._owners[execution.root] = execution.ref
        known.absent = 0
        changes: list[Change] = []
        if execution.perm_id and execution.perm_id not in known.perm_ids:
            known.perm_ids.add(execution.perm_id)
            changes = [HeldTwice(execution.ref)] if len(known.perm_ids) > 1 else []
        done = known.filled >= known.ticket.quantity
        if known.stage is Stage.SENT:
            # An order that fills at once may have no status of its own.
            changes += self._stage(known, Stage.WORKING)
        changes.append(booking)
        if done and known.stage is not Stage.FILLED:
            changes += self._stage(known, Stage.FILLED)
        elif known.stage.is_done and known.assumed:
            changes += self._stage(known, Stage.WORKING)
        return changes

    def on_commission(self, commission: Commission) -> list[Change]:
        """Book a fee, or the difference to the one that was booked; kept until its execution arrives."""
        root, _, revision = commission.exec_id.rpartition(".")
        owner = self._owners.get(root, "")
        fill = self.orders[owner].fills[root] if owner else self.foreign.get(root)
        if fill is None:
            self._early_fees[commission.exec_id] = commission
            return []
        number = int(revision) if revision.isdigit() else 0
        if abs(commission.fee) > UNSET or number < fill.fee_revision:
            return []
        first = fill.fee is None or number > fill.fee_revision
        amount = commission.fee - (fill.fee or 0.0)
        cash = 0.0 if fill.fee is None and fill.absorbed else amount
        fill.fee, fill.fee_revision = commission.fee, number
        return [FeeBooking(owner, root, amount, cash)] if first or amount else []

    def _fills(self) -> Iterable[Fill]:
        for known in self.orders.values():
            yield from known.fills.values()
        yield from self.foreign.values()

    def unpaid_since(self) -> dt.datetime | None:
        """Time of the latest fill whose fee is neither reported nor in the cash."""
        times = [fill.time_utc for fill in self._fills() if fill.fee is None and not fill.absorbed]
        return max(times, default=None)

    def absorb_fees(self) -> None:
        """Cash was taken over from the gateway: fees that are not reported yet are in it."""
        for fill in self._fills():
            fill.absorbed = fill.absorbed or fill.fee is None

    # Doubt

    def overdue(self, now: dt.datetime, limit: dt.timedelta) -> list[Known]:
        """Orders that the gateway has not acknowledged in time (R6)."""
        return [k for k in self.orders.values() if k.stage is Stage.SENT and now - k.sent > limit]

    def settle(self, answers: Iterable[Answer], refs: Iterable[str]) -> tuple[list[Change], list[str]]:
        """Decide on doubtful orders after the gateway answered all three queries in full.

        An order that none of the answers names, twice in a row, does not exist at the gateway: it never arrived or
        was rejected, or, if it was acknowledged, it ended unseen.

        Parameters
        ----------
        answers : iterable
            Everything that open orders, completed orders and executions returned.
        refs : iterable of str
            Doubtful orders, sent before the queries.

        Returns
        -------
        changes : list
        open : list of str
            Orders that stay doubtful: ask again later.
        """
        changes: list[Change] = []
        named = set()
        for answer in answers:
            named.add(answer.ref)
            changes += self._answered(answer)
        for ref in refs:
            known = self.orders[ref]
            if ref in named or known.stage.is_done:
                continue
            known.absent += 1
            if known.absent >= ABSENT:
                changes += self._gone(known)
        # Doubts that the answers repeat are those that stay open.
        return [c for c in changes if not isinstance(c, Doubt)], [ref for ref in refs if self._is_open(ref)]

    def _answered(self, answer: Answer) -> list[Change]:
        if isinstance(answer, Execution):
            return self.on_execution(answer)
        return self.on_open_order(answer) if isinstance(answer, OpenOrder) else self.on_completed(answer)

    def _gone(self, known: Known) -> list[Change]:
        if known.stage is Stage.SENT:
            reason = known.refused or known.reason or "it never reached the gateway"
            return self._stage(known, Stage.REJECTED, reason, assumed=True)
        reason = "the gateway does not know it any more: it ended while nobody was connected"
        return self._stage(known, Stage.CANCELLED, reason, assumed=True)

    def _is_open(self, ref: str) -> bool:
        known = self.orders[ref]
        return not known.stage.is_done and (known.absent > 0 or known.inactive or known.stage is Stage.SENT)
