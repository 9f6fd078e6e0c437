"""One event-driven backtest over a panel: a strategy class is handed in, what it did comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.book import Targets, delayed
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import ConfigError
from ares7.panel import Panel
from ares7.params import BookParams
from feeds.cerebro import PanelCerebro, ares7_cerebro


@dataclass(frozen=True, slots=True)
class Backtest:
    """A finished run.

    Attributes
    ----------
    targets : Targets
        Rows of the whole panel, warm-up included.
    strategy : backtrader.Strategy
        With its analyzers.
    cerebro : PanelCerebro
        With its broker.
    """

    targets: Targets
    strategy: Any
    cerebro: PanelCerebro


def require_affordable(panel: Panel, targets: Targets, account: AccountConfig, name: str) -> None:
    """Refuse an account that cannot buy one share of anything that the strategy ever wants.

    Raises
    ------
    ConfigError
        Also when the strategy never wants anything.
    """
    rows = np.flatnonzero(targets.decide)
    wanted = targets.weights[rows]
    if not (wanted > 0).any():
        raise ConfigError(
            f"strategy {name} wants nothing on any of its {len(rows)} decision days from {panel.dates[rows[0]]}; "
            "check the universe, the period and the strategy's parameters"
        )
    if account.shares == "fractional":
        return
    price = panel.fields["close"][rows]
    shares = np.divide(wanted * account.cash, price, out=np.zeros_like(wanted), where=np.isfinite(price))
    if shares.max() < 1:
        cost = np.divide(
            price, wanted, out=np.full_like(wanted, np.inf), where=(wanted > 0) & np.isfinite(price)
        )
        raise ConfigError(
            f"account.cash {account.cash:,.0f} buys not one whole share of anything that {name} wants; "
            f"it takes at least {cost.min():,.0f}, or account.shares: fractional"
        )


def run_backtest(
    panel: Panel,
    strategy: type[Any],
    settings: BookParams,
    *,
    account: AccountConfig,
    costs: CostModel,
    analyzers: Callable[[PanelCerebro, Targets], None] | None = None,
    on_step: Callable[[int], None] | None = None,
    name: str = "strategy",
) -> Backtest:
    """Run a strategy from ``panel.start`` to the panel's last session.

    Parameters
    ----------
    panel : Panel
    strategy : class
        A ``PortfolioStrategy``: ``weights(panel, settings)`` and the Backtrader side.
    settings : BookParams
    account, costs
    analyzers : callable, optional
        Adds analyzers to the Cerebro, given the target rows.
    on_step : callable, optional
        Called with the number of sessions done.
    name : str
        For messages.

    Raises
    ------
    ConfigError
        The account cannot trade what the strategy wants.
    """
    targets: Targets = strategy.weights(panel, settings)
    targets = delayed(targets, account.exec_lag - 1, panel.start_row)
    require_affordable(panel, targets, account, name)
    cerebro = ares7_cerebro(panel, costs=costs, account=account)
    cerebro.addstrategy(strategy, settings=settings, account=account, targets=targets)
    if analyzers is not None:
        analyzers(cerebro, targets)
    if on_step is not None:
        cerebro.on_step(on_step)
    return Backtest(targets, cerebro.run()[0], cerebro)
