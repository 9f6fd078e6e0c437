"""Carries out the halt level FLATTEN: cancels what opens, closes what our journal bought, and nothing beyond."""

from __future__ import annotations

from collections.abc import Callable

from live.conductor import FLATTEN, Conductor
from live.gateway_market import GatewayMarket
from live.halt.flatten import Placed, flatten_plan
from live.journal.reader import JournalReader
from live.store import IBStore


class Flattening:
    """Asks, in every round while the level holds, what is left to be closed, and sends that.

    Idempotent against broker truth: what works already is not sent again, and what our journal did not buy is not
    touched.

    Parameters
    ----------
    journal : JournalReader
    store : IBStore
    market : GatewayMarket
    conductor : Conductor
    tell : callable
    """

    def __init__(
        self,
        journal: JournalReader,
        store: IBStore,
        market: GatewayMarket,
        conductor: Conductor,
        tell: Callable[[str], None],
    ) -> None:
        self._journal, self._store, self._market = journal, store, market
        self._conductor, self._tell = conductor, tell
        self._told: tuple[str, ...] = ()
        self._purposes: dict[str, str] = {}

    def step(self) -> None:
        """Send what is missing now."""
        store = self._store
        placed = [
            Placed(k.ticket.ref, k.ticket.con_id, k.sign * k.remaining, self._closes(k.ticket.ref))
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
            session, ticket = self._market.closing_ticket(order.con_id, order.quantity)
            self._conductor.closing(session)
            for ref, reason in store.desk.send([ticket]).items():
                self._tell(f"flatten: {ref} was not sent: {reason}")

    def _closes(self, ref: str) -> bool:
        """Whether an order was sent to flatten."""
        if ref not in self._purposes:
            order = self._journal.order(ref)
            self._purposes[ref] = "" if order is None else order.intent.purpose
        return self._purposes[ref] == FLATTEN
