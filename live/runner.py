"""One strategy on one account, day after day: sessions, decisions at most once, journal. Restartable at any moment."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Callable

import numpy as np

from ares7.config import Config
from ares7.errors import Ares7Error, CheckFailed
from ares7.explain import Dissection, Explainer
from ares7.limits import AccountView, Limits, ProposedOrder, Working
from ares7.panel import Panel
from feeds.engines import Chosen
from live.client.client import Client
from live.client.messages import Connected, Message, State
from live.client.order_messages import Commission, Execution, OrderTicket
from live.conductor import Conductor
from live.day_report import DayPrice, day_record, write_day_report
from live.flattening import Flattening
from live.halt.file_source import HaltFile
from live.halt.gate import halt_verdict
from live.halt.journal_source import JournalSource
from live.halt.level import HaltLevel
from live.halt.signal_source import SignalSource
from live.halt.switch import HaltSwitch
from live.heartbeat import STOPPED, Heartbeat
from live.interlock import Mode, Wish, mode_of
from live.journal import rows
from live.journal.failures import RowRefused
from live.journal.place import default_url
from live.journal.wire_rows import fee_of, fill_of, wire_event
from live.journal.writer import Journal
from live.machine import utc_now
from live.order_state import Stage
from live.portfolio import Portfolio
from live.reconcile.hints import PriceHints
from live.reconcile.journal_side import JournalAdapter, owners_of
from live.reconcile.ownership import require_sole_strategy, sellable
from live.reconcile.rounds import Reconciler
from live.run_settings import Place, Summary
from live.store import IBStore
from live.trading_clock import Calendar

IDENTIFY_OFFSET = 2000
"""Client id of the short connection that asks which account this is."""
RECONCILE_EVERY = dt.timedelta(minutes=10)


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
        url = default_url(self._place.folder, mode.value)
        self._place.folder.mkdir(parents=True, exist_ok=True)
        with Journal.open(url, mode.value, found.account) as journal:
            return self._with_journal(journal, mode, found.account)

    def _identify(self) -> Connected:
        """Ask which account this is, before a journal is opened or an id given out."""
        options = self._place.client.model_copy(update={"read_only": True})
        where = self._place
        with Client(
            where.host, where.port, where.client_id + IDENTIFY_OFFSET, where.account, options=options
        ) as client:
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
        self.heartbeat = Heartbeat(place.folder, utc_now)
        journal.begin_run(
            rows.Run(
                self._chosen.name,
                self._config.digest(),
                pid=os.getpid(),
                host=socket.gethostname(),
                client_id=place.client_id,
                armed=mode.sends,
            )
        )
        try:
            require_sole_strategy(self._chosen.name, owners_of(journal))
            return self._trade(account)
        except BaseException as error:
            journal.end_run(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.store.stop()
            self.heartbeat.beat(STOPPED)

    def _trade(self, account: str) -> Summary:
        portfolio = self._portfolio()
        self._take_up(portfolio)
        portfolio.cerebro.addstorecb(lambda text, *_, **__: self._tell(str(text)))
        with _signals(self._halt_file) as signals:
            self._switch = self._switch_of(signals)
            self._open_gate()
            self._tell(
                f"{self.mode}: {len(portfolio.roster.symbols)} names, history to {self.store.latest_session}"
            )
            portfolio.cerebro.run()
            self._note_stages()
        differences = self.reconciler.gate.differences
        self.journal.heartbeat(rows.Heartbeat(STOPPED, os.getpid()))
        self.journal.end_run("finished")
        orders = self.journal.orders()
        filled = sum(order.filled > 0 for order in orders)
        return Summary(self.mode, account, self.closed, len(orders), filled, len(differences))

    # Parts

    def _portfolio(self) -> Portfolio:
        portfolio = Portfolio(self._config, self._chosen, self.store)
        self.store.listen(self._hear)
        self._halt_file = HaltFile(self._place.folder, utc_now)
        self._halt_file.prepare()
        self.portfolio = portfolio
        return portfolio

    def _take_up(self, portfolio: Portfolio) -> None:
        """Load history up to the session before the first one that nobody has acted on."""
        navs = self.journal.navs()
        latest = navs[-1].session if navs else None
        self.store.feeds.again = self._unfinished(latest)
        # Orders of an earlier process may still work, or have filled since: what the gateway says of them counts.
        for order in self.journal.working():
            self.store.book.sent(order.intent.ticket, order.intent.order_id, utc_now())
        portfolio.load(sessions=self._count)
        begun = self.journal.rebalances()
        panel = portfolio.panel
        if begun:
            panel.start = np.datetime64(begun[0].session, "D")
        elif not self._start_now:
            # Before every row: then only the calendar, the regime and the overlays decide.
            panel.start = np.datetime64(self.store.latest_session, "D") - np.timedelta64(10 * 366, "D")
        self.reconciler = Reconciler(
            self.store.client,
            JournalAdapter(self.journal, self.journal),
            self.store.now,
            PriceHints(self.journal, self.store.client),
        )
        self.conductor = Conductor(
            self.journal,
            Limits(self._config.limits),
            self._why_not,
            strategy=self._chosen.name,
            config_digest=self._config.digest(),
            contracts={f._name: f.facts.con_id for f in self.store.datas if f.facts is not None},
            client_id=self._place.client_id,
            begin=self.store.desk.name_orders,
            tell=self._tell,
            explain=self._explained,
        )
        self.flattening = Flattening(self.journal, self.store, self.conductor, self._tell)
        panel.conductor = self.conductor
        self.store.desk.journal = self.conductor.before_writing
        self.store.on_round = self._round
        portfolio.closed = self._closed

    def _unfinished(self, latest: dt.date | None) -> dt.date | None:
        """Return the session that has closed and that the journal has no close of."""
        now = utc_now() if self._place.store.clock == "system" else self._gateway_time()
        closed = Calendar(now, self._config.data.calendar).finished(now).date
        return closed if latest is None or latest < closed else None

    def _gateway_time(self) -> dt.datetime:
        self.store.client.start()
        return self.store.client.server_time()

    def _switch_of(self, signals: SignalSource) -> HaltSwitch:
        return HaltSwitch([self._halt_file, signals, JournalSource(self.journal)], self._alarm, utc_now)

    def _open_gate(self) -> None:
        if not self.mode.sends:
            return
        self.reconciler.round("start")
        gate = self.reconciler.gate
        if gate.why_shut:
            raise CheckFailed(f"nothing is traded: {gate.why_shut}")
        for con_id, reason in gate.frozen.items():
            self._alert("warning", "reconcile-break", f"contract {con_id} is not traded: {reason}")

    # Questions before an order leaves

    def _why_not(self, ticket: OrderTicket) -> str:
        reason = self.reconciler.gate.why_not(ticket.con_id)
        if reason:
            return reason
        held = self.store.holdings.positions.get(ticket.con_id)
        shares = 0.0 if held is None else float(held.size)
        if ticket.side == "SELL":
            mine = self.journal.positions().get(ticket.con_id)
            ours = sellable(0.0 if mine is None else mine.shares, shares)
            if ticket.quantity > ours:
                return f"{ours:g} shares are ours to sell (run.py adopt), and {ticket.quantity} are asked for"
        order = ProposedOrder(ticket.symbol, ticket.quantity if ticket.side == "BUY" else -ticket.quantity)
        open_now = self.store.book.open_shares(ticket.con_id)
        view = AccountView(
            nav=0.0,
            cash=0.0,
            names={},
            positions={ticket.symbol: shares},
            working={ticket.symbol: Working(max(open_now, 0.0), max(-open_now, 0.0))},
        )
        flattening = self._switch.level() is HaltLevel.FLATTEN and self.conductor.flattens
        return halt_verdict(self._switch.standing(), order, view, flattening=flattening).reason

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
        self.reconciler.heard(message)

    def _journal_fill(self, execution: Execution) -> None:
        try:
            self.journal.fill(fill_of(execution))
        except RowRefused as error:
            # The gateway tells one execution in two ways: the difference shows in the next comparison.
            self._alert("error", "journal-refused", str(error))

    def _round(self) -> None:
        self.heartbeat.beat("running", self.store.latest_session)
        self._note_stages()
        if not self.mode.sends:
            return
        if self.reconciler.due(RECONCILE_EVERY):
            self._reconcile("reconnect" if self.reconciler.gate.why_shut else "periodic")
        level = self._switch.level()
        if level is HaltLevel.FLATTEN and not self.reconciler.gate.why_shut:
            self.flattening.step()
        elif level.cancels_working:
            for known in self.store.book.working():
                if not known.cancel_asked:
                    self.store.desk.cancel(known)

    def _reconcile(self, trigger: str) -> None:
        """Compare with the gateway; the gate stays shut while that cannot be done."""
        try:
            self.reconciler.round(trigger)
        except Ares7Error as error:
            self._tell(f"not reconciled: {error}")

    def _note_stages(self) -> None:
        for ref, known in self.store.book.orders.items():
            if self._told.get(ref) is not known.stage:
                self._told[ref] = known.stage
                self.journal.stage(ref, known.stage.value, known.reason)

    def _closed(self, session: dt.date) -> None:
        """A session has been acted on: write what the account is worth at its close."""
        self.closed += 1
        broker = self.store.getbroker()
        gross = sum(abs(broker.getvalue([feed])) for feed in self.store.datas)
        self.journal.nav(
            rows.Nav(
                session=session,
                kind="close",
                nav_usd=broker.getvalue(),
                cash_usd=broker.getcash(),
                gross_usd=gross,
            )
        )
        self.journal.heartbeat(rows.Heartbeat("running", os.getpid(), session))
        self._report(session)
        if self.mode.sends:
            self._reconcile("close")
            # What the gateway said of the orders meanwhile: after the last session nobody else asks.
            self.store.pump()

    def _explained(self, panel: Panel) -> Dissection | str:
        try:
            explainer = Explainer(panel, self._chosen.strategy, self._chosen.settings)
            return explainer.at(len(panel.dates) - 1)
        except Ares7Error as error:
            return str(error)

    def _report(self, session: dt.date) -> None:
        """Write what the session was: orders, fills, shortfall, money."""
        panel = self.portfolio.panel.panel()
        opens, closes = panel.fields["open"][-1], panel.fields["close"][-1]
        prices = {
            name: DayPrice(float(opens[i]), float(closes[i]))
            for i, name in enumerate(panel.symbols)
            if panel.dates[-1].item() == session and np.isfinite(opens[i]) and np.isfinite(closes[i])
        }
        write_day_report(self._place.folder / "days", day_record(self.journal, session, prices))

    def _alarm(self, code: str, text: str) -> None:
        self._alert("error", code, text)

    def _alert(self, severity: str, code: str, text: str) -> None:
        self.journal.alert(rows.Alert(severity=severity, code=code, message=text))
        self._tell(f"ALERT {severity} {code}: {text}")


class _signals:
    """Installs the signals that halt, and puts the old handlers back."""

    def __init__(self, file: HaltFile) -> None:
        self._source = SignalSource(file, utc_now)

    def __enter__(self) -> SignalSource:
        self._source.install()
        return self._source

    def __exit__(self, *exc: object) -> None:
        self._source.restore()
