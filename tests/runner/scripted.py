"""A strategy that holds the books that a test wrote down, one a session from the first on."""

from __future__ import annotations

import numpy as np

from ares7.book import Targets
from ares7.params import BookParams
from strategies.base import PortfolioStrategy


class ScriptedParams(BookParams):
    """``books`` by session: weight of each name."""

    books: tuple[dict[str, float], ...]


def weights(panel, params):
    """Target rows; sessions before and after those that were written down decide nothing."""
    book, decide = np.zeros(panel.shape), np.zeros(len(panel.dates), dtype=bool)
    first = np.datetime64("2024-06-24")
    for row, number in enumerate(np.busday_count(first, panel.dates)):
        if 0 <= number < len(params.books):
            decide[row] = True
            for symbol, weight in params.books[number].items():
                book[row, panel.symbols.index(symbol)] = weight
    return Targets(book, decide, np.zeros(len(book), dtype=bool))


class Scripted(PortfolioStrategy):
    """Event-driven form."""

    Params = ScriptedParams
    weights = staticmethod(weights)
