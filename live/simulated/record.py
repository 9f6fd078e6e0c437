"""Writes what happens in a simulated account to the journal, each thing once however often it is done again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from live.client.order_messages import OrderTicket
from live.journal import rows
from live.journal.writer import Journal
from live.simulated.actions import SPLIT, Split
from live.simulated.days import ExchangeDays

SOURCE = "simulated"


class Record:
    """The journal as the simulated broker writes it.

    Parameters
    ----------
    journal : Journal
    days : ExchangeDays
    """

    def __init__(self, journal: Journal, days: ExchangeDays) -> None:
        self._journal, self._days = journal, days

    def stage(self, ref: str, stage: str, reason: str, at: dt.datetime) -> None:
        """Write that an order came to a stage."""
        if all(row.stage != stage for row in self._journal.stages(ref)):
            self._journal.stage(ref, stage, reason, at=at)

    def filled(self, ticket: OrderTicket, order_id: int, session: dt.date, price: float, fee: float) -> None:
        """Write that an order was filled in full at the open of a session.

        Parameters
        ----------
        ticket : OrderTicket
        order_id : int
        session : date
        price : float
            USD a share.
        fee : float
            USD.
        """
        opened = self._days.opens(session)
        self._journal.fill(
            rows.Fill(
                ticket.ref,
                1,
                ticket.ref,
                ticket.con_id,
                ticket.symbol,
                ticket.side,
                float(ticket.quantity),
                price,
                opened,
                session,
                order_id=order_id,
                exchange=SOURCE,
            )
        )
        self._journal.fee(rows.Fee(ticket.ref, 1, fee))
        self.stage(ticket.ref, "filled", "", opened)

    def intent(self, ticket: OrderTicket, order_id: int, session: dt.date) -> None:
        """Write an order that nobody decided: the exit of a name that has ended."""
        if self._journal.order(ticket.ref) is None:
            self._journal.intent(rows.Intent.of(ticket, order_id, session=session, purpose="flatten"))

    def flow(
        self, session: dt.date, kind: str, usd: float, symbol: str, con_id: int | None, text: str
    ) -> None:
        """Write money that came or went without a trade."""
        key = f"{kind} {symbol} {session}" if symbol else f"{kind} {session}"
        self._journal.flow(rows.CashFlow(session, kind, usd, key, symbol, con_id, text))

    def split(self, split: Split, symbol: str, con_id: int, before: float, after: float) -> None:
        """Write that shares became others; nothing if that was written before."""
        if any(row.reason == split.reason for row in self._journal.adjustments(con_id)):
            return
        self._journal.adopt(
            rows.Adjustment(con_id, symbol, SPLIT, after - before, before, None, SOURCE, split.reason)
        )

    def opened(self, session: dt.date, cash: float) -> None:
        """Write the cash with which the account begins, before its first session."""
        if self._journal.latest_nav("start") is None:
            self._journal.nav(rows.Nav(session, "start", cash, cash, 0.0, 0.0, SOURCE))

    def order(self, ref: str) -> rows.JournalOrder | None:
        """One order of the journal."""
        return self._journal.order(ref)

    def orders(self, session: dt.date) -> list[rows.JournalOrder]:
        """Orders that a session decided, in the order in which they were given."""
        return self._journal.orders(session)

    def decision_prices(self, sessions: Iterable[dt.date]) -> dict[str, float | None]:
        """Prices at which the orders of some sessions were decided, by reference; USD a share."""
        found = [order.intent for session in sessions for order in self._journal.orders(session)]
        return {intent.ref: intent.decision_price for intent in found}

    @property
    def next_order_id(self) -> int:
        """One more than the highest that was ever used."""
        return self._journal.highest_order_id() + 1

    @property
    def account(self) -> str:
        """Whose journal it is."""
        return self._journal.account
