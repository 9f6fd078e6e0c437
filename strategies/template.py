"""Twelve-month momentum: the strongest names, equally weighted, at month ends."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.signals.cross_section import best_first
from ares7.signals.momentum import momentum
from strategies.base import PortfolioStrategy


class Params(BookParams):
    """What can be changed in config.yaml under strategy.params."""

    period: int = Field(default=252, ge=20, le=756)
    top: int = Field(default=20, ge=1)

    @property
    def lookback(self) -> int:
        """Rows that the signal reads, its own included."""
        return self.period + 1


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows; row t may use everything up to and including close t, and trades at the next open."""
    rows = month_end_rows(panel, params.lookback)
    score = momentum(panel.fields["close"], rows, params.period)
    eligible = np.isfinite(score) & (panel.bar & panel.member & panel.is_stock)[rows]
    book = np.zeros((len(rows), panel.shape[1]))
    for i in range(len(rows)):
        chosen = best_first(score[i], eligible[i], panel.symbol_rank)[: params.top]
        book[i, chosen] = 1.0 / params.top
    return single_sleeve(panel, "momentum", Sleeve(rows, book), params.gross)


class Template(PortfolioStrategy):
    """Event-driven twelve-month momentum."""

    Params = Params
    weights = staticmethod(weights)
