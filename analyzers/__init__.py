"""Backtrader analyzers: thin recorders over `ares7.metrics` and `ares7.activity`, usable in any Cerebro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import backtrader as bt

from analyzers.drawdown import Drawdown
from analyzers.equity import Dated, Equity
from analyzers.exposure import Exposure
from analyzers.fills import FillRecorder
from analyzers.orders import Orders
from analyzers.out_of_sample import OutOfSample
from analyzers.regime_attribution import RegimeAttribution
from analyzers.rolling_sharpe import RollingSharpe
from analyzers.sharpe import Sharpe
from analyzers.turnover import Turnover
from ares7.config import DEFAULT_WINDOWS, OosWindow

if TYPE_CHECKING:
    from ares7.arrays import Dates
    from ares7.costs import CostModel

__all__ = [
    "DEFAULT_ANALYZERS",
    "Drawdown",
    "Equity",
    "Exposure",
    "FillRecorder",
    "Orders",
    "OutOfSample",
    "RegimeAttribution",
    "RollingSharpe",
    "Sharpe",
    "Turnover",
    "add_default_analyzers",
]

DEFAULT_ANALYZERS: dict[str, type[bt.Analyzer]] = {
    "equity": Equity,
    "fills": FillRecorder,
    "sharpe": Sharpe,
    "drawdown": Drawdown,
    "out_of_sample": OutOfSample,
    "turnover": Turnover,
    "exposure": Exposure,
    "regime_attribution": RegimeAttribution,
    "rolling_sharpe": RollingSharpe,
    "orders": Orders,
}
"""Name in ``strategy.analyzers`` -> class. The recorders come first, so that the others share them."""


def add_default_analyzers(
    cerebro: bt.Cerebro,
    *,
    windows: Sequence[OosWindow] = DEFAULT_WINDOWS,
    baseline: Dated | None = None,
    costs: CostModel | None = None,
    labels: Dated | None = None,
    risk_free: float = 0.0,
    rolling_sessions: int = 252,
    calendar: str | Dates | None = "XNYS",
) -> None:
    """Add every analyzer under its name in `DEFAULT_ANALYZERS`; that of regimes only with labels.

    Parameters
    ----------
    cerebro : bt.Cerebro
    windows : sequence of OosWindow
    baseline : Dated, optional
        NAV to compare with, for every session of the run.
    costs : CostModel, optional
        What fees are reconciled with.
    labels : Dated, optional
        Held regime label known at the close of every session of the run.
    risk_free : float
        Annual rate.
    rolling_sessions : int
        Window of the rolling Sharpe ratio.
    calendar : str, (C,) datetime64[D] or None
        Exchange whose sessions a full out-of-sample window has, or those sessions.
    """
    settings: dict[str, dict[str, Any]] = {
        "sharpe": {"risk_free": risk_free},
        "out_of_sample": {
            "windows": tuple(windows),
            "baseline_nav": baseline,
            "risk_free": risk_free,
            "calendar": calendar,
        },
        "turnover": {"costs": costs},
        "exposure": {"labels": labels},
        "regime_attribution": {"labels": labels},
        "rolling_sharpe": {"window": rolling_sessions, "risk_free": risk_free},
    }
    for name, analyzer in DEFAULT_ANALYZERS.items():
        if name != "regime_attribution" or labels is not None:
            cerebro.addanalyzer(analyzer, _name=name, **settings.get(name, {}))
