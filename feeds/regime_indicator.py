"""The market regime as a Backtrader indicator."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import backtrader as bt
import numpy as np

from ares7.params import RegimeParams
from ares7.signals.regime import HOLD_WINDOW, held_labels, raw_labels


class RegimeIndicator(bt.Indicator):
    """Regime of an index feed and a VIX feed, bar by bar (docs/strategies.md).

    ``RegimeIndicator(index, vix)``; lines ``raw`` and ``held`` hold `ares7.signals.regime.Regime` values.
    Equal to `ares7.book.regime_labels` from the first bar on, warm-up included.

    Parameters
    ----------
    settings : RegimeParams, optional
    """

    lines: Any = ("raw", "held")
    params: Any = (("settings", None),)

    def __init__(self) -> None:
        self._settings = self.p.settings or RegimeParams()
        memory = max(self._settings.sma, self._settings.long + 1, self._settings.short + 1)
        self._index: deque[float] = deque(maxlen=memory)
        self._vix: deque[float] = deque(maxlen=memory)
        self._raw: deque[int] = deque(maxlen=HOLD_WINDOW)

    def next(self) -> None:
        """Classify the current bar from the closes up to it."""
        self._index.append(self.datas[0].close[0])
        self._vix.append(self.datas[1].close[0])
        if math.isnan(self._vix[-1]) or math.isnan(self._index[-1]):
            raise ValueError("index or VIX has no value on this bar")
        settings = self._settings.model_dump(exclude={"min_hold"})
        raw = int(raw_labels(np.array(self._index), np.array(self._vix), **settings)[-1])
        self._raw.append(raw)
        self.lines.raw[0] = raw
        self.lines.held[0] = held_labels(np.array(self._raw, dtype=np.int8), self._settings.min_hold)[-1]
