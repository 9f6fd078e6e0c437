"""Hands finished sessions to feeds, broker and panel, one a round of Cerebro."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from live.live_panel import LivePanel
from live.simulated.bars import GrowingFolder
from live.simulated.days import ExchangeDays

Bar = tuple[float, float, float, float, float]


class SimulatedMarket:
    """What Cerebro takes for a store: each round begins with its notifications, and with the next session.

    The first round shows the closes of the session before the first one that is acted on, at which nothing is decided
    and nothing trades: positions have a value from then on, and waiting orders a price.

    Parameters
    ----------
    folder : GrowingFolder
    days : ExchangeDays
    panel : LivePanel
    contracts : mapping of symbol to contract id
    before : date
        The session that the first round shows.
    awaited : callable
        ``awaited(session)``: waits for the session after this one and returns it; None ends the run.

    Attributes
    ----------
    session : date or None
        That the feeds show.
    begins : bool
        It is the one before the first.
    finished : bool
        No session follows.
    """

    def __init__(
        self,
        folder: GrowingFolder,
        days: ExchangeDays,
        panel: LivePanel,
        contracts: Mapping[str, int],
        before: dt.date,
        awaited: Callable[[dt.date], dt.date | None],
    ) -> None:
        self.folder, self.days, self.panel, self.contracts = folder, days, panel, contracts
        self.before, self._awaited = before, awaited
        self.session: dt.date | None = None
        self.begins = self.finished = False
        self._bars: dict[str, Bar] = {}

    # What Backtrader calls of a store

    def start(self, data: Any = None, broker: Any = None) -> None:
        """Nothing to connect to."""

    def stop(self) -> None:
        """Nothing to disconnect from."""

    def get_notifications(self) -> list[Any]:
        """Begin a round of Cerebro; there is never a notification."""
        if not self.finished:
            self._begin_round()
        return []

    def _begin_round(self) -> None:
        if self.session is None:
            self._show_before()
            return
        session = self._awaited(self.session)
        if session is None:
            self.finished = True
            return
        self.session, self.begins = session, False
        found = {name: self.folder.bar(name, session) for name in self.panel.roster.symbols}
        self._bars = {name: bar for name, bar in found.items() if bar is not None}
        self._observe(session)
        self.panel.close_session(session)

    def _show_before(self) -> None:
        """Lay the panel out, and show every name its latest close."""
        session = self.before
        self.session, self.begins = session, True
        for name in self.panel.roster.symbols:
            day = self.folder.last_bar(name, session)
            bar = None if day is None else self.folder.bar(name, day)
            if bar is not None:
                self._bars[name] = bar
        self.panel.lay_out(session)
        self._observe(session)
        self.panel.close_session(session)
        self.panel.is_new_session()

    def _observe(self, session: dt.date) -> None:
        dates = self.days.window(session, self.panel.warmup + 5)
        names = [(name, kind, self.contracts.get(name, 0)) for name, kind in self.panel.roster.contracts]
        for bars in self.folder.histories(names, dates):
            self.panel.observe(bars)

    # What feeds ask

    def has_bar(self, name: str) -> bool:
        """Whether a name has a bar of the session that was not taken yet."""
        return name in self._bars

    def take(self, name: str) -> tuple[dt.date, Bar]:
        """Return the session and the bar of a name, once."""
        if self.session is None:
            raise LookupError("no session was shown yet")
        return self.session, self._bars.pop(name)
