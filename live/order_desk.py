"""Where orders leave for the gateway, and where it is asked about those whose fate is in doubt."""

from __future__ import annotations

import collections
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

from ares7.errors import Ares7Error, ServiceUnavailable
from live.client.client import Client
from live.client.failures import NotSent
from live.client.messages import ContractFacts, ErrorMessage, Message
from live.client.order_messages import (
    Commission,
    CompletedOrder,
    Execution,
    OpenOrder,
    OrderStatus,
    OrderTicket,
)
from live.machine import utc_now
from live.order_book import Answer, OrderBook
from live.order_state import Change, Known, Stage, StageChange
from live.store_options import StoreOptions

Journal = Callable[[OrderTicket, int], None]


class OrderDesk:
    """Sends orders, at most once each, and settles doubts by asking.

    Parameters
    ----------
    client : Client
    book : OrderBook
    options : StoreOptions
    now : callable
        Time for trading, UTC.
    note : callable
        Tells the strategies.
    run_id : str
        Part of every reference; derived from account, client id and start time if empty.

    Attributes
    ----------
    journal : callable or None
        Stores a ticket and its order id durably before it is written to the socket; raises to prevent that.
    shadow_orders : list of OrderTicket
        What would have been sent.
    """

    def __init__(
        self,
        client: Client,
        book: OrderBook,
        options: StoreOptions,
        now: Callable[[], dt.datetime],
        note: Callable[[str], None],
        run_id: str,
    ) -> None:
        self.journal: Journal | None = None
        self.shadow_orders: list[OrderTicket] = []
        self._client, self._book, self._options = client, book, options
        self._now, self._note, self._run_id = now, note, run_id
        self._session: dt.date | None = None
        self._numbers = collections.Counter[tuple[str, int, str]]()
        self._doubts: dict[str, dt.datetime] = {}
        self._cancelled: dict[str, dt.datetime] = {}
        self._not_before = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._handlers: dict[type, Callable[[Any], list[Change]]] = {
            OrderStatus: book.on_status,
            OpenOrder: book.on_open_order,
            CompletedOrder: book.on_completed,
            Execution: book.on_execution,
            Commission: book.on_commission,
            ErrorMessage: book.on_error,
        }

    # Out

    def name_orders(self, session: dt.date, run_id: str) -> None:
        """Name the orders that follow after a session and a rebalance: the same in every process.

        The first order of a contract and side gets number 1, whatever was sent before.
        """
        self._session, self._run_id = session, run_id
        self._numbers.clear()

    def new_ref(self, facts: ContractFacts, side: str) -> str:
        """Return a new order reference (rulings 27)."""
        day = f"{self._session or self._now():%Y%m%d}"
        if not self._run_id:
            seed = f"{self._book.account} {self._client.target.client_id} {utc_now().isoformat()}"
            self._run_id = hashlib.sha256(seed.encode()).hexdigest()[:8]
        key = (day, facts.con_id, side[0])
        self._numbers[key] += 1
        return f"A7-{day}-{self._run_id}-{facts.con_id}-{side[0]}-{self._numbers[key]}"

    def send(self, tickets: list[OrderTicket]) -> dict[str, str]:
        """Send one order, or the orders of a bracket together.

        Returns
        -------
        dict of reference to str
            Orders that certainly were not sent, and why.
        """
        written: list[str] = []
        try:
            self._client.place_together([(ticket, self._register(written)) for ticket in tickets])
        except ServiceUnavailable as error:
            # The last one that was registered may or may not be at the gateway, unless it was the last of all.
            certain = isinstance(error, NotSent) and len(written) == len(tickets)
            return self._unsent(tickets, written, str(error), certain=certain)
        except Ares7Error as error:
            return self._unsent(tickets, written, str(error), certain=False)
        return {}

    def _register(self, written: list[str]) -> Journal:
        def before_writing(ticket: OrderTicket, order_id: int) -> None:
            if self.journal is not None:
                self.journal(ticket, order_id)
            self._book.sent(ticket, order_id, self._now())
            written.append(ticket.ref)

        return before_writing

    def _unsent(
        self, tickets: list[OrderTicket], written: list[str], reason: str, *, certain: bool
    ) -> dict[str, str]:
        """Tell which orders were not sent; of a bracket without its end, what was sent is taken back."""
        if certain:
            self._book.not_sent(written.pop(), reason)
        elif written:
            self.in_doubt(written[-1], reason)
        unsent = {ticket.ref: reason for ticket in tickets if ticket.ref not in written}
        if unsent:
            for ref in written:
                self.cancel(self._book.orders[ref])
        return unsent

    def show(self, tickets: list[OrderTicket]) -> None:
        """Note orders of a shadow run."""
        self.shadow_orders += tickets
        for ticket in tickets:
            self._note(
                f"shadow: {ticket.side} {ticket.quantity} {ticket.symbol} {ticket.order_type}/{ticket.tif}"
            )

    def cancel(self, known: Known) -> None:
        """Ask the gateway to cancel; the order is cancelled when the wire says so."""
        known.cancel_asked = True
        try:
            self._client.cancel(known.order_id)
        except Ares7Error as error:
            known.cancel_asked = False
            self._note(f"order {known.ticket.ref} could not be cancelled: {error}")

    # In

    def handle(self, message: Message) -> list[Change]:
        """Feed the order book; return what changed."""
        handler = self._handlers.get(type(message))
        if isinstance(message, ErrorMessage):
            self._note(f"gateway error {message.code}: {message.text}")
        return [] if handler is None else handler(message)

    def reconnected(self) -> None:
        """A new connection: ids of the one before may be given out again, and what was asked may be lost."""
        self._book.forget_ids()
        for known in self._book.working():
            known.cancel_asked = False

    def doubt_all(self, reason: str) -> None:
        """Doubt every working order: what happened to it meanwhile was not heard."""
        for known in self._book.working():
            self.in_doubt(known.ticket.ref, reason)

    # Doubt

    def in_doubt(self, ref: str, reason: str) -> None:
        """Look for an order at the gateway, after a pause in which its status may still come."""
        if ref not in self._doubts:
            self._doubts[ref] = self._now() + self._options.doubt
            self._note(f"order {ref} is looked for: {reason}")

    def settle_cancel(self, ref: str) -> None:
        """Believe a cancellation after a pause and a look at the executions: a fill may have crossed it."""
        self._cancelled[ref] = self._now() + self._options.cancel_settle

    def settle(self, now: dt.datetime) -> tuple[list[Change], list[str]]:
        """Ask the gateway about what is due.

        Returns
        -------
        changes : list
        cancelled : list of str
            Orders whose cancellation is now believed.
        """
        if now < self._not_before:
            return [], []
        for known in self._book.overdue(now, self._options.acknowledge):
            self._doubts.setdefault(known.ticket.ref, now)
        doubts = [ref for ref, since in self._doubts.items() if now >= since]
        cancelled = [ref for ref, since in self._cancelled.items() if now >= since]
        if not doubts and not cancelled:
            return [], []
        try:
            answers = self._ask(only_executions=not doubts)
        except Ares7Error as error:
            self._not_before = now + self._options.recheck
            self._note(f"{len(doubts) + len(cancelled)} orders could not be looked for: {error}")
            return [], []
        for ref in cancelled:
            del self._cancelled[ref]
        changes, unsettled = self._book.settle(answers, doubts)
        for ref in doubts:
            del self._doubts[ref]
        for ref in unsettled:
            self._doubts[ref] = now + self._options.recheck
        self._take_back(changes)
        return changes, cancelled

    def _ask(self, *, only_executions: bool) -> list[Answer]:
        if only_executions:
            return [*self._client.executions()]
        return [
            *self._client.open_orders(),
            *self._client.completed_orders(),
            *self._client.executions(),
        ]

    def _take_back(self, changes: list[Change]) -> None:
        """Cancel what is given up for lost, so that it cannot come to life behind the strategy's back."""
        for change in changes:
            if isinstance(change, StageChange) and change.stage is Stage.REJECTED:
                known = self._book.orders[change.ref]
                if known.assumed and self._book.has_id(known):
                    self.cancel(known)
