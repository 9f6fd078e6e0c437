"""The store: one connection, its feeds and its broker, for anyone's Cerebro.

::

    store = IBStore(host="127.0.0.1", port=4002, client_id=7, account="DU1234567")
    cerebro = bt.Cerebro(quicknotify=True)
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
import hashlib
from collections.abc import Callable
from typing import Any

from ares7.errors import ConfigError, MissingData, ServiceUnavailable, StaleData
from live.barrier import Published
from live.broker import IBBroker
from live.client.client import Client
from live.client.failures import NotSent
from live.client.history import DailyBars
from live.client.messages import (
    AccountValue,
    BarUpdate,
    Connected,
    ContractFacts,
    Disconnected,
    ErrorMessage,
    Message,
    Notice,
    Outage,
    Restored,
    State,
    StateChanged,
)
from live.client.options import HistoryPacing, Options
from live.client.order_messages import (
    Commission,
    CompletedOrder,
    Execution,
    OpenOrder,
    OrderStatus,
    OrderTicket,
)
from live.data import IBData
from live.order_book import Known, OrderBook, Stage
from live.session_bars import SessionBars, bars_of
from live.store_options import StoreOptions
from live.trading_clock import Calendar, GatewayClock, system_clock

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class IBStore:
    """Connection to TWS or IB Gateway for Backtrader.

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

    Attributes
    ----------
    datas : list of IBData
    book : OrderBook
    shadow_orders : list of OrderTicket
        What would have been sent.
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
    ) -> None:
        self.options = options or StoreOptions()
        if self.options.clock == "gateway" and host not in LOOPBACK:
            raise ConfigError(
                f"clock: gateway is for a double on this machine; {host} has a clock of its own"
            )
        settings = client_options or Options()
        if self.options.clock == "gateway":
            # A double's days last seconds: its clock is right by definition, IB's nightly reset and its limits on
            # history, which are in real seconds, mean nothing.
            unpaced = HistoryPacing(identical_s=0, per_contract=10**6, per_ten_minutes=10**6)
            settings = settings.model_copy(update={"max_skew_s": None, "quiet": None, "history": unpaced})
        self.client = Client(host, port, client_id, account, options=settings)
        self.datas: list[IBData] = []
        self.broker: IBBroker | None = None
        self.book = OrderBook(account)
        self.shadow_orders: list[OrderTicket] = []
        self.until, self.finished = until, False
        self.problem: Exception | None = None
        self._run_id, self._numbers = run_id, collections.Counter[tuple[str, int, str]]()
        self._notes: collections.deque[Any] = collections.deque()
        self._started = False
        self._clock: Callable[[], dt.datetime] = system_clock
        self._bars: SessionBars | None = None
        self._subscribed: dict[int, IBData] = {}
        self._doubts: dict[str, dt.datetime] = {}
        self._listeners: list[Callable[[Message], None]] = []
        self.observe_bars: Callable[[DailyBars], None] | None = None
        """Is handed the daily bars of every session's requests; set before the start."""
        self.on_session: Callable[[dt.date], None] | None = None
        """Is called with each session before its bars are delivered."""

    # -- what Backtrader calls --------------------------------------------------------------------------------

    def getbroker(self) -> IBBroker:
        """Return the broker of this connection; always the same one."""
        if self.broker is None:
            self.broker = IBBroker(self)
        return self.broker

    def getdata(self, **kwargs: Any) -> IBData:
        """Return a new feed; see `live.data.IBData` for the parameters."""
        data = IBData(self, **kwargs)
        self.datas.append(data)
        return data

    def start(self, data: Any = None, broker: Any = None) -> None:
        """Connect, find the contracts, load history; the first call does it, whoever makes it."""
        if self._started:
            return
        self._started = True
        connected = self.client.start()
        self.book.account = connected.account
        if self.options.clock == "gateway":
            self._clock = GatewayClock(self.client.server_time)
        self._qualify()
        self._synchronise()
        self._load_bars()

    def stop(self) -> None:
        """Disconnect; no thread is left. Safe to call again. Cash and positions stay known."""
        if self._started:
            self.client.stop()

    def get_notifications(self) -> list[Any]:
        """Return what Cerebro hands to ``notify_store``: (message, args, kwargs)."""
        out = list(self._notes)
        self._notes.clear()
        return out

    def note(self, text: str) -> None:
        """Tell the strategies."""
        self._notes.append((text, (), {}))

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Hand every message to a callable too, in the thread that runs Cerebro."""
        self._listeners.append(listener)

    # -- time -------------------------------------------------------------------------------------------------

    def now(self) -> dt.datetime:
        """Time for trading, UTC."""
        return self._clock()

    def market_is_open(self) -> bool:
        """Regular trading goes on."""
        return self._calendar.is_open(self.now())

    # -- start ------------------------------------------------------------------------------------------------

    def _qualify(self) -> None:
        wanted = {(data.p.symbol, data.p.kind) for data in self.datas}
        found = self.client.qualify(sorted(wanted))
        if found.problems:
            first, *others = found.problems.values()
            raise MissingData(f"{first.text}{f' ({len(others)} more)' if others else ''}")
        for data in self.datas:
            data.facts = found.facts[data.p.symbol]

    def _synchronise(self) -> None:
        """Adopt cash and positions; executions of earlier are remembered, so that no replay books them again."""
        snapshot = self.client.snapshot()
        for envelope in self.client.poll():
            if envelope.seq <= snapshot.seq:
                self.handle_order_message(envelope.message)
            else:
                self._dispatch(envelope.message)
        positions = {con: (row.shares, row.average_cost) for con, row in snapshot.positions.items()}
        self.getbroker().synchronise(cash_of(snapshot.values), positions)

    def _load_bars(self) -> None:
        now = self.now()
        self._calendar = Calendar(now, self.options.calendar)
        daily = [data for data in self.datas if data.p.source == "session"]
        latest = self._calendar.finished(now)
        if now < latest.closes + self.options.bar_delay:
            latest = self._calendar.finished(latest.opens)
        for what in ("TRADES", "ADJUSTED_LAST"):
            group = [data for data in daily if _what(data) == what and data.p.backfill]
            if group:
                self._backfill(group, what, latest.date)
        wanted = {data._name: (_facts(data), _what(data)) for data in daily}
        if len(wanted) < len(daily):
            raise ConfigError("two feeds have the same name; give one of them name=")
        if wanted:
            self._bars = SessionBars(
                self.client, wanted, self._calendar, self.options, latest.date, self.note, self.observe_bars
            )
        self.latest_session = latest.date
        for data in self.datas:
            self._subscribe(data)

    def _backfill(self, group: list[IBData], what: str, last: dt.date) -> None:
        count = max(data.p.backfill for data in group)
        found = self.client.daily_bars_of([_facts(data) for data in group], count + 2, what=what)
        for data in group:
            answer = found[_facts(data).con_id]
            if isinstance(answer, Exception):
                raise answer
            data.fill([bar for bar in bars_of(answer) if bar.session <= last][-data.p.backfill :])

    def _subscribe(self, data: IBData) -> None:
        if data.p.source == "five_seconds":
            self._subscribed[self.client.five_second_bars(_facts(data))] = data
        elif data.p.source == "keep_up_to_date":
            self._subscribed[self.client.keep_up_to_date(_facts(data), bar_size="1 min", duration="1 D")] = (
                data
            )

    # -- the round --------------------------------------------------------------------------------------------

    def pump(self, wait: float = 0.0) -> None:
        """Take in what arrived, and do what is due; called in every round of Cerebro."""
        if self.problem is not None:
            raise self.problem
        if wait > 0:
            first = self.client.wait(wait)
            if first is not None:
                self._dispatch(first.message)
        for envelope in self.client.poll():
            self._dispatch(envelope.message)
        if self.client.state in (State.READY, State.QUIET):
            now = self.now()
            self._publish(now)
            self._settle(now)

    def _publish(self, now: dt.datetime) -> None:
        if self._bars is None or self.finished:
            return
        try:
            published = self._bars.poll(now)
        except ServiceUnavailable as error:
            self.note(f"bars of {self._bars.session} could not be asked for: {error}")
            return
        if published is None:
            return
        if published.missing and self.options.on_missing == "abort":
            raise StaleData(
                f"no bar of {published.session} for {list(published.missing)[:5]} ({len(published.missing)} names); "
                "nothing was decided; find out why, or set on_missing: skip"
            )
        self._deliver(published)

    def _deliver(self, published: Published) -> None:
        if self.on_session is not None:
            self.on_session(published.session)
        if published.missing:
            self.note(f"session {published.session} without {list(published.missing)}")
        for data in self.datas:
            if data.p.source != "session":
                continue
            bar = published.bars.get(data._name)
            data.stale = bar is None
            if bar is not None:
                data.push(bar)
        self.finished = self.until is not None and published.session >= self.until

    def _dispatch(self, message: Message) -> None:
        for listener in self._listeners:
            listener(message)
        if isinstance(message, BarUpdate):
            data = self._subscribed.get(message.subscription)
            if data is not None:
                data.push(message.bar)
        elif isinstance(message, Connected):
            self._reconnected(message)
        elif isinstance(message, Disconnected | Restored | Outage | StateChanged | Notice):
            self.note(str(message))
        elif not isinstance(message, AccountValue):
            self.getbroker().on_message(message)

    def _reconnected(self, message: Connected) -> None:
        self.note(f"connected to account {message.account}, connection {message.generation}")
        self.book.forget_ids()
        for known in self.book.working():
            self.in_doubt(known.ticket.ref, "the connection was lost")

    def mark(self, con_id: int, price: float) -> None:
        """Value a contract at the close of its latest bar."""
        self.getbroker().mark(con_id, price)

    # -- orders -----------------------------------------------------------------------------------------------

    def why_not_trade(self, data: IBData) -> str:
        """Return the reason why an order of this feed cannot be sent now; empty if there is none."""
        if data.facts is None or data.facts.kind != "STK":
            return "the contract is not traded"
        if not data.is_current:
            return "it was decided on a bar of the past (the feed is not LIVE)"
        if self.options.shadow:
            return ""
        state = self.client.state
        return "" if state is State.READY else f"the connection is {state}"

    def new_ref(self, facts: ContractFacts, side: str) -> str:
        """Return a new order reference (rulings 27)."""
        day = f"{self.now():%Y%m%d}"
        if not self._run_id:
            seed = f"{self.book.account} {self.client.target.client_id} {system_clock().isoformat()}"
            self._run_id = hashlib.sha256(seed.encode()).hexdigest()[:8]
        key = (day, facts.con_id, side[0])
        self._numbers[key] += 1
        return f"A7-{day}-{self._run_id}-{facts.con_id}-{side[0]}-{self._numbers[key]}"

    def send(self, ticket: OrderTicket) -> str:
        """Send an order; return why it certainly was not sent, or nothing."""
        if self.options.shadow:
            self.shadow_orders.append(ticket)
            self.note(
                f"shadow: {ticket.side} {ticket.quantity} {ticket.symbol} {ticket.order_type}/{ticket.tif}"
            )
            return ""
        try:
            self.client.place(ticket, self._journal)
        except (ConfigError, NotSent) as error:
            known = self.book.orders.get(ticket.ref)
            if known is not None:
                known.stage, known.reason = Stage.REJECTED, str(error)
            return str(error)
        except ServiceUnavailable as error:
            # It may or may not be at the gateway: it is looked for.
            self.in_doubt(ticket.ref, str(error))
        return ""

    def _journal(self, ticket: OrderTicket, order_id: int) -> None:
        self.book.sent(ticket, order_id, self.now())

    def cancel(self, known: Known) -> None:
        """Ask the gateway to cancel."""
        try:
            self.client.cancel(known.order_id)
        except ServiceUnavailable as error:
            self.note(f"order {known.ticket.ref} could not be cancelled: {error}")

    def handle_order_message(self, message: Message) -> list[Any]:
        """Feed the order book; return what changed."""
        handlers: dict[type, Callable[[Any], list[Any]]] = {
            OrderStatus: self.book.on_status,
            OpenOrder: self.book.on_open_order,
            CompletedOrder: self.book.on_completed,
            Execution: self.book.on_execution,
            Commission: self.book.on_commission,
            ErrorMessage: self.book.on_error,
        }
        handler = handlers.get(type(message))
        if isinstance(message, ErrorMessage):
            self.note(f"gateway error {message.code}: {message.text}")
        return [] if handler is None else handler(message)

    def in_doubt(self, ref: str, reason: str) -> None:
        """Look for an order at the gateway, after a pause in which its status may still come."""
        self._doubts.setdefault(ref, self.now() + self.options.doubt)
        self.note(f"order {ref} is looked for: {reason}")

    def _settle(self, now: dt.datetime) -> None:
        for known in self.book.overdue(now, self.options.acknowledge):
            self._doubts.setdefault(known.ticket.ref, now)
        due = [ref for ref, since in self._doubts.items() if now >= since]
        due = [ref for ref in due if not self._dropped(ref)]
        if not due:
            return
        try:
            answers: list[OpenOrder | CompletedOrder | Execution] = [
                *self.client.open_orders(),
                *self.client.completed_orders(),
                *self.client.executions(),
            ]
        except ServiceUnavailable as error:
            self.note(f"{len(due)} orders could not be looked for: {error}")
            return
        for ref in due:
            del self._doubts[ref]
        self.getbroker().on_changes(self.book.settle(answers, due))

    def _dropped(self, ref: str) -> bool:
        known = self.book.orders.get(ref)
        if known is None or known.stage.is_final:
            del self._doubts[ref]
            return True
        return False


def cash_of(values: Any) -> float:
    """Cash of the account in USD.

    Raises
    ------
    ConfigError
        The account's base currency is another one.
    """
    for key in (("TotalCashValue", "USD"), ("CashBalance", "USD"), ("TotalCashBalance", "USD")):
        if key in values:
            return float(values[key])
    shown = sorted(currency for tag, currency in values if tag == "TotalCashValue")
    raise ConfigError(
        f"the account reports its cash in {shown or 'no currency'}; only USD accounts are supported"
    )


def _facts(data: IBData) -> ContractFacts:
    if data.facts is None:
        raise ConfigError(f"{data._name} was not qualified; the store was started before the feed was made")
    return data.facts


def _what(data: IBData) -> str:
    return "ADJUSTED_LAST" if data.p.adjusted and data.p.kind == "STK" else "TRADES"
