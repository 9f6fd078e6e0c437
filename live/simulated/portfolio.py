"""The configured strategy on a simulated account: Cerebro, its feeds and its broker, from one state of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import numpy as np

from ares7.arrays import Float1D
from ares7.book import Targets
from ares7.config import Config, DataConfig
from ares7.errors import MissingData
from ares7.orders import Basket
from ares7.panel import Panel
from ares7.proposal import Carrier, Proposal, Share
from feeds.engines import Chosen
from feeds.load import load_panel
from live.live_panel import Roster
from live.simulated.account import Standing
from live.simulated.broker import SimulatedBroker
from live.simulated.feed import SimulatedData
from live.simulated.market import SimulatedMarket
from live.simulated.record import Record


def roster_since(data: DataConfig, needs: frozenset[str], first: np.datetime64, rows: int) -> Roster:
    """Names of the data folder with a bar since ``rows`` sessions before a date; those of every process that follows.

    Raises
    ------
    DataError, ConfigError
        As `feeds.load.load_panel`.
    """
    panel = load_panel(data, frozenset())
    begin = max(0, int(np.searchsorted(panel.dates, first)) - rows)
    columns = np.flatnonzero(panel.bar[begin:].any(axis=0))
    indices = {"index": data.index, "vix": data.vix}
    return Roster(
        tuple(panel.symbols[i] for i in columns),
        panel.is_stock[columns],
        {role: symbol for role, symbol in indices.items() if role in needs},
    )


class Replacing:
    """Lets a new decision replace what has waited for a bar since an earlier one (rulings 5).

    Parameters
    ----------
    carrier : Carrier
        Who admits the orders.
    broker : SimulatedBroker

    Attributes
    ----------
    panel : Panel or None
        Of the session that was looked at last.
    """

    def __init__(self, carrier: Carrier, broker: SimulatedBroker) -> None:
        self._carrier, self._broker = carrier, broker
        self.panel: Panel | None = None

    def due(self, panel: Panel, targets: Targets) -> bool:
        """Whether the latest session decides."""
        self.panel = panel
        return self._carrier.due(panel, targets)

    def share(self, held: Float1D, close: Float1D, cash: float) -> Share:
        """Return the strategy's part of the account."""
        return self._carrier.share(held, close, cash)

    def admitted(self, proposal: Proposal) -> Basket:
        """Return the orders of a proposal that may be given now."""
        self._broker.cancel_unfilled()
        return self._carrier.admitted(proposal)

    def remainder(self, proposal: Proposal) -> Basket:
        """Return orders for what an earlier rebalance still lacks."""
        return self._carrier.remainder(proposal)

    def carried_out(self) -> None:
        """Every order of the latest proposal was handed over."""
        self._carrier.carried_out()


class SimulatedPortfolio:
    """Cerebro with one feed a name.

    Parameters
    ----------
    config : Config
    chosen : Chosen
    market : SimulatedMarket
    record : Record
    standing : Standing
        Of the account, as of the session that the market shows first.
    closed : callable
        Is called once the strategy has acted on a session.

    Raises
    ------
    MissingData
        A name is held, or an order for it waits, and the data folder has no price of it.
    """

    def __init__(
        self,
        config: Config,
        chosen: Chosen,
        market: SimulatedMarket,
        record: Record,
        standing: Standing,
        closed: Callable[[], None],
    ) -> None:
        self.market, self.closed = market, closed
        _require_prices(market, standing)
        self.broker = SimulatedBroker(
            market=market,
            record=record,
            standing=standing,
            costs=config.costs,
            cash_rate=config.account.cash_rate,
        )
        self.cerebro = bt.Cerebro(quicknotify=True, stdstats=False, runonce=False, preload=False)
        self.cerebro.setbroker(self.broker)
        self.cerebro.addstore(market)
        for symbol in market.panel.roster.symbols:
            feed: Any = SimulatedData
            self.cerebro.adddata(feed(market=market, panel=market.panel, name=symbol))
        self.cerebro.addanalyzer(_Closes, portfolio=self)
        self.cerebro.addstrategy(chosen.strategy, settings=chosen.settings, account=config.account)


def _require_prices(market: SimulatedMarket, standing: Standing) -> None:
    symbols = {con_id: symbol for symbol, con_id in market.contracts.items()}
    needed = {con_id: traded.symbol for con_id, traded in standing.traded.items()}
    needed |= {order.intent.con_id: order.intent.symbol for order in standing.waiting}
    for con_id, symbol in needed.items():
        if con_id not in symbols or market.folder.last_bar(symbol, market.before) is None:
            raise MissingData(
                f"{symbol} is held or ordered by the simulated account and has no price up to {market.before} in "
                f"{market.folder.folder}; nothing is decided; restore its rows"
            )


class _Closes(bt.Analyzer):  # type: ignore[misc]
    """Tells that the strategy has acted on a session."""

    params: Any = (("portfolio", None),)

    def next(self) -> None:
        """After the strategy's own ``next``."""
        portfolio: SimulatedPortfolio = self.p.portfolio
        if not portfolio.market.begins:
            portfolio.closed()
