"""What is audited: a strategy on a panel, with everything that follows from it computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.bars import EngineBars, engine_bars
from ares7.book import Targets, delayed
from ares7.config import AccountConfig, Config
from ares7.costs import CostModel
from ares7.panel import Panel
from ares7.params import BookParams

Weights = Callable[[Panel, Any], Targets]


@dataclass(frozen=True)
class Subject:
    """A strategy, its parameters, its data and its account.

    Attributes
    ----------
    name : str
        For messages.
    weights : callable
        ``weights(panel, settings)``.
    settings : BookParams
    panel : Panel
        With its start session set; rows before it are warm-up.
    account : AccountConfig
    costs : CostModel
    baseline_nav : (S,) USD
        From the start session to the end; what active returns are measured against.
    config : Config or None
        Where the audit belongs to a configured run.
    ledger : mapping
        ``trials``, ``luck`` and ``touched`` as `feeds.trial_record.count_backtest` gives them, and the figures that
        the run reports, ``performance``; empty: unknown.
    seed : int
        Of everything random in the checks.
    """

    name: str
    weights: Weights
    settings: BookParams
    panel: Panel
    account: AccountConfig
    costs: CostModel
    baseline_nav: Float1D
    config: Config | None = None
    ledger: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 7

    @cached_property
    def bars(self) -> EngineBars:
        """Prices as the engine shows them, from the start session on."""
        return engine_bars(self.panel)

    @cached_property
    def targets(self) -> Targets:
        """Target rows of the whole panel, as the strategy decides them."""
        return self.weights(self.panel, self.settings)

    @cached_property
    def dates(self) -> Dates:
        """(S,) datetime64[D]: sessions of the run."""
        return self.panel.dates[self.panel.start_row :]

    @cached_property
    def run(self) -> Any:
        """Simulation of the configured account (`ares7.simulate.Simulation`), with its ledger."""
        return self.simulated()

    def simulated(
        self, targets: Targets | None = None, *, extra_lag: int = 0, costs: CostModel | None = None
    ) -> Any:
        """Trade target rows; by default the strategy's own.

        Parameters
        ----------
        extra_lag : int, sessions
            Beyond the account's own ``exec_lag``.
        """
        # Imported here: numba takes a quarter of a second.
        from ares7.simulate import simulate

        rows = self.targets if targets is None else targets
        rows = delayed(rows, self.account.exec_lag - 1 + extra_lag, self.panel.start_row)
        return simulate(self.bars, rows, account=self.account, costs=self.costs if costs is None else costs)

    @cached_property
    def returns(self) -> Float1D:
        """(S - 1,) fractions, net of costs."""
        nav = self.run.nav
        return np.asarray(nav[1:] / nav[:-1] - 1.0)

    @cached_property
    def baseline_returns(self) -> Float1D:
        """(S - 1,) fractions."""
        return np.asarray(self.baseline_nav[1:] / self.baseline_nav[:-1] - 1.0)
