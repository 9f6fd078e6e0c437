"""What a halt does to a simulated account: waiting orders are cancelled, and what is held is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import backtrader as bt

from live.client.order_messages import OrderTicket
from live.conductor import FLATTEN, Conductor
from live.halt.flatten import Placed, flatten_plan
from live.halt.level import HaltLevel
from live.halt.switch import HaltSwitch
from live.journal.identity import rebalance_id
from live.journal.rows import JournalOrder
from live.mandate import Market
from live.order_state import Known
from live.pre_trade import Book
from live.simulated.account import HALTED
from live.simulated.broker import Given, SimulatedBroker
from live.simulated.record import Record


class SimulatedDesk:
    """What the conductor asks of a simulated account, and what a halt asks of it.

    Parameters
    ----------
    broker : SimulatedBroker
    record : Record
    switch : HaltSwitch
    now : callable
        UTC.
    """

    def __init__(
        self, broker: SimulatedBroker, record: Record, switch: HaltSwitch, now: Callable[[], dt.datetime]
    ) -> None:
        self._broker, self._record, self._switch, self._now = broker, record, switch, now
        self.conductor: Conductor | None = None

    def market(self) -> Market:
        """Return what the conductor asks."""
        name = self._broker.name_orders
        return Market(
            self._why_not, self._book, name, self._cancel, self._expired, self._no_money, lambda: True
        )

    def _why_not(self, ticket: OrderTicket) -> str:
        held = self._broker.shares.get(ticket.con_id, 0.0)
        if ticket.side == "SELL" and ticket.quantity > held:
            return f"{held:g} shares are held, and {ticket.quantity} are asked for"
        return ""

    def _book(self) -> Book:
        broker, now = self._broker, self._now()
        working = [Known(given.ticket, given.order_id, now) for given in broker.given()]
        return Book(float("nan"), float(broker.cash), broker.shares, working)

    def _cancel(self, con_id: int) -> None:
        self._broker.withdraw(
            lambda given: given.ticket.con_id != con_id, "the next decision is on the other side"
        )

    def _expired(self, order: JournalOrder) -> bool:
        """An order waits until its name trades, is refused, or is cancelled: none expires."""
        del order
        return False

    def _no_money(self) -> None:
        """Money comes and goes at the start of a session only, and is in the journal by then."""

    # Halt

    def cancel_what_is_halted(self) -> None:
        """Cancel waiting orders if the halt says so; those that close what is held stay under FLATTEN."""
        level = self._switch.level()
        if level.cancels_working:
            flattens = level is HaltLevel.FLATTEN
            self._broker.withdraw(lambda given: flattens and self._closes(given), f"{HALTED} at {level.name}")

    def flatten(self, session: dt.date) -> None:
        """Give orders that close what is held, if the halt says so and none do it already.

        Parameters
        ----------
        session : date
            The latest one; they fill at the open of the next.
        """
        if self._switch.level() is not HaltLevel.FLATTEN or self.conductor is None:
            return
        broker = self._broker
        placed = [
            Placed(
                given.ticket.ref,
                given.ticket.con_id,
                Known(given.ticket, given.order_id, self._now()).sign * given.ticket.quantity,
                self._closes(given),
            )
            for given in broker.given()
        ]
        plan = flatten_plan(broker.shares, broker.shares, placed)
        for problem in plan.problems:
            broker.tell(f"flatten: {problem}")
        if not plan.orders:
            return
        self.conductor.closing(session)
        broker.name_orders(session, rebalance_id(FLATTEN, "", self._record.account, session), again=True)
        feeds = {broker.market.contracts[feed._name]: feed for feed in broker.cerebro.datas}
        strategy = broker.cerebro.runningstrats[0]
        for order in plan.orders:
            trade: Callable[..., bt.Order] = broker.buy if order.quantity > 0 else broker.sell
            trade(strategy, feeds[order.con_id], abs(order.quantity))

    def _closes(self, given: Given) -> bool:
        known = self._record.order(given.ticket.ref)
        return known is not None and known.intent.purpose == FLATTEN
