"""The store: one connection, its feeds and its broker, for anyone's Cerebro.

::

    store = IBStore(host="127.0.0.1", port=4002, client_id=7, account="DU1234567")
    cerebro = bt.Cerebro()
    cerebro.setbroker(store.getbroker())
    cerebro.adddata(store.getdata(symbol="AAPL"))
    cerebro.addstrategy(AnyStrategy)
    try:
        cerebro.run()
    finally:
        store.stop()
"""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares7.errors import ConfigError
from live.account_watch import AccountWatch, cash_of
from live.broker import IBBroker, facts_of
from live.client.client import Client
from live.client.history import DailyBars
from live.client.messages import (
    AccountValue,
    BarUpdate,
    Connected,
    Disconnected,
    Message,
    Notice,
    Outage,
    PositionRow,
    Restored,
    State,
    StateChanged,
    SubscriptionFailed,
)
from live.client.options import Options
from live.client.order_messages import OrderTicket
from live.data import IBData
from live.holdings import Holdings
from live.machine import utc_now
from live.market_feeds import MarketFeeds
from live.order_book import OrderBook
from live.order_desk import OrderDesk
from live.order_events import OrderEvents
from live.store_options import StoreOptions
from live.trading_clock import Calendar, GatewayClock

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class IBStore:
    """Connection to TWS or IB Gateway for Backtrader. Make a new one for every run.

    Parameters
    ----------
    host, port, client_id, account
        As `live.client.client.Client`.
    options : StoreOptions, optional
    client_options : Options, optional
    run_id : str, optional
        Eight hex digits in the reference of every order; derived from account, client id and start time otherwise.
    until : date, optional
        The run ends after this session.
    cache : Path, optional
        Folder for daily history (`live.history_cache`); nothing is stored without it.
    next_order_id : int
        Order ids begin here at the earliest: one more than the highest in a journal.

    Attributes
    ----------
    book : OrderBook
    desk : OrderDesk
    events : OrderEvents
    holdings : Holdings
        Positions and cash: the gateway's at the last synchronisation, and every execution since.
    on_pump : callable or None
        Is called in every round, connected or not; asks the gateway nothing.
    on_round : callable or None
        Is called in every round while the connection is ready.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 4002,
        client_id: int = 1,
        account: str = "",
        *,
        options: StoreOptions | None = None,
        client_options: Options | None = None,
        run_id: str = "",
        until: dt.date | None = None,
        cache: Path | None = None,
        next_order_id: int = 1,
    ) -> None:
        self.options = options or StoreOptions()
        if self.options.clock == "gateway" and host not in LOOPBACK:
            raise ConfigError(
                f"clock: gateway is for a double on this machine; {host} has a clock of its own"
            )
        settings = client_options or Options()
        if self.options.clock == "gateway":
            settings = settings.for_double()
        self.client = Client(host, port, client_id, account, options=settings, next_order_id=next_order_id)
        self.broker: IBBroker | None = None
        self.holdings = Holdings()
        self.book = OrderBook(account, client_id)
        self.desk = OrderDesk(self.client, self.book, self.options, self.now, self.note, run_id)
        self.watch = AccountWatch(self.client, self.holdings, self.book, self.options, self.now, self.note)
        self.events = OrderEvents(
            self.holdings, self.desk, self.watch, self.options, self.now, self.note, lambda: self.calendar
        )
        self.feeds = MarketFeeds(self.client, self.options, self.note, cache, until)
        self.problem: Exception | None = None
        self.on_pump: Callable[[], None] | None = None
        self.on_round: Callable[[], None] | None = None
        self._notes: collections.deque[Any] = collections.deque()
        self._phase = "new"
        self._ready = False
        self._pumped = False
        self._clock: Callable[[], dt.datetime] = utc_now
        self._calendar: Calendar | None = None
        self._listeners: list[Callable[[Message], None]] = []

    # What Backtrader calls

    def getbroker(self) -> IBBroker:
        """Return the broker of this connection; always the same one."""
        if self.broker is None:
            self.broker = IBBroker(self)
        return self.broker

    def getdata(self, **kwargs: Any) -> IBData:
        """Return a new feed; see `live.data.IBData` for the parameters."""
        if self._phase != "new":
            raise ConfigError("the store was started already; make all feeds before it is")
        data = IBData(self, **kwargs)
        self.feeds.datas.append(data)
        return data

    def start(self, data: Any = None, broker: Any = None) -> None:
        """Connect, find the contracts, load history; the first call does it, whoever makes it.

        Raises
        ------
        ConfigError, MissingData, ServiceUnavailable
            Nothing is left running.
        """
        if self._phase == "stopped":
            raise ConfigError("this store has been stopped; make a new one, with new feeds, for another run")
        if self._phase == "started":
            return
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self._phase = "started"

    def _start(self) -> None:
        connected = self.client.start()
        self.book.account = connected.account
        if self.options.clock == "gateway":
            self._clock = GatewayClock(self.client.server_time, self.options.poll_s)
        self.feeds.qualify()
        self._synchronise()
        self._calendar = Calendar(self.now(), self.options.calendar)
        self.feeds.load(self.now(), self._calendar)

    def stop(self) -> None:
        """Disconnect; no thread is left. Safe to call again. Cash and positions stay known."""
        self._phase = "stopped"
        self.client.stop()

    def get_notifications(self) -> list[Any]:
        """Return what Cerebro hands to ``notify_store``: (message, args, kwargs). Begins a round of Cerebro."""
        self.begin_round()
        out = list(self._notes)
        self._notes.clear()
        return out

    def note(self, text: str) -> None:
        """Tell the strategies."""
        self._notes.append((text, (), {}))

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Hand every message to a callable too, in the thread that runs Cerebro."""
        self._listeners.append(listener)

    # What feeds, broker and users of this store ask

    @property
    def datas(self) -> list[IBData]:
        """Feeds of this store."""
        return self.feeds.datas

    @property
    def finished(self) -> bool:
        """The last session was delivered."""
        return self.feeds.finished

    @property
    def latest_session(self) -> dt.date:
        """The latest session whose bars were final at the start."""
        return self.feeds.latest_session

    @property
    def until(self) -> dt.date | None:
        """The run ends after this session; may be set until it comes."""
        return self.feeds.until

    @until.setter
    def until(self, session: dt.date | None) -> None:
        """Let the run end after a session, or with None never."""
        self.feeds.until = session

    def observe(
        self, bars: Callable[[DailyBars], None] | None, session: Callable[[dt.date], None] | None
    ) -> None:
        """Hand the daily bars of every session's requests to one callable, each session to another, before delivery.

        Set before the start.
        """
        self.feeds.observe_bars, self.feeds.on_session = bars, session

    @property
    def shadow_orders(self) -> list[OrderTicket]:
        """What would have been sent."""
        return self.desk.shadow_orders

    @property
    def calendar(self) -> Calendar:
        """Exchange sessions around now."""
        now = self.now()
        self._calendar = (self._calendar or Calendar(now, self.options.calendar)).renewed(now)
        return self._calendar

    def now(self) -> dt.datetime:
        """Time for trading, UTC."""
        return self._clock()

    def why_not_trade(self, data: Any) -> str:
        """Return the reason why an order of this feed cannot be sent now; empty if there is none."""
        facts = facts_of(data)
        if facts is None or facts.kind != "STK":
            return "the contract is not traded"
        while getattr(data, "_clone", False):
            data = data.data
        if self.options.shadow:
            return "" if data.is_current else "it was decided on a bar of the past (the feed is not LIVE)"
        # The state first: without a connection no feed is live.
        state = self.client.state
        if state is not State.READY:
            return f"the connection is {state}"
        if not data.is_current:
            return "it was decided on a bar of the past (the feed is not LIVE)"
        return self.events.frozen.get(facts.con_id, "")

    # The round

    def begin_round(self) -> None:
        """A new round of Cerebro: the orders of the step before leave, and one feed may wait for messages."""
        self._pumped = False
        if self.broker is not None and self._phase == "started":
            self.broker.flush()

    def pump_once(self, wait: float) -> None:
        """Pump unless another feed did so in this round: of 500 idle feeds only one looks."""
        if not self._pumped:
            self._pumped = True
            self.pump(wait)

    def pump(self, wait: float = 0.0) -> None:
        """Take in what arrived, waiting up to ``wait`` seconds for it, and do what is due."""
        if self.problem is not None:
            raise self.problem
        if self.options.clock == "gateway":
            # The double's clock moves without a message.
            wait = min(wait, self.options.poll_s)
        if wait > 0:
            first = self.client.wait(wait)
            if first is not None:
                self._dispatch(first.message)
        self._drain()
        if self.on_pump is not None:
            self.on_pump()
        if self._ready:
            if self.on_round is not None:
                self.on_round()
            self._act()

    def _drain(self) -> None:
        for envelope in self.client.poll():
            self._dispatch(envelope.message)

    def _act(self) -> None:
        """Settle doubts, compare the account, publish bars."""
        now = self.now()
        # A gateway that was asked for the time has sent everything before it.
        self._drain()
        self.events.release(now)
        changes, cancelled = self.desk.settle(now)
        # What the queries brought lies in the queue too, and comes first.
        self._drain()
        self.events.apply(changes)
        for ref in cancelled:
            self.events.cancelled(ref)
        if self._ready:
            self.events.apply(self.watch.settle(now))
        # Last: a session is decided on with everything that is known of the account.
        self.feeds.poll(now)

    def _synchronise(self) -> None:
        """Adopt cash and positions; executions of earlier are remembered, so that no replay books them again."""
        snapshot = self.client.snapshot()
        for envelope in self.client.poll():
            if envelope.seq <= snapshot.seq:
                self._remember(envelope.message)
            else:
                self._dispatch(envelope.message)
        positions = {con: (row.shares, row.average_cost) for con, row in snapshot.positions.items()}
        self.holdings.adopt(cash_of(snapshot.values), positions)
        self.book.absorb_fees()

    def _remember(self, message: Message) -> None:
        self.desk.handle(message)
        if isinstance(message, StateChanged):
            self._ready = message.state is State.READY

    def _dispatch(self, message: Message) -> None:
        for listener in self._listeners:
            listener(message)
        match message:
            case BarUpdate():
                self.feeds.on_update(message)
            case SubscriptionFailed():
                self.feeds.on_failure(message)
            case AccountValue():
                self.watch.on_value(message)
            case PositionRow():
                self.watch.on_position(message)
            case StateChanged():
                self._moved(message)
            case Connected():
                self._reconnected(message)
            case Restored():
                self._reread(str(message))
            case Disconnected() | Outage() | Notice():
                self.note(str(message))
            case _:
                self.events.apply(self.desk.handle(message))

    def _moved(self, change: StateChanged) -> None:
        self._ready = change.state is State.READY
        self.note(f"the connection is {change.state}: {change.reason}")
        self.feeds.interrupted(broken=not self._ready)

    def _reconnected(self, connected: Connected) -> None:
        self.desk.reconnected()
        self._reread(f"connected to account {connected.account}, connection {connected.generation}")

    def _reread(self, text: str) -> None:
        """After everything was read again: compare, and look for the orders that worked."""
        self.note(text)
        self.desk.doubt_all("the connection was interrupted")
        self.watch.on_snapshot()
