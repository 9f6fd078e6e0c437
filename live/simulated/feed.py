"""A Backtrader feed of one name's traded bars, a session at a time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import backtrader as bt

if TYPE_CHECKING:
    from live.live_panel import LivePanel
    from live.simulated.market import SimulatedMarket

DAY_END = dt.time(23, 59, 59, 999990)
"""Backtrader's time of a daily bar."""


class SimulatedData(bt.feed.DataBase):  # type: ignore[misc]
    """Bars of one name as the market hands them out; a session without a bar of it leaves the lines alone.

    Parameters
    ----------
    market : SimulatedMarket
    panel : LivePanel
    """

    params: Any = (("market", None), ("panel", None), ("timeframe", bt.TimeFrame.Days), ("compression", 1))

    def __init__(self) -> None:
        super().__init__()
        self.market: SimulatedMarket = self.p.market
        self.live_panel: LivePanel = self.p.panel

    def islive(self) -> bool:
        """Bars come while the run goes on: nothing is preloaded."""
        return True

    def load(self) -> bool | None:
        """Deliver the bar of the present session, if there is one; called by Cerebro."""
        if not self.market.has_bar(self._name):
            return False if self.market.finished else None
        loaded: bool | None = super().load()
        return loaded

    def _load(self) -> bool:
        session, bar = self.market.take(self._name)
        lines = self.lines
        lines.datetime[0] = bt.date2num(dt.datetime.combine(session, DAY_END))
        lines.open[0], lines.high[0], lines.low[0], lines.close[0], lines.volume[0] = bar
        lines.openinterest[0] = 0.0
        return True
