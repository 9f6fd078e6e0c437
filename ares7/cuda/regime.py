"""Regime labels on a CUDA device, one thread a session: `ares7.signals.regime`, label for label.

Windows are added oldest first, as there, and divisions round alike, so that a label at a tie is the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ares7.book import RegimeLabels, regime_series
from ares7.cuda.device import cuda, kernel, launch_for, on_device, require_device
from ares7.panel import Panel
from ares7.signals.regime import HOLD_WINDOW, Regime

NEUTRAL, BULL, BEAR, HIGH_VOL = (int(r) for r in (Regime.NEUTRAL, Regime.BULL, Regime.BEAR, Regime.HIGH_VOL))


@on_device
def _rising(index: Any, t: int, period: int) -> bool:
    return t >= period and index[t] / index[t - period] - 1.0 > 0.0


@on_device
def _average(index: Any, t: int, width: int) -> float:
    """Mean of the latest values, NaN until there are enough."""
    if t < width - 1:
        return math.nan
    total = float(index[t - width + 1])
    for k in range(t - width + 2, t + 1):
        total += index[k]
    return total / width


@on_device
def _label(
    index: Any, vix: Any, t: int, sma: int, short: int, long: int, vix_bull: float, vix_high: float
) -> int:
    """`ares7.signals.regime.raw_labels` for one session."""
    if math.isfinite(vix[t]) and vix[t] >= vix_high:
        return HIGH_VOL
    average = _average(index, t, sma)
    if t < long or not (math.isfinite(index[t - long]) and math.isfinite(index[t])):
        return NEUTRAL
    if not (math.isfinite(average) and math.isfinite(vix[t])):
        return NEUTRAL
    rising = _rising(index, t, short) and _rising(index, t, long)
    if index[t] > average:
        return BULL if rising and vix[t] < vix_bull else NEUTRAL
    return NEUTRAL if rising else BEAR


@kernel
def classify(
    index: Any, vix: Any, sma: int, short: int, long: int, vix_bull: float, vix_high: float, out: Any
) -> None:
    """Write the raw label of every session; ``index``, ``vix`` (T,), ``out`` (T,) int8."""
    for t in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        out[t] = _label(index, vix, t, sma, short, long, vix_bull, vix_high)


@kernel
def hold(raw: Any, min_hold: int, out: Any) -> None:
    """`ares7.signals.regime.held_labels`; ``raw``, ``out`` (T,) int8, ``min_hold`` at least 2."""
    for t in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        out[t] = NEUTRAL
        run, last = 1, t
        for r in range(t - 1, t - HOLD_WINDOW, -1):
            if run == min_hold or r < 0:
                break
            if raw[r] == raw[last]:
                run += 1
            else:
                run, last = 1, r
        if run == min_hold:
            out[t] = raw[last]


def regime_labels_on_device(
    panel: Panel, *, sma: int, short: int, long: int, vix_bull: float, vix_high: float, min_hold: int
) -> RegimeLabels:
    """`ares7.book.regime_labels`, computed on the CUDA device.

    Raises
    ------
    ServiceUnavailable
        There is no device.
    StaleData, MissingData
        Naming the series and the first session without a value.
    """
    require_device()
    index, vix = regime_series(panel)
    launch = launch_for(len(index))
    raw = cuda.device_array(len(index), np.int8)
    classify[launch](
        cuda.to_device(index), cuda.to_device(vix), sma, short, long, float(vix_bull), float(vix_high), raw
    )
    labels = raw.copy_to_host()
    if min_hold <= 1:
        return RegimeLabels(labels, labels.copy())
    held = cuda.device_array(len(index), np.int8)
    hold[launch](raw, min_hold, held)
    return RegimeLabels(labels, held.copy_to_host())
