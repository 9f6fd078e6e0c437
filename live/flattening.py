"""Carries out the halt level FLATTEN: cancels what opens, closes what our journal bought, and nothing beyond."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from ares7.errors import Ares7Error
from live.conductor import FLATTEN, Conductor
from live.gateway_market import GatewayMarket
from live.halt.flatten import ClosingOrder, Placed, flatten_plan
from live.journal.reader import JournalReader
from live.order_state import Known, Stage
from live.store import IBStore

AGAIN = dt.timedelta(minutes=1)
"""Between two closing orders of one contract: what is refused at once would otherwise be sent without end."""


class Flattening:
    """Asks, in every round while the level holds, what is left to be closed, and sends that.

    Idempotent against broker truth: what works already is not sent again, and what our journal did not buy is not
    touched. A cancellation is believed after ``cancel_settle_s``, for a fill may have crossed it.

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
        self._refused: dict[int, str] = {}
        self._not_before: dict[int, dt.datetime] = {}
        self._cancelled: dict[str, dt.datetime] = {}
        self._purposes: dict[str, str] = {}

    def step(self, *, closing: bool = True) -> None:
        """Do what is missing now.

        Parameters
        ----------
        closing : bool
            Send what closes; without it, while journal and gateway are not compared, only what opens is cancelled.
        """
        store, now = self._store, self._store.now()
        placed = self._placed(now)
        ours = {con_id: held.shares for con_id, held in self._journal.positions().items()}
        broker = {con_id: float(held.size) for con_id, held in store.holdings.positions.items()}
        plan = flatten_plan(ours, broker, placed)
        for ref in plan.cancel:
            known = store.book.orders.get(ref)
            if known is not None and not known.stage.is_done and not known.cancel_asked:
                store.desk.cancel(known)
        if not closing:
            return
        if plan.problems != self._told:
            self._told = plan.problems
            for problem in plan.problems:
                self._tell(f"flatten: {problem}")
        self._close(plan.orders, now)

    def _close(self, orders: Iterable[ClosingOrder], now: dt.datetime) -> None:
        for order in orders:
            if order.con_id in self._not_before and now < self._not_before[order.con_id]:
                continue
            self._not_before[order.con_id] = now + AGAIN
            reason = self._sent(order)
            if reason and reason != self._refused.get(order.con_id):
                self._tell(f"flatten: {order.quantity:+g} of contract {order.con_id} was not sent: {reason}")
            self._refused[order.con_id] = reason

    def _sent(self, order: ClosingOrder) -> str:
        """Send one; return why it was not. What cannot be closed does not keep the others from it."""
        try:
            session, ticket = self._market.closing_ticket(order.con_id, order.quantity)
        except Ares7Error as error:
            return str(error)
        self._conductor.closing(session)
        return self._store.desk.send([ticket]).get(ticket.ref, "")

    def _placed(self, now: dt.datetime) -> list[Placed]:
        """Orders that may still fill; one that was cancelled just now is among them."""
        return [
            Placed(known.ticket.ref, known.ticket.con_id, known.sign * shares, self._closes(known.ticket.ref))
            for known in self._store.book.orders.values()
            if (shares := self._open(known, now)) > 0
        ]

    def _open(self, known: Known, now: dt.datetime) -> float:
        if known.stage is not Stage.CANCELLED:
            return known.remaining
        since = self._cancelled.setdefault(known.ticket.ref, now)
        settled = now - since >= self._store.options.cancel_settle
        return 0.0 if settled else known.ticket.quantity - known.filled

    def _closes(self, ref: str) -> bool:
        """Whether an order was sent to flatten."""
        if ref not in self._purposes:
            order = self._journal.order(ref)
            self._purposes[ref] = "" if order is None else order.intent.purpose
        return self._purposes[ref] == FLATTEN
