"""Carries out the halt level FLATTEN: cancels what opens, closes what our journal bought, and nothing beyond."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from live.client.messages import ContractFacts
from live.client.order_messages import OrderTicket
from live.conductor import Conductor
from live.halt.flatten import ClosingOrder, Placed, flatten_plan
from live.journal.identity import rebalance_id
from live.journal.reader import JournalReader
from live.store import IBStore

FLATTEN = "flatten"


class Flattening:
    """Asks, in every round while the level holds, what is left to be closed, and sends that.

    Idempotent against broker truth: what works already is not sent again, and what our journal did not buy is not
    touched.

    Parameters
    ----------
    journal : JournalReader
    store : IBStore
    conductor : Conductor
    tell : callable
    """

    def __init__(
        self, journal: JournalReader, store: IBStore, conductor: Conductor, tell: Callable[[str], None]
    ) -> None:
        self._journal, self._store, self._conductor, self._tell = journal, store, conductor, tell
        self._told: tuple[str, ...] = ()

    def step(self) -> None:
        """Send what is missing now."""
        store = self._store
        placed = [
            Placed(k.ticket.ref, k.ticket.con_id, k.sign * k.remaining, self.closes(k.ticket.ref))
            for k in store.book.working()
        ]
        ours = {con_id: held.shares for con_id, held in self._journal.positions().items()}
        broker = {con_id: float(held.size) for con_id, held in store.holdings.positions.items()}
        plan = flatten_plan(ours, broker, placed)
        for ref in plan.cancel:
            known = store.book.orders.get(ref)
            if known is not None and not known.cancel_asked:
                store.desk.cancel(known)
        if plan.problems != self._told:
            self._told = plan.problems
            for problem in plan.problems:
                self._tell(f"flatten: {problem}")
        for order in plan.orders:
            self._send(order)

    def closes(self, ref: str) -> bool:
        """Whether an order was sent to flatten."""
        order = self._journal.order(ref)
        return order is not None and order.intent.purpose == FLATTEN

    def _send(self, order: ClosingOrder) -> None:
        store = self._store
        facts: ContractFacts = store.client.facts(order.con_id)
        now = store.now()
        session = store.calendar.coming(now).date
        self._conductor.closing(session, {})
        identity = rebalance_id(FLATTEN, "", self._journal.account, session)
        side = "BUY" if order.quantity > 0 else "SELL"
        ticket = OrderTicket(
            self._reference(session, identity, facts, side),
            order.con_id,
            facts.symbol,
            side,
            abs(int(order.quantity)),
            "MKT",
            "DAY" if store.calendar.is_open(now) else "OPG",
        )
        for ref, reason in store.desk.send([ticket]).items():
            self._tell(f"flatten: {ref} was not sent: {reason}")

    def _reference(self, session: dt.date, identity: str, facts: ContractFacts, side: str) -> str:
        """Return the next reference that the journal does not know."""
        desk, known = self._store.desk, self._journal.refs()
        desk.name_orders(session, identity)
        ref = desk.new_ref(facts, side)
        while ref in known:
            ref = desk.new_ref(facts, side)
        return ref
