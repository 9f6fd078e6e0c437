"""The last question before the socket: may this order be sent, under the halt, the limits and what works already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ares7.limits import AccountView, Limits, Name, ProposedOrder, Verdict, Working
from live.client.order_messages import OrderTicket
from live.halt.gate import verdict
from live.halt.level import HaltLevel
from live.halt.switch import HaltSwitch
from live.order_state import Known


@dataclass(frozen=True, slots=True)
class Book:
    """The strategy's own part of the account, at this moment.

    Attributes
    ----------
    nav, cash : USD
        Of what the strategy may use.
    shares : mapping of contract id to signed shares
        What the strategy holds; shares of others in the account are not in it.
    working : iterable of Known
        Orders that may still fill.
    """

    nav: float
    cash: float
    shares: Mapping[int, float]
    working: Iterable[Known] = ()


@dataclass(slots=True)
class Day:
    """What is fixed for a session, and what has been sent in it.

    Attributes
    ----------
    names : mapping of contract id to Name
        Facts at the last close (`ares7.limits.facts.name_facts` with ``prices="price"``).
    previous_nav, peak_nav : USD
        Of the previous close and of the highest one, corrected for deposits and withdrawals.
    orders : int
        Sent in the session so far, by the journal.
    traded_usd : USD
        Notional of the rebalance so far, by the journal.
    """

    names: Mapping[int, Name]
    previous_nav: float
    peak_nav: float
    orders: int = 0
    traded_usd: float = 0.0
    counted: set[str] = field(default_factory=set)


class PreTrade:
    """Judges tickets one by one, each beside everything that was sent before it.

    Parameters
    ----------
    limits : Limits
    switch : HaltSwitch
        Read anew for every ticket.
    day : Day
        Replace it when a session or a rebalance begins.
    """

    def __init__(self, limits: Limits, switch: HaltSwitch, day: Day) -> None:
        self._limits, self._switch = limits, switch
        self.day = day
        self._level = HaltLevel.NONE

    def judge(
        self, ticket: OrderTicket, book: Book, *, quote: float | None = None, flattening: bool = False
    ) -> Verdict:
        """Judge a ticket right before it is written; call `sent` once it was.

        Parameters
        ----------
        ticket : OrderTicket
        book : Book
            Without this ticket.
        quote : USD a share, optional
            The latest price, if there is one later than the close.
        flattening : bool
            The order comes out of `live.halt.flatten.flatten_plan`.

        Returns
        -------
        Verdict
        """
        order = ProposedOrder(str(ticket.con_id), _signed(ticket), _named_price(ticket), quote)
        standing = self._switch.standing()
        self._level = standing.level
        return verdict(standing, self._limits, order, self._view(book), flattening=flattening)

    def decides(self) -> bool:
        """Whether the halt lets any order of a decision out."""
        return self._switch.level() < HaltLevel.CANCEL_WORKING

    def halt_changed(self) -> bool:
        """Whether the level is another one than at the latest judgement: then that one counts no more."""
        return self._switch.level() is not self._level

    def sent(self, ticket: OrderTicket) -> None:
        """Count a ticket; the same reference counts once."""
        if ticket.ref in self.day.counted:
            return
        self.day.counted.add(ticket.ref)
        self.day.orders += 1
        named, close = _named_price(ticket), self.day.names.get(ticket.con_id, Name()).close
        self.day.traded_usd += ticket.quantity * (close if named is None else named)

    def _view(self, book: Book) -> AccountView:
        return AccountView(
            nav=book.nav,
            cash=book.cash,
            names={str(con_id): name for con_id, name in self.day.names.items()},
            positions={str(con_id): shares for con_id, shares in book.shares.items()},
            working=_working(book.working),
            orders_today=self.day.orders,
            traded_usd=self.day.traded_usd,
            previous_nav=self.day.previous_nav,
            peak_nav=self.day.peak_nav,
        )


def _named_price(ticket: OrderTicket) -> float | None:
    return ticket.stop_price if ticket.limit_price is None else ticket.limit_price


def _signed(ticket: OrderTicket) -> float:
    return float(ticket.quantity if ticket.side == "BUY" else -ticket.quantity)


def _working(orders: Iterable[Known]) -> dict[str, Working]:
    """By contract; an order whose fate is in doubt counts as working."""
    found: dict[str, Working] = {}
    for known in orders:
        key = str(known.ticket.con_id)
        before, shares = found.get(key, Working()), known.remaining
        found[key] = (
            Working(before.buys + shares, before.sells)
            if known.sign > 0
            else Working(before.buys, before.sells + shares)
        )
    return found
