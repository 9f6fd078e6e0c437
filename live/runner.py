"""One strategy on one account, day after day: sessions, decisions at most once, journal. Restartable at any moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from ares7.config import Config
from ares7.errors import Ares7Error, CheckFailed
from feeds.engines import Chosen
from live.client.client import Client
from live.client.messages import Connected, Message, Outage, State
from live.client.order_messages import Commission, Execution
from live.duties import Duties
from live.flattening import Flattening
from live.gateway_market import GatewayMarket
from live.halt.level import HaltLevel
from live.halt.switch import HaltSwitch
from live.interlock import Mode, Wish, mode_of
from live.journal import rows
from live.journal.failures import RowRefused
from live.journal.place import journal_url
from live.journal.wire_rows import fee_of, fill_of, wire_event
from live.journal.writer import Journal
from live.machine import utc_now
from live.order_state import Stage
from live.portfolio import Portfolio
from live.reconcile.hints import PriceHints
from live.reconcile.journal_side import JournalAdapter
from live.reconcile.rounds import Reconciler
from live.run_settings import Place, Summary
from live.store import IBStore
from live.trading_clock import Calendar

IDENTIFY_OFFSET = 2000
"""Client id of the short connection that asks which account this is."""
RECONCILE_EVERY = dt.timedelta(minutes=10)
ANSWERS_S, WAIT_S = 20.0, 0.05
"""How long the end of a run waits for the answers to its last orders, and each look, in real seconds."""


class Runner:
    """Trades until it is stopped, or for some sessions.

    Parameters
    ----------
    config : Config
    chosen : Chosen
    place : Place
    wish : Wish
    tell : callable
        Shows a line to a person.
    sessions : int, optional
        Ends after so many.
    start_now : bool
        Decide on the first session, whatever the calendar says; else at the next one that is due.
    """

    def __init__(
        self,
        config: Config,
        chosen: Chosen,
        place: Place,
        wish: Wish,
        tell: Callable[[str], None],
        *,
        sessions: int | None = None,
        start_now: bool = False,
    ) -> None:
        self._config, self._chosen, self._place, self._wish = config, chosen, place, wish
        self._tell, self._count, self._start_now = tell, sessions, start_now
        self._told: dict[str, Stage] = {}
        self._frozen: dict[int, str] = {}
        self._stale: tuple[str, ...] = ()
        self._time: Callable[[], dt.datetime] = utc_now
        self.closed = 0

    # Life

    def run(self) -> Summary:
        """Connect, compare, trade.

        Raises
        ------
        Ares7Error
            The account may not be traded in this way, journal or gateway are not there, or they differ at the start.
        """
        found = self._identify()
        mode = mode_of(self._wish, found.account, found.kind)
        url = journal_url(self._config.live.journal, self._place.folder, mode.value)
        self._place.folder.mkdir(parents=True, exist_ok=True)
        with Journal.open(url, mode.value, found.account, clock=lambda: self._time()) as journal:
            return self._with_journal(journal, mode, found.account)

    def _identify(self) -> Connected:
        """Ask which account this is, before a journal is opened or an id given out."""
        options = self._place.client.model_copy(update={"read_only": True})
        where = self._place
        with Client(
            where.host, where.port, where.client_id + IDENTIFY_OFFSET, where.account, options=options
        ) as client:
            if where.store.clock == "gateway":
                # The journal tells the time of its rows by the clock that trades.
                told = client.server_time()
                self._time = lambda: told
            return client.connected

    def _with_journal(self, journal: Journal, mode: Mode, account: str) -> Summary:
        place = self._place
        self.journal, self.mode = journal, mode
        self.store = IBStore(
            place.host,
            place.port,
            place.client_id,
            account,
            options=place.store.model_copy(update={"shadow": not mode.sends}),
            client_options=place.client.model_copy(update={"read_only": not mode.sends}),
            next_order_id=journal.highest_order_id() + 1,
        )
        self.duties = Duties(
            self._config,
            self._chosen,
            journal,
            place.folder,
            self._tell,
            client_id=place.client_id,
            armed=mode.sends,
        )
        try:
            with self.duties.run(), self.duties.halting() as switch:
                return self._trade(account, switch)
        finally:
            self._time = utc_now
            self.store.stop()

    def _trade(self, account: str, switch: HaltSwitch) -> Summary:
        self._switch = switch
        portfolio = self._portfolio()
        self._take_up(portfolio)
        portfolio.cerebro.addstorecb(lambda text, *_, **__: self._tell(str(text)))
        self._open_gate()
        self._tell(
            f"{self.mode}: {len(portfolio.roster.symbols)} names, history to {self.store.latest_session}"
        )
        portfolio.cerebro.run()
        self._await_answers()
        self._note_stages()
        orders = self.journal.orders()
        filled = sum(order.filled > 0 for order in orders)
        differences = self.reconciler.gate.differences
        return Summary(self.mode, account, self.closed, len(orders), filled, len(differences))

    # Parts

    def _portfolio(self) -> Portfolio:
        self.portfolio = Portfolio(self._config, self._chosen, self.store)
        self.store.listen(self._hear)
        return self.portfolio

    def _take_up(self, portfolio: Portfolio) -> None:
        """Load history up to the session before the first one that nobody has acted on."""
        latest = self.journal.latest_nav("close")
        self.store.feeds.again = self._unfinished(None if latest is None else latest.session)
        # Orders of an earlier process may still work, or have filled since: what the gateway says of them counts.
        now = self._time_before_the_start()
        for order in self.journal.working():
            self.store.book.sent(order.intent.ticket, order.intent.order_id, now)
        self.reconciler = Reconciler(
            self.store.client,
            JournalAdapter(self.journal, self.journal),
            self.store.now,
            PriceHints(self.journal, self.store.client),
        )
        portfolio.load(sessions=self._count)
        self._time = self.store.now
        begun = self.journal.rebalances()
        panel = portfolio.panel
        if begun:
            panel.start = np.datetime64(begun[0].session, "D")
        elif not self._start_now:
            # Before every row: then only the calendar, the regime and the overlays decide.
            panel.start = np.datetime64(self.store.latest_session, "D") - np.timedelta64(10 * 366, "D")
        contracts = {feed._name: feed.facts.con_id for feed in self.store.datas if feed.facts is not None}
        columns = [(symbol, contracts.get(symbol)) for symbol in portfolio.roster.symbols]
        self.market = GatewayMarket(self.store, self.journal, self.reconciler.gate, self._tell)
        self.conductor = self.duties.conductor(columns, self.market.market(), self._switch)
        self.flattening = Flattening(self.journal, self.store, self.market, self.conductor, self._tell)
        panel.carrier = self.conductor
        self.store.desk.journal = self.conductor.before_writing
        self.store.on_pump, self.store.on_round = self._live, self._round
        portfolio.closing, portfolio.closed = self._closing, self._closed

    def _unfinished(self, latest: dt.date | None) -> dt.date | None:
        """Return the session that has closed, if the journal has no close of it or its decision was cut short."""
        now = self._time_before_the_start()
        closed = Calendar(now, self._config.data.calendar).finished(now).date
        begun = self.journal.latest_rebalance()
        cut_short = begun is not None and begun.outcome == "open" and begun.session == closed
        return closed if latest is None or latest < closed or cut_short else None

    def _time_before_the_start(self) -> dt.datetime:
        """Time for trading, by whichever clock the store will go by."""
        return utc_now() if self._place.store.clock == "system" else self._gateway_time()

    def _gateway_time(self) -> dt.datetime:
        self.store.client.start()
        return self.store.client.server_time()

    def _open_gate(self) -> None:
        if not self.mode.sends:
            return
        self.reconciler.round("start")
        gate = self.reconciler.gate
        if gate.why_shut:
            raise CheckFailed(f"nothing is traded: {gate.why_shut}")
        self._tell_frozen()

    # What happens meanwhile

    def _hear(self, message: Message) -> None:
        """Journal what the gateway says; nothing is decided here."""
        event = wire_event(
            message, received=self.store.now() if self.store.client.state is State.READY else None
        )
        if event is not None:
            self.journal.wire(event)
        if isinstance(message, Execution):
            self._journal_fill(message)
        elif isinstance(message, Commission):
            fee = fee_of(message)
            if fee is not None:
                self.journal.fee(fee)
        elif isinstance(message, Outage):
            self.duties.alarm(
                "gateway-outage",
                f"no order was possible for {message.seconds:.0f} s ({message.reason}); look at the gateway's login",
            )
        self.reconciler.heard(message)

    def _journal_fill(self, execution: Execution) -> None:
        try:
            self.journal.fill(fill_of(execution))
        except RowRefused as error:
            # The gateway tells one execution in two ways: the difference shows in the next comparison.
            self.duties.alarm("journal-refused", str(error))

    def _live(self) -> None:
        """Connected or not: say that the process lives, and take in what halts it (a signal goes into the file)."""
        away = self.store.client.state is not State.READY
        self.duties.beat("waiting for the gateway" if away else "running", self.store.latest_session)
        self._switch.level()

    def _round(self) -> None:
        self._note_stages()
        if not self.mode.sends:
            return
        if self.reconciler.due(RECONCILE_EVERY):
            self._reconcile("reconnect" if self.reconciler.gate.why_shut else "periodic")
        level = self._switch.level()
        if level is HaltLevel.FLATTEN:
            self.flattening.step(closing=not self.reconciler.gate.why_shut)
        elif level.cancels_working:
            for known in self.store.book.working():
                if not known.cancel_asked:
                    self.store.desk.cancel(known)
        elif self.conductor.rest and self.market.is_open():
            self._send_rest()

    def _send_rest(self) -> None:
        """Send what an interruption kept back, now that journal and gateway were compared again."""
        rest = self.conductor.rest
        self._tell(f"{len(rest)} orders that an interruption kept back are sent")
        for con_id, quantity in rest.items():
            ticket = self.market.ticket(con_id, quantity)
            reason = self.store.desk.send([ticket]).get(ticket.ref, "")
            if reason:
                self._tell(f"{ticket.ref} was not sent: {reason}")
        self.conductor.carried_out()

    def _reconcile(self, trigger: str) -> None:
        """Compare with the gateway; the gate stays shut while that cannot be done."""
        try:
            self.reconciler.round(trigger)
        except Ares7Error as error:
            self._tell(f"not reconciled: {error}")
        else:
            self._tell_frozen()

    def _tell_frozen(self) -> None:
        """Alert once of each contract that is not traded any more."""
        frozen = dict(self.reconciler.gate.frozen)
        for con_id, reason in frozen.items():
            if self._frozen.get(con_id) != reason:
                self.duties.alert("warning", "reconcile-break", f"contract {con_id} is not traded: {reason}")
        self._frozen = frozen

    def _tell_stale(self, session: dt.date) -> None:
        """Alert of names that had no bar of a session in time, when they are others than before."""
        stale = tuple(feed._name for feed in self.store.datas if feed.stale)
        if stale and stale != self._stale:
            names = f"{', '.join(stale[:5])}{', ...' if len(stale) > 5 else ''}"
            self.duties.alert(
                "warning", "missing-bars", f"{len(stale)} names without a bar of {session}: {names}"
            )
        self._stale = stale

    def _note_stages(self) -> None:
        for ref, known in self.store.book.orders.items():
            if self._told.get(ref) is not known.stage:
                self._told[ref] = known.stage
                if self.journal.stage(ref, known.stage.value, known.reason) and known.stage is Stage.REJECTED:
                    order = f"{known.ticket.side} {known.ticket.quantity} {known.ticket.symbol}"
                    self.duties.alert("warning", "order-rejected", f"{order} ({ref}): {known.reason}")

    def _await_answers(self) -> None:
        """Wait until the gateway has said what became of the last orders, for nobody listens afterwards."""
        looks = int(ANSWERS_S / WAIT_S)
        while looks and any(known.stage is Stage.SENT for known in self.store.book.working()):
            self.store.pump(WAIT_S)
            looks -= 1

    # A session

    def _closing(self, session: dt.date) -> None:
        """A session has closed and is about to be decided on."""
        self.market.session = session

    def _closed(self, session: dt.date) -> None:
        """A session has been acted on: write what the account is worth at its close."""
        self.closed += 1
        self.market.money()
        self._tell_stale(session)
        broker, held = self.store.getbroker(), self.store.holdings
        worth = {con_id: broker.worth(con_id) for con_id in held.positions}
        for con_id, shares in self.journal.ignored().items():
            if con_id in worth:
                # The operator's, and no part of what is reported.
                worth[con_id] *= 1.0 - shares / held.shares(con_id)
        nav = rows.Nav(
            session=session,
            kind="close",
            nav_usd=held.cash + sum(worth.values()),
            cash_usd=held.cash,
            gross_usd=sum(map(abs, worth.values())),
        )
        self.duties.closed(nav, self.portfolio.panel.panel())
        if self.mode.sends:
            self._reconcile("close")
            # What the gateway said of the orders meanwhile: after the last session nobody else asks.
            self.store.pump()
