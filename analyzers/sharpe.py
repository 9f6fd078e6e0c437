"""Sharpe ratio with its standard error, and the other figures of a return series."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures
from ares7.metrics import performance


class Sharpe(EquityFigures):
    """Figures of `ares7.metrics.performance` but those of the drawdown.

    Unlike `backtrader.analyzers.SharpeRatio` it is computed from daily returns with the sample standard
    deviation, and is never None: NaN where it is not defined.

    Parameters
    ----------
    risk_free : float
        Annual rate, default 0.
    """

    params = (("risk_free", 0.0),)

    def figures(self) -> dict[str, Any]:
        """Return the figures, by the keys of `performance`."""
        every = performance(self.equity.dates, self.equity.nav, self.p.risk_free)
        return {key: value for key, value in every.items() if not key.startswith("max_drawdown")}
