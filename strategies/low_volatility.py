"""Low volatility: the calmest names by volatility, downside volatility and beta, inverse-vol weighted."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ares7.arrays import Float1D
from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.signals.cross_section import best_first, zscore
from ares7.signals.volatility import risk_at
from ares7.stages import stage
from strategies.base import PortfolioStrategy


class Params(BookParams):
    """Windows and weights of the risk score (rulings 19)."""

    top_quantile: float = Field(default=0.30, gt=0, le=1)
    """Fraction of the eligible names that is held."""
    vol_window: int = Field(default=63, ge=5, le=252)
    beta_window: int = Field(default=252, ge=20, le=1000)
    downside_weight: float = Field(default=0.5, ge=0)
    beta_weight: float = Field(default=0.5, ge=0)

    @property
    def lookback(self) -> int:
        """One close more than the longest window of returns."""
        return max(self.beta_window, self.vol_window) + 1

    @property
    def requires(self) -> frozenset[str]:
        """Beta is measured against the index."""
        return frozenset({"index"})


def _row(volatility: Float1D, downside: Float1D, beta: Float1D, rank: np.ndarray, params: Params) -> Float1D:
    eligible = np.isfinite(volatility) & np.isfinite(beta) & (volatility > 0)
    book = np.zeros(len(volatility))
    count = int(eligible.sum())
    if count == 0:
        return book
    parts = [np.where(eligible, part, np.nan) for part in (volatility, downside, np.abs(beta))]
    score = zscore(
        zscore(parts[0]) + params.downside_weight * zscore(parts[1]) + params.beta_weight * zscore(parts[2])
    )
    calmest = best_first(-score, eligible, rank)[: max(int(count * params.top_quantile), 1)]
    book[calmest] = 1.0 / volatility[calmest]
    book /= book.sum()
    return book


@stage("lookback", "top_quantile", "vol_window", "beta_window", "downside_weight", "beta_weight")
def sleeve(panel: Panel, params: Params) -> Sleeve:
    """Weights inside the sleeve at each month end.

    Eligible are member stocks with a close at t whose windows miss at most two returns (rulings 19).
    """
    rows = month_end_rows(panel, params.lookback)
    stocks = np.flatnonzero(panel.is_stock)
    close = np.ascontiguousarray(panel.fields["close"][:, stocks])
    risk = risk_at(close, panel.signal("index"), rows, params.vol_window, params.beta_window)
    here = (panel.bar & panel.member)[np.ix_(rows, stocks)]
    rank = panel.symbol_rank[stocks]
    book = np.zeros((len(rows), panel.shape[1]))
    for i in range(len(rows)):
        volatility = np.where(here[i], risk.volatility[i], np.nan)
        book[i, stocks] = _row(volatility, risk.downside[i], risk.beta[i], rank, params)
    return Sleeve(rows, book)


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the low-volatility book.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return single_sleeve(panel, "low_volatility", sleeve(panel, params), params.gross)


class LowVolatility(PortfolioStrategy):
    """Event-driven low volatility."""

    Params = Params
    weights = staticmethod(weights)
