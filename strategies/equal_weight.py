"""Equal weight over the universe at month ends: the baseline of every report."""

from __future__ import annotations

import numpy as np

from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.panel import Panel
from ares7.params import BookParams
from strategies.base import PortfolioStrategy


class Params(BookParams):
    """Equal weight has no parameters but ``gross``."""


def sleeve(panel: Panel) -> Sleeve:
    """1/n in every stock with a close at t that is a member at t; never a fund (rulings 16)."""
    rows = month_end_rows(panel)
    held = (panel.bar & panel.member & panel.is_stock)[rows]
    count = held.sum(axis=1, keepdims=True)
    return Sleeve(rows, held / np.maximum(count, 1))


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the equal-weight book.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return single_sleeve(panel, "equal_weight", sleeve(panel), params.gross)


class EqualWeight(PortfolioStrategy):
    """Event-driven equal weight."""

    Params = Params
    weights = staticmethod(weights)
