"""The commission model as Backtrader asks for it."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from ares7.costs import CostModel


class CostCommission(bt.CommInfoBase):
    """A stock-like commission scheme that calls `ares7.costs`."""

    params: Any = (
        ("costs", None),
        ("stocklike", True),
        ("commtype", bt.CommInfoBase.COMM_PERC),
        ("percabs", True),
    )

    def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
        costs: CostModel = self.p.costs
        return float(costs.fees(np.float64(size), np.float64(price)))  # type: ignore[arg-type]
