"""The panel of live trading: a name with a short history, after a dividend."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ares7.config import DataConfig
from ares7.sessions import sessions
from live.client.history import DailyBars
from live.live_panel import LivePanel, Roster

DAYS = sessions(np.datetime64("2024-01-02"), np.datetime64("2024-03-28"))
WARMUP = 40


def bars(closes):
    days = DAYS[: len(closes)]
    close = np.array(closes)
    return DailyBars(1, "NEW", "ADJUSTED_LAST", days, close, close, close, close, np.full(len(close), 1e6))


def test_a_listing_shorter_than_the_warmup_is_rescaled_whole_after_its_dividend():
    panel = LivePanel(Roster(("NEW",), np.array([True]), {}), DataConfig(cache=None), frozenset(), WARMUP)
    panel.lay_out(DAYS[9].item())
    panel.adopt(bars([100.0] * 10))
    panel.close_session(DAYS[9].item())
    paid = bars([90.0] * 10 + [91.0])
    assert panel.observe(paid), "the earlier closes are others: the whole history must be asked for"
    panel.adopt(paid)
    panel.close_session(DAYS[10].item())
    close = panel.panel().fields["close"][:, 0]
    assert close[np.isfinite(close)].tolist() == [90.0] * 10 + [91.0]
    assert isinstance(panel.panel().dates[-1].item(), dt.date)
