"""Equal weight over the universe at month ends: the baseline of every report."""

from __future__ import annotations

import numpy as np

from ares7.book import Plan, Sleeve, Targets, assemble, month_end_rows
from ares7.overlay.tilting import OverlaidParams, single_sleeve_plan
from ares7.panel import Panel
from ares7.stages import Memo, Remembered, compute
from strategies.base import PortfolioStrategy


class Params(OverlaidParams):
    """Equal weight has no parameters but ``gross`` and overlays."""


def sleeve(panel: Panel) -> Sleeve:
    """1/n in every stock with a close at t that is a member at t; never a fund (rulings 16)."""
    rows = month_end_rows(panel)
    held = (panel.bar & panel.member & panel.is_stock)[rows]
    count = held.sum(axis=1, keepdims=True)
    return Sleeve(rows, held / np.maximum(count, 1))


def plan(panel: Panel, params: Params, memo: Memo = compute) -> Plan:
    """Return the equal-weight book, tilted by the overlays that are on."""
    return single_sleeve_plan(panel, "equal_weight", sleeve(panel), params, memo)


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the equal-weight book.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return assemble(panel, plan(panel, params, Remembered()))


class EqualWeight(PortfolioStrategy):
    """Event-driven equal weight."""

    Params = Params
    plan = staticmethod(plan)
    weights = staticmethod(weights)
