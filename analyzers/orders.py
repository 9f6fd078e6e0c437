"""What became of the orders."""

from __future__ import annotations

import backtrader as bt

from analyzers.equity import shared
from analyzers.fills import FillRecorder
from ares7.activity import order_figures


class Orders(bt.Analyzer):
    """`ares7.activity.order_figures` of the run: no order is refused in silence."""

    def __init__(self) -> None:
        self.recorder = shared(self, FillRecorder)

    def stop(self) -> None:
        """Compute the figures."""
        self.rets = order_figures(self.recorder.orders)
