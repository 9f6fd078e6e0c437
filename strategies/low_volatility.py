"""Low volatility: the calmest names by volatility, downside volatility and beta, inverse-vol weighted."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ares7.book import Plan, Sleeve, Targets, assemble, month_end_rows
from ares7.overlay.tilting import OverlaidParams, single_sleeve_plan
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.signals.cross_section import normalised, places, zscore
from ares7.signals.volatility import risk_at
from ares7.stages import Memo, Remembered, compute, stage
from strategies.base import PortfolioStrategy


class SleeveParams(BookParams):
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
        return super().requires | {"index"}


class Params(SleeveParams, OverlaidParams):
    """The stand-alone strategy also takes overlays."""


@stage("lookback", "top_quantile", "vol_window", "beta_window", "downside_weight", "beta_weight")
def sleeve(panel: Panel, params: SleeveParams) -> Sleeve:
    """Weights inside the sleeve at each month end.

    Eligible are member stocks with a close at t whose windows miss at most two returns (rulings 19).
    """
    rows = month_end_rows(panel, params.lookback)
    close = panel.fields["close"]
    risk = risk_at(close, panel.signal("index"), rows, params.vol_window, params.beta_window)
    eligible = np.isfinite(close[rows]) & panel.member[rows] & panel.is_stock
    eligible &= np.isfinite(risk.beta) & np.greater(risk.volatility, 0)
    volatility, downside, beta = (
        zscore(np.where(eligible, part, np.nan))
        for part in (risk.volatility, risk.downside, np.abs(risk.beta))
    )
    score = zscore(volatility + params.downside_weight * downside + params.beta_weight * beta)
    held = np.maximum((eligible.sum(axis=1) * params.top_quantile).astype(np.int64), 1)[:, None]
    calmest = eligible & (places(-score, eligible, panel.symbol_rank) < held)
    inverse = np.divide(1.0, risk.volatility, out=np.zeros(calmest.shape), where=calmest)
    return Sleeve(rows, normalised(inverse))


def plan(panel: Panel, params: Params, memo: Memo = compute) -> Plan:
    """Return the low-volatility book, tilted by the overlays that are on."""
    return single_sleeve_plan(panel, "low_volatility", memo(sleeve, panel, params), params, memo)


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the low-volatility book.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return assemble(panel, plan(panel, params, Remembered()))


class LowVolatility(PortfolioStrategy):
    """Event-driven low volatility."""

    Params = Params
    plan = staticmethod(plan)
    weights = staticmethod(weights)
