"""Sharpe ratio of the latest 252 sessions, day by day."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures
from ares7.metrics import SESSIONS_PER_YEAR, returns_from_nav, rolling_sharpe


class RollingSharpe(EquityFigures):
    """`ares7.metrics.rolling_sharpe` of each session.

    Parameters
    ----------
    window : int
        Sessions, default 252.
    risk_free : float
        Annual rate, default 0.
    """

    params = (("window", SESSIONS_PER_YEAR), ("risk_free", 0.0))

    def figures(self) -> dict[str, Any]:
        """Return lists of equal length: ``dates`` (ISO) and ``rolling_sharpe`` (NaN before a full window)."""
        values = rolling_sharpe(returns_from_nav(self.equity.nav), self.p.window, self.p.risk_free)
        return {"dates": self.equity.dates[1:].astype(str).tolist(), "rolling_sharpe": values.tolist()}
