"""A strategy that exchanges its whole book every session: half of the stocks, then the other half."""

from __future__ import annotations

import numpy as np

from ares7.book import Targets
from ares7.params import BookParams
from strategies.base import PortfolioStrategy


class RotatingParams(BookParams):
    """No parameters but ``gross``."""

    @property
    def warmup(self):
        return 3


def weights(panel, params):
    """Target rows: nothing but the date matters."""
    stocks = np.flatnonzero(panel.is_stock)
    half = len(stocks) // 2
    halves = stocks[:half], stocks[half : 2 * half]
    # Business days in a row have numbers in a row.
    numbers = np.busday_count(np.datetime64("2024-06-24"), panel.dates)
    book = np.zeros(panel.shape)
    for row, number in enumerate(numbers):
        book[row, halves[number % 2]] = params.gross / half
    decide = np.ones(len(book), dtype=bool)
    return Targets(book, decide, np.zeros(len(book), dtype=bool))


class Rotating(PortfolioStrategy):
    """Event-driven form."""

    Params = RotatingParams
    weights = staticmethod(weights)
