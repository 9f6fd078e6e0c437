"""Turnover, fees and their reconciliation."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures, shared
from analyzers.fills import FillRecorder
from ares7.activity import trading_costs


class Turnover(EquityFigures):
    """`ares7.activity.trading_costs` of the run.

    Parameters
    ----------
    costs : ares7.costs.CostModel, optional
        What the fees are reconciled with; without it ``reconciles`` is None.
    """

    params = (("costs", None),)

    def __init__(self) -> None:
        super().__init__()
        self.recorder = shared(self, FillRecorder)

    def figures(self) -> dict[str, Any]:
        """Return the figures, by the keys of `trading_costs`."""
        recorder = self.recorder
        return trading_costs(
            self.equity.dates, self.equity.nav, recorder.fills, recorder.orders, costs=self.p.costs
        )
