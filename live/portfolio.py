"""The configured strategy on a gateway: feeds for its whole universe, and a panel that grows by a row a session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np

from ares7.config import Config, DataConfig
from ares7.errors import ConfigError, MissingData
from ares7.sessions import sessions as exchange_sessions
from feeds.engines import Chosen
from live.client.history import DailyBars
from live.client.messages import ContractFacts
from live.live_panel import LivePanel, Roster, roster_of
from live.store import IBStore


class Portfolio:
    """A strategy, its feeds and its panel on one store.

    Parameters
    ----------
    config : Config
    chosen : Chosen
        Strategy class and parameters.
    store : IBStore
        Not started.
    roster : Roster, optional
        Names to trade; those of the data folder otherwise.
    start : date, optional
        First session that decides; the first live one otherwise.

    Attributes
    ----------
    panel : LivePanel
    cerebro : backtrader.Cerebro
    """

    def __init__(
        self,
        config: Config,
        chosen: Chosen,
        store: IBStore,
        *,
        roster: Roster | None = None,
        start: dt.date | None = None,
    ) -> None:
        self.config, self.chosen, self.store = config, chosen, store
        self.closing: Callable[[dt.date], None] | None = None
        """Is called with each session that has closed, before the strategy decides on it."""
        self.closed: Callable[[dt.date], None] | None = None
        """Is called with each session once the strategy has acted on it."""
        # The limits read volumes of so many sessions, whatever the strategy reads.
        warmup = max(chosen.settings.warmup, config.limits.volume_sessions)
        needs = chosen.settings.requires
        data = _with_folder(config.data)
        self.roster = roster or roster_of(data, needs, warmup)
        self.panel = LivePanel(self.roster, data, needs, warmup)
        if start is not None:
            self.panel.start = np.datetime64(start, "D")
        store.observe(self._observe, self._session)
        self.cerebro = bt.Cerebro(quicknotify=True, stdstats=False)
        self.cerebro.setbroker(store.getbroker())
        for symbol, kind in self.roster.contracts:
            feed = store.getdata(symbol=symbol, kind=kind, adjusted=True)
            feed.live_panel = self.panel
            self.cerebro.adddata(feed)
        self.cerebro.addanalyzer(_Closes, portfolio=self)
        self.cerebro.addstrategy(chosen.strategy, settings=chosen.settings, account=config.account)

    def load(self, sessions: int | None = None) -> None:
        """Connect and load the history that the strategy reads.

        Parameters
        ----------
        sessions : int, optional
            The run ends after so many live sessions.

        Raises
        ------
        MissingData
            An index has no history. A stock without one is left out of every decision.
        """
        self.store.start()
        if sessions is not None:
            first = np.datetime64(self.store.latest_session, "D") + 1
            # A session is at most four days after the one before, but for rare closures.
            coming = exchange_sessions(first, first + 2 * sessions + 30, self.config.data.calendar)
            self.store.until = coming[sessions - 1].item()
        self.panel.lay_out(self.store.latest_session)
        for what, kind in (("ADJUSTED_LAST", "STK"), ("TRADES", "IND")):
            facts = [
                feed.facts for feed in self.store.datas if feed.p.kind == kind and feed.facts is not None
            ]
            self._take(facts, what, self.store.latest_session)
        self.panel.close_session(self.store.latest_session)
        self.panel.is_new_session()

    def _take(self, facts: list[ContractFacts], what: str, last: dt.date) -> None:
        found = self.store.client.daily_bars_of(facts, self.panel.warmup + 5, what=what)
        for contract in facts:
            answer = found[contract.con_id]
            if isinstance(answer, DailyBars):
                self.panel.adopt(_until(answer, last))
            elif contract.kind == "IND":
                raise MissingData(f"{contract.symbol} has no history: {answer}")
            else:
                self.store.note(f"{contract.symbol} has no history and takes no part: {answer}")

    def _observe(self, bars: DailyBars) -> None:
        if self.panel.observe(bars):
            # The whole history again, up to the session that is being published: a later one may be unfinished.
            self._take([self.store.client.facts(bars.con_id)], bars.what, bars.dates[-1].item())

    def _session(self, session: dt.date) -> None:
        self.store.note(f"session {session} has closed")
        self.panel.close_session(session)
        if self.closing is not None:
            self.closing(session)

    def run(self) -> Any:
        """Trade until the store's last session, or until somebody stops it."""
        self.load()
        return self.cerebro.run()[0]


def _with_folder(data: DataConfig) -> DataConfig:
    """Name the folder of the synthetic market where no data folder is configured: the double replays the same."""
    if data.path is not None:
        return data
    if data.cache is None:
        raise ConfigError("trading the synthetic market on a double needs data.cache; set it, or data.path")
    from feeds.synthetic import ensure

    return data.model_copy(update={"path": ensure(data.synthetic, data.cache, data.calendar)})


def _until(bars: DailyBars, last: dt.date) -> DailyBars:
    """Without an unfinished bar."""
    keep = bars.dates <= np.datetime64(last, "D")
    return replace(
        bars,
        dates=bars.dates[keep],
        open=bars.open[keep],
        high=bars.high[keep],
        low=bars.low[keep],
        close=bars.close[keep],
        volume=bars.volume[keep],
    )


class _Closes(bt.Analyzer):  # type: ignore[misc]
    """Tells the portfolio that the strategy has acted on a session."""

    params = (("portfolio", None),)

    def next(self) -> None:
        """After the strategy's own ``next``."""
        portfolio = self.p.portfolio
        if portfolio.closed is not None:
            portfolio.closed(self.strategy.datetime.date(0))
