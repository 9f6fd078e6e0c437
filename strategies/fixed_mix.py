"""A fixed mix of named symbols, rebalanced at month ends: benchmarks such as SPY or 60/40."""

from __future__ import annotations

import numpy as np
from pydantic import Field, field_validator

from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.errors import MissingData
from ares7.panel import Panel
from ares7.params import BookParams
from strategies.base import PortfolioStrategy


class Params(BookParams):
    """Symbols and their fractions of the book."""

    mix: dict[str, float] = Field(default_factory=lambda: {"SPY": 1.0}, min_length=1)

    @field_validator("mix")
    @classmethod
    def _fractions(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 < w <= 1 for w in value.values()) or sum(value.values()) > 1 + 1e-9:
            raise ValueError("each fraction must lie in (0, 1] and their sum must not exceed 1")
        return value

    @property
    def requires(self) -> frozenset[str]:
        """Funds come from the market file."""
        return frozenset({"etfs"})


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the fixed mix; a symbol without a close at the month end is cash until the next.

    Raises
    ------
    MissingData
        A symbol is not in the panel.
    """
    rows = month_end_rows(panel)
    book = np.zeros((len(rows), panel.shape[1]))
    for symbol, fraction in params.mix.items():
        if symbol not in panel.symbols:
            raise MissingData(
                f"fixed_mix: {symbol!r} is not in the panel; add it to data.etfs or to the prices file"
            )
        column = panel.symbols.index(symbol)
        book[:, column] = fraction * panel.bar[rows, column]
    return single_sleeve(panel, "mix", Sleeve(rows, book), params.gross)


class FixedMix(PortfolioStrategy):
    """Event-driven fixed mix."""

    Params = Params
    weights = staticmethod(weights)
