"""The market regime as a Backtrader indicator."""

from __future__ import annotations

import array
import math
from collections import deque
from typing import Any

import backtrader as bt
import numpy as np

from ares7.errors import MissingData
from ares7.params import RegimeParams
from ares7.signals.regime import HOLD_WINDOW, held_labels, raw_labels


class RegimeIndicator(bt.Indicator):
    """Regime of an index feed and a VIX feed, bar by bar (docs/strategies.md).

    ``RegimeIndicator(index, vix)``, each a feed or a line; lines ``raw`` and ``held`` hold
    `ares7.signals.regime.Regime` values.
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
        # A feed's first line is its close; a line, such as MarketData's vix, is taken as it is.
        self._index.append(self.datas[0][0])
        self._vix.append(self.datas[1][0])
        if math.isnan(self._vix[-1]) or math.isnan(self._index[-1]):
            raise self._missing(len(self))
        raw = int(raw_labels(np.array(self._index), np.array(self._vix), **self._thresholds)[-1])
        self._raw.append(raw)
        self.lines.raw[0] = raw
        self.lines.held[0] = held_labels(np.array(self._raw, dtype=np.int8), self._settings.min_hold)[-1]

    def once(self, start: int, end: int) -> None:
        """Classify bars ``start`` to ``end`` (exclusive) from all bars up to each."""
        # Backtrader asks for the first bar by itself; history begins where the inputs do.
        first = self._minperiod - 1
        index, vix = (np.array(data.lines[0].array[first:end]) for data in self.datas[:2])
        gaps = np.flatnonzero(np.isnan(index) | np.isnan(vix))
        if len(gaps):
            raise self._missing(first + int(gaps[0]) + 1)
        raw = raw_labels(index, vix, **self._thresholds)
        held = held_labels(raw, self._settings.min_hold)
        for line, labels in ((self.lines.raw, raw), (self.lines.held, held)):
            line.array[start:end] = array.array("d", labels[start - first :].astype(np.float64))

    @property
    def _thresholds(self) -> dict[str, Any]:
        return self._settings.model_dump(exclude={"min_hold"})

    def _missing(self, bar: int) -> MissingData:
        return MissingData(
            f"RegimeIndicator: index or VIX has no value on bar {bar}; extend or repair its feed"
        )
