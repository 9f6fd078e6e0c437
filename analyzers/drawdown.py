"""Depth, length and recovery of the deepest drawdown."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures
from ares7.metrics import drawdown_series, performance


class Drawdown(EquityFigures):
    """The ``max_drawdown...`` figures of `ares7.metrics.performance`, and ``drawdown`` at the last close.

    Depths are fractions of the peak; `backtrader.analyzers.DrawDown` gives percent.
    """

    def figures(self) -> dict[str, Any]:
        """Return the figures, by the keys of `performance`."""
        dates, nav = self.equity.dates, self.equity.nav
        every = performance(dates, nav)
        worst = {key: value for key, value in every.items() if key.startswith("max_drawdown")}
        return {**worst, "drawdown": float(drawdown_series(nav)[-1])}
