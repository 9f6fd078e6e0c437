"""One strategy on a paper account without a gateway, session after session. Restartable at any moment."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ares7.config import Config
from ares7.errors import ConfigError, MissingData, StaleData
from feeds.engines import Chosen
from live.conductor import Conductor
from live.double.history import Basis
from live.duties import Duties
from live.halt.switch import HaltSwitch
from live.journal import rows
from live.journal.place import journal_url
from live.journal.reader import JournalReader
from live.journal.writer import Journal
from live.live_panel import LivePanel, Roster
from live.machine import utc_now
from live.simulated.account import ACCOUNT, MODE, standing_of
from live.simulated.awaiting import Awaiting
from live.simulated.bars import GrowingFolder, with_folder
from live.simulated.contracts import contracts_of
from live.simulated.days import ExchangeDays
from live.simulated.halting import SimulatedDesk
from live.simulated.market import SimulatedMarket
from live.simulated.portfolio import Replacing, SimulatedPortfolio, roster_since
from live.simulated.record import SOURCE, Record

POLL_S = 5.0
"""How often the folder and the halt are looked at while nothing is due, in seconds."""
WAITING = "waiting for the next session"
LONG_AGO = np.timedelta64(10 * 366, "D")


@dataclass(frozen=True, slots=True)
class Errand:
    """What a run is asked for.

    Attributes
    ----------
    sessions : int or None
        It ends after so many; None goes on until it is stopped.
    once : bool
        One session that must be there: nothing is waited for.
    first : date or None
        Of the account's first session; the newest one of the folder otherwise.
    start_now : bool
        A first start decides on its first session, whatever the calendar says.
    basis : {"traded", "total_return"}
        What trades are made at.
    """

    sessions: int | None = None
    once: bool = False
    first: dt.date | None = None
    start_now: bool = False
    basis: Basis = "traded"


@dataclass(frozen=True, slots=True)
class SimulatedSummary:
    """What a run did.

    Attributes
    ----------
    sessions : int
        Acted on in this run.
    session : date or None
        The latest that the account has acted on.
    nav_usd : float or None
        At its close.
    orders, filled : int
        In the journal.
    note : str
        Why nothing was done, if so.
    """

    sessions: int
    session: dt.date | None
    nav_usd: float | None
    orders: int
    filled: int
    note: str = ""


class SimulatedRunner:
    """Trades on a data folder until it is stopped, or for some sessions.

    Parameters
    ----------
    config : Config
    chosen : Chosen
    errand : Errand
    tell : callable
        Shows a line to a person.
    now : callable
        UTC, the clock of the machine.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(
        self,
        config: Config,
        chosen: Chosen,
        errand: Errand,
        tell: Callable[[str], None],
        *,
        now: Callable[[], dt.datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config, self._chosen, self._errand, self._tell = config, chosen, errand, tell
        self._now, self._sleep = now, sleep
        self._time: dt.datetime | None = None
        self._grown, self._seen = False, 1
        self.closed = 0

    # Life

    def run(self) -> SimulatedSummary:
        """Act on every session that is due and that the account has not acted on.

        Raises
        ------
        Ares7Error
            The account may not be traded in this way, the data folder cannot serve it, or the journal is not there.
        """
        config = self._config
        if config.account.margin:
            raise ConfigError("a simulated account has no margin; set account.margin: false")
        if config.account.exec_lag != 1:
            raise ConfigError(
                f"account.exec_lag is {config.account.exec_lag}; a simulated account fills at the next open: set it "
                "to 1"
            )
        self._data = with_folder(config.data)
        self.folder = GrowingFolder(self._data, self._errand.basis)
        # The limits read volumes of so many sessions, whatever the strategy reads.
        self._warmup = max(self._chosen.settings.warmup, config.limits.volume_sessions)
        early = self.folder.first - dt.timedelta(days=2 * self._warmup + 80)
        delay = dt.timedelta(seconds=config.live.bar_delay_s)
        self._days = ExchangeDays(early, self._now(), config.data.calendar, delay)
        self._awaiting = Awaiting(self.folder, self._days, config.live, self._now, self._tell)
        url = journal_url(config.live.journal, config.halt.folder, MODE)
        self._first, before = self._begin(url)
        roster = self._roster()
        if self._errand.once and (note := self._not_yet(self._days.after(before), roster)):
            return SimulatedSummary(0, before, None, 0, 0, note)
        config.halt.folder.mkdir(parents=True, exist_ok=True)
        with Journal.open(url, MODE, ACCOUNT, clock=lambda: self._time or utc_now()) as journal:
            return self._with_journal(journal, roster)

    def _begin(self, url: str) -> tuple[dt.date, dt.date]:
        """Return the account's first session, and the one after which it goes on; nothing is written."""
        asked = self._errand.first
        try:
            with JournalReader.open(url, MODE, ACCOUNT) as journal:
                begun, close = journal.latest_nav("start"), journal.latest_nav("close")
        except MissingData:
            begun = close = None
        if begun is None:
            first = self._awaiting.latest_settled() if asked is None else self._days.on_or_after(asked)
            if first <= self.folder.first:
                raise ConfigError(
                    f"{self.folder.folder} begins with {self.folder.first}; a simulated account needs a session before "
                    "its first one; begin later with --from"
                )
            return first, self._days.before(first)
        first, before = self._days.after(begun.session), begun.session if close is None else close.session
        if asked is not None and self._days.on_or_after(asked) not in (first, self._days.after(before)):
            raise ConfigError(
                f"this account began with {first} and goes on with {self._days.after(before)}; leave --from {asked} "
                "out, or begin another account with another halt.folder"
            )
        return first, before

    def _not_yet(self, session: dt.date, roster: Roster) -> str:
        """Return why there is nothing to do; a session that has closed and is not in the folder is an error."""
        reason = self._awaiting.why_not(session, roster)
        if reason and self._awaiting.is_due(session):
            raise StaleData(f"{reason}; nothing was done")
        return reason

    def _roster(self) -> Roster:
        first = np.datetime64(self._first, "D")
        return roster_since(self._data, self._chosen.settings.requires, first, self._warmup)

    def _with_journal(self, journal: Journal, roster: Roster) -> SimulatedSummary:
        self.journal, self._record = journal, Record(journal, self._days)
        self._duties = Duties(self._config, self._chosen, journal, self._config.halt.folder, self._tell)
        with ExitStack() as stack:
            stack.enter_context(self._duties.run())
            switch = stack.enter_context(self._duties.halting())
            self._record.opened(self._days.before(self._first), self._config.account.cash)
            self._trade(roster, switch)
            while self._grown:
                # Names that the folder did not have: feeds are made anew, the journal has everything else.
                self._grown = False
                self._trade(self._roster(), switch)
            self._time = None
        close, orders = journal.latest_nav("close"), journal.orders()
        filled = sum(order.filled > 0 for order in orders)
        session, nav = (None, None) if close is None else (close.session, close.nav_usd)
        return SimulatedSummary(self.closed, session, nav, len(orders), filled)

    # Parts

    def _trade(self, roster: Roster, switch: HaltSwitch) -> None:
        config, needs = self._config, self._chosen.settings.requires
        standing = standing_of(self.journal, config.account.cash)
        before = standing.session or self._days.before(self._first)
        self._roster_now = roster
        self.panel = LivePanel(roster, self._data, needs, self._warmup)
        self.panel.start = self._start()
        contracts = contracts_of(roster.symbols)
        self.market = SimulatedMarket(self.folder, self._days, self.panel, contracts, before, self._awaited)
        portfolio = SimulatedPortfolio(
            config, self._chosen, self.market, self._record, standing, self._closed
        )
        self.broker = portfolio.broker
        self._desk = SimulatedDesk(self.broker, self._record, switch, self._now)
        conductor: Conductor = self._duties.conductor(
            [(symbol, contracts[symbol]) for symbol in roster.symbols], self._desk.market(), switch
        )
        self._desk.conductor = conductor
        self.broker.admit, self.broker.tell = conductor.before_writing, self._tell
        self.broker.before_open = self._desk.cancel_what_is_halted
        self._carrier = self.panel.carrier = Replacing(conductor, self.broker)
        self._tell(
            f"{MODE}: {len(roster.symbols)} names, {self._errand.basis} prices, acted on up to {before}"
        )
        portfolio.cerebro.run()

    def _start(self) -> np.datetime64:
        """First session that decides whatever the calendar says, or a date before every row."""
        begun = self.journal.rebalances()
        first = np.datetime64(self._first, "D")
        if begun and begun[0].reason == "start":
            return np.datetime64(begun[0].session, "D")
        return first if not begun and self._errand.start_now else first - LONG_AGO

    # A session

    def _awaited(self, session: dt.date) -> dt.date | None:
        """Wait for the session after another; None ends this Cerebro."""
        if self._errand.sessions is not None and self.closed >= self._errand.sessions:
            return None
        coming = self._days.after(session)
        while True:
            self._awaiting.look()
            if self._outgrown():
                return None
            reason = self._awaiting.why_not(coming, self._roster_now)
            if not reason:
                break
            self._time = None
            self._desk.cancel_what_is_halted()
            self._desk.flatten(session)
            self._duties.beat(WAITING, session)
            self._sleep(POLL_S)
        self._time = self._days.settled(coming)
        self._duties.beat("running", coming)
        return coming

    def _outgrown(self) -> bool:
        """Whether the folder now has names that have no feed."""
        if self.folder.read_count == self._seen:
            return False
        self._seen = self.folder.read_count
        self._grown = not set(self._roster().symbols) <= set(self._roster_now.symbols)
        return self._grown

    def _closed(self) -> None:
        """The strategy has acted on a session: write what the account is worth at its close."""
        session = self.market.session
        if session is None:
            return
        self._desk.flatten(session)
        self.closed += 1
        gross = self.broker.gross()
        cash = float(self.broker.cash)
        nav = rows.Nav(session, "close", self.broker.getvalue(), cash, gross, gross, SOURCE)
        self._duties.closed(nav, self._carrier.panel or self.panel.panel())
