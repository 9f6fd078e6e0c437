"""The connection as the other threads see it: every call returns a value, raises, or gives up in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from ares7.errors import ConfigError
from live.client import contracts, history, orders, sync
from live.client.contracts import Qualified, Wanted
from live.client.history import DailyBars
from live.client.messages import (
    CompletedOrder,
    ContractFacts,
    Execution,
    OpenOrder,
    OrderTicket,
    PositionRow,
    Quote,
)
from live.client.session import Session
from live.client.subscriptions import FIVE_SECONDS
from live.client.supervisor import Supervisor

T = TypeVar("T")
Journal = Callable[[OrderTicket, int], None]
"""Stores a ticket and its order id durably before anything is sent; raises to prevent that."""


class Client(Session):
    """One connection to TWS or IB Gateway, for any thread.

    A thread of its own holds the event loop and the library; only the frozen values of
    `live.client.messages` leave it. After `start` the connection is kept: when it drops, it is opened again,
    with growing pauses and without end, and everything is read again before the state is READY.

    Every method may be called from any thread but the loop's, and none waits for ever. Methods that ask the
    gateway raise

    - ``ServiceUnavailable`` when there is no connection, or it drops, or (``NoAnswer``) no answer comes;
    - ``Refused`` (a ``ConfigError`` with ``code`` and ``text``) when the gateway answers with an error.

    Parameters
    ----------
    host : str
    port : int
    client_id : int
        0 to 2147483646. Orders belong to it; use the same always, and one for each program.
    account : str
        Account to trade; empty is the only one of the login.
    options : Options, optional
    clock : callable, optional
        Current time, aware; every message is stamped with it.
    rng : random.Random, optional
        Jitter of the pauses between attempts.
    next_order_id : int
        Order ids begin here at the earliest: one more than the highest in the journal.

    Examples
    --------
    >>> with Client("127.0.0.1", 4002, 7, "DU1234567") as client:  # doctest: +SKIP
    ...     facts = client.qualify(["AAPL"]).facts["AAPL"]
    ...     bars = client.daily_bars(facts, 260)
    """

    # What is asked of the gateway

    def qualify(self, queries: Iterable[Wanted | tuple[str, str] | str]) -> Qualified:
        """Find contracts.

        Parameters
        ----------
        queries : iterable of Wanted, (symbol, kind) or symbol
            A symbol alone is a stock; ``BRK-B`` and ``BRK.B`` are the same.

        Returns
        -------
        Qualified
            Facts by symbol, and the reason for each that was not found.
        """
        wanted = [contracts.as_wanted(query) for query in queries]
        paced = len(wanted) / (self.options.messages_per_s or 1000)
        found = self._ask(lambda s: contracts.qualify(s.require_link("contracts"), wanted), extra=paced)
        self.know(found.facts.values())
        return found

    def daily_bars(
        self, facts: ContractFacts, sessions: int, *, what: str = "TRADES", end: dt.datetime | None = None
    ) -> DailyBars:
        """Return the last ``sessions`` daily bars of a contract; see `daily_bars_of`.

        Raises
        ------
        MissingData
            IB has none.
        """
        found = self.daily_bars_of([facts], sessions, what=what, end=end)[facts.con_id]
        if isinstance(found, Exception):
            raise found
        return found

    def daily_bars_of(
        self,
        facts: Iterable[ContractFacts],
        sessions: int,
        *,
        what: str = "TRADES",
        end: dt.datetime | None = None,
    ) -> dict[int, DailyBars | Exception]:
        """Daily bars of many contracts, as many at once as IB allows.

        Parameters
        ----------
        facts : iterable of ContractFacts
        sessions : int
            At most so many bars are returned, the latest. Today's may be among them, and unfinished.
        what : {"TRADES", "ADJUSTED_LAST", "MIDPOINT", "BID", "ASK"}
            TRADES are traded prices adjusted for splits; ADJUSTED_LAST for dividends as well, up to today only.
        end : datetime, optional
            Aware; now if left out.

        Returns
        -------
        dict of contract id to DailyBars, or to the exception of that contract
        """
        wanted = list(facts)
        rounds = 1 + len(wanted) // self.options.history.open_requests
        extra = rounds * (self.options.history_timeout_s + self.options.history.identical_s)
        return self._ask(
            lambda s: history.many(s.require_link("history"), wanted, sessions, what, end, self._rng),
            extra=extra,
        )

    def quote(self, facts: ContractFacts) -> Quote:
        """Return a snapshot of bid, ask, last and close."""
        return self._ask(lambda s: history.quote(s.require_link("quote"), facts))

    def market_data_type(self, kind: int) -> None:
        """Choose live (1), frozen (2), delayed (3) or delayed frozen (4) quotes from now on.

        Raises
        ------
        ConfigError
        """
        if kind not in (1, 2, 3, 4):
            raise ConfigError(f"market data type {kind} is not known: 1 live, 2 frozen, 3 delayed, 4 both")
        self._ask(lambda s: history.market_data_type(s.require_link("market data type"), kind))

    def keep_up_to_date(
        self, facts: ContractFacts, *, bar_size: str = "1 day", duration: str = "2 D", what: str = "TRADES"
    ) -> int:
        """Subscribe to bars that grow while they are unfinished; returns the number of the subscription.

        Bars arrive as `BarUpdate`; the same bar comes again with every change.
        """
        return self._ask(
            lambda s: s.subscriptions.add(
                s.require_link("live bars"),
                facts,
                what=what,
                regular_hours=True,
                bar_size=bar_size,
                duration=duration,
            ),
            extra=self.options.history_timeout_s,
        )

    def five_second_bars(
        self, facts: ContractFacts, *, what: str = "TRADES", regular_hours: bool = True
    ) -> int:
        """Subscribe to finished 5-second bars; returns the number of the subscription."""
        return self._ask(
            lambda s: s.subscriptions.add(
                s.require_link("5-second bars"),
                facts,
                what=what,
                regular_hours=regular_hours,
                bar_size=FIVE_SECONDS,
                duration="",
            ),
            extra=self.options.history_timeout_s,
        )

    def unsubscribe(self, subscription: int) -> None:
        """End a subscription; nothing happens if it is not there."""

        async def end(supervisor: Supervisor) -> None:
            supervisor.subscriptions.remove(supervisor.link, subscription)

        self._ask(end)

    def account_values(self) -> Mapping[tuple[str, str], str]:
        """Ask for the figures of the account; values by tag and currency.

        The gateway sends them by itself every three minutes and after a fill; `snapshot` has the last ones.
        """
        account = self.connected.account
        self._ask(lambda s: sync.account_values(s.require_link("account values"), account))
        return self.snapshot().values

    def positions(self) -> tuple[PositionRow, ...]:
        """Ask for the positions of the account; a name without shares is missing."""
        return self._ours(lambda s: sync.positions(s.require_link("positions")))

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Ask for the working orders of the account, of every client."""
        return self._ours(lambda s: sync.open_orders(s.require_link("open orders")))

    def completed_orders(self) -> tuple[CompletedOrder, ...]:
        """Ask for today's orders of the account that are done."""
        return self._ours(lambda s: sync.completed_orders(s.require_link("completed orders")))

    def executions(self) -> tuple[Execution, ...]:
        """Ask for today's executions of the account, corrections included; each is queued again as well."""
        return self._ours(lambda s: sync.executions(s.require_link("executions")))

    def server_time(self) -> dt.datetime:
        """Ask for the gateway's clock, UTC, whole seconds."""
        return self._ask(lambda s: s.require_link("server time").server_time())

    # Orders

    def place(self, ticket: OrderTicket, journal: Journal) -> int:
        """Send an order and return its order id. What becomes of it arrives as messages.

        Steps: check the ticket, give out an id, call ``journal``, write to the socket. The journal runs in the
        calling thread; when it raises, nothing is sent. Sent does not mean received: an order without an
        `OrderStatus` or `OpenOrder` must be looked for, never sent again blindly.

        Parameters
        ----------
        ticket : OrderTicket
        journal : callable
            Takes the ticket and the order id, and returns once both are stored durably.

        Raises
        ------
        ConfigError
            The ticket is wrong, or the connection is read-only.
        NotSent
            Nothing was written; the gateway cannot have the order. Before or after the journal was called.
        ServiceUnavailable
            Any other: it is not known whether the order was written. Look for it.
        """
        return self.place_together([(ticket, journal)])[0]

    def place_together(self, batch: list[tuple[OrderTicket, Journal]]) -> list[int]:
        """Send the orders of a bracket: a child's ``parent_id`` of -1 stands for the first order's id.

        Raises
        ------
        ConfigError, NotSent
            As in `place`; orders before the one that failed were sent, and are held by ``transmit`` False.
        """
        self._require_writable()
        for ticket, _ in batch:
            orders.check_ticket(ticket, self._facts.get(ticket.con_id))
        ids: list[int] = []
        with self._placing:
            for given, journal in batch:
                ticket = orders.with_parent(given, ids)
                reserved = self._ask(partial(orders.reserve, what=f"order {ticket.ref}"))
                journal(ticket, reserved.order_id)
                facts = self._facts[ticket.con_id]
                self._ask(partial(orders.write, reserved=reserved, ticket=ticket, facts=facts))
                ids.append(reserved.order_id)
        return ids

    def cancel(self, order_id: int) -> None:
        """Ask the gateway to cancel an order that this client id placed.

        Cancelled is it only when an `OrderStatus` says so, and even then a fill may have crossed it.
        """
        self._require_writable()
        self._ask(lambda s: orders.cancel(s, order_id))

    def global_cancel(self) -> None:
        """Ask the gateway to cancel all orders: of every client, and those made by hand in TWS."""
        self._require_writable()
        self._ask(orders.cancel_all)

    # Inside

    def _require_writable(self) -> None:
        if self.options.read_only:
            raise ConfigError(
                "this connection is read-only (options.read_only), as in shadow mode and doctor: it places and "
                "cancels nothing"
            )

    def _ours(self, work: Callable[[Supervisor], Coroutine[Any, Any, list[T]]]) -> tuple[T, ...]:
        account = self.connected.account
        return tuple(row for row in self._ask(work) if getattr(row, "account", account) == account)
