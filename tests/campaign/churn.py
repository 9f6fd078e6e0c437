"""A strategy that trades nearly every session: a few names with random weights, drawn from the seed and the date."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ares7.book import Targets
from ares7.params import BookParams
from strategies.base import PortfolioStrategy


class ChurnParams(BookParams):
    """``quiet`` is the chance that a session decides nothing."""

    gross: float = 0.9
    seed: int = 0
    fewest: int = Field(default=4, ge=1)
    most: int = Field(default=8, ge=1)
    quiet: float = Field(default=0.05, ge=0, lt=1)
    evenness: float = Field(default=2.0, gt=0)
    """The smaller, the further the weights are apart, and the more often a limit on one name bites."""

    @property
    def warmup(self):
        return 3


def drawn(day, panel, params):
    """Weights of one session and whether it decides; they depend on seed and date, so any window gives the same."""
    rng = np.random.default_rng([params.seed, int(day.astype("int64"))])
    quiet = rng.random() < params.quiet
    stocks = np.flatnonzero(panel.is_stock)
    count = min(int(rng.integers(params.fewest, params.most + 1)), len(stocks))
    names = rng.choice(stocks, count, replace=False)
    weights = np.zeros(len(panel.symbols))
    weights[names] = params.gross * rng.dirichlet(np.full(count, params.evenness))
    return weights, not quiet


def weights(panel, params):
    """Target rows."""
    rows = [drawn(day, panel, params) for day in panel.dates]
    decide = np.array([decides for _, decides in rows])
    return Targets(np.array([row for row, _ in rows]), decide, np.zeros(len(rows), dtype=bool))


class Churn(PortfolioStrategy):
    """Event-driven form."""

    Params = ChurnParams
    weights = staticmethod(weights)
