"""The account on a gateway, as the conductor and the flattening ask it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from ares7.errors import ConfigError
from live.client.messages import ContractFacts, State
from live.client.order_messages import OrderTicket
from live.flow_watch import flow_since
from live.journal.identity import rebalance_id
from live.journal.rows import JournalOrder
from live.journal.writer import Journal
from live.mandate import Market
from live.pre_trade import Book
from live.reconcile.gate import Gate
from live.reconcile.ownership import sellable
from live.store import IBStore
from live.validity import trading_day


class GatewayMarket:
    """Answers from the store's book and holdings, the journal and the gate.

    Parameters
    ----------
    store : IBStore
    journal : Journal
    gate : Gate
    tell : callable

    Attributes
    ----------
    session : date or None
        The latest session that has closed.
    """

    def __init__(self, store: IBStore, journal: Journal, gate: Gate, tell: Callable[[str], None]) -> None:
        self._store, self._journal, self._gate, self._tell = store, journal, gate, tell
        self.session: dt.date | None = None

    def market(self) -> Market:
        """Return what the conductor asks."""
        begin = self._store.desk.name_orders
        return Market(self.why_not, self.book, begin, self.cancel, self.expired, self.money, self.is_open)

    def money(self) -> None:
        """Journal what came to the account or left it since its latest close; not while a contract differs."""
        before = self._journal.latest_nav("close")
        if before is None or self.session is None or self._gate.why_shut or self._gate.frozen:
            return
        flow = flow_since(self._journal, before, self._store.holdings.cash, self.session)
        if flow is not None and self._journal.flow(flow):
            self._tell(flow.text)

    def is_open(self) -> bool:
        """Whether the connection is ready, and compared."""
        return self._store.client.state is State.READY and not self._gate.why_shut

    def why_not(self, ticket: OrderTicket) -> str:
        """Return why an order may not leave now: the gate, or shares that are not ours (rulings 28)."""
        reason = self._gate.why_not(ticket.con_id)
        if reason or ticket.side == "BUY":
            return reason
        mine = self._journal.positions(ticket.con_id).get(ticket.con_id)
        ours = sellable(0.0 if mine is None else mine.shares, self._store.holdings.shares(ticket.con_id))
        if ticket.quantity > ours:
            return f"{ours:g} shares are ours to sell (run.py adopt), and {ticket.quantity} are asked for"
        return ""

    def book(self) -> Book:
        """Return cash and positions without what was set aside, and what works."""
        holdings, aside = self._store.holdings, self._journal.ignored()
        shares = {
            con_id: float(held.size) - aside.get(con_id, 0.0) for con_id, held in holdings.positions.items()
        }
        return Book(float("nan"), holdings.cash, shares, self._store.book.working())

    def cancel(self, con_id: int) -> None:
        """Ask for the cancellation of every working order of a contract."""
        for known in self._store.book.working():
            if known.ticket.con_id == con_id and not known.cancel_asked:
                self._store.desk.cancel(known)

    def expired(self, order: JournalOrder) -> bool:
        """Whether an order was cancelled because the auction or session that it was for was over."""
        if order.stage not in ("cancelled", "expired") or order.stage_at is None:
            return False
        session = self._store.calendar.after(order.intent.session)
        over = session.opens if order.intent.tif == "OPG" else session.closes
        return order.stage_at >= over

    def closing_ticket(self, con_id: int, quantity: float) -> tuple[dt.date, OrderTicket]:
        """Return the session and a market order that closes."""
        store = self._store
        session = store.calendar.coming(store.now()).date
        store.desk.name_orders(session, rebalance_id("flatten", "", self._journal.account, session))
        return session, self.ticket(con_id, quantity)

    def _facts(self, con_id: int) -> ContractFacts:
        """Return a contract; one that was adopted and is not among the names of the strategy is looked up by now.

        Raises
        ------
        ConfigError
            The gateway has no such contract.
        """
        client = self._store.client
        try:
            return client.facts(con_id)
        except ConfigError:
            held = self._journal.positions(con_id).get(con_id)
            if held is None:
                raise
            client.qualify([held.symbol])
        return client.facts(con_id)

    def ticket(self, con_id: int, quantity: float) -> OrderTicket:
        """Return a market order for the next auction or for now, with a reference that the journal does not know."""
        store, side = self._store, "BUY" if quantity > 0 else "SELL"
        facts = self._facts(con_id)
        known, ref = self._journal.refs(), store.desk.new_ref(facts, side)
        while ref in known:
            ref = store.desk.new_ref(facts, side)
        day = trading_day(store.now(), store.calendar, store.options.opening_cutoff)
        tif = "OPG" if day.auction else "DAY"
        return OrderTicket(ref, con_id, facts.symbol, side, abs(int(quantity)), "MKT", tif)
