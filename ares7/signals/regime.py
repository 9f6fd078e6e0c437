"""Market regime from an index and VIX, known at the close (rulings 12 and 13)."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from ares7.arrays import Bool1D, Float1D, Label1D
from ares7.signals.windows import trailing_mean

HOLD_WINDOW = 252
"""Rows within which the minimum hold looks for its latest run of equal labels (rulings 13)."""


UNKNOWN = -1
"""Written for a session whose index or VIX is not there; no signal returns it."""


class Regime(IntEnum):
    """Labels, in no order of merit."""

    NEUTRAL = 0
    BULL = 1
    BEAR = 2
    HIGH_VOL = 3


def raw_labels(
    index: Float1D,
    vix: Float1D,
    *,
    sma: int = 200,
    short: int = 126,
    long: int = 252,
    vix_bull: float = 25.0,
    vix_high: float = 30.0,
) -> Label1D:
    """Classify every session.

    HIGH_VOL if VIX >= ``vix_high``, tested first, also in warm-up. With fewer than ``long + 1`` index closes
    the label is otherwise NEUTRAL. BULL if P > SMA and both returns > 0 and VIX < ``vix_bull``. BEAR if
    P <= SMA and one of the returns <= 0. NEUTRAL for the rest, and where VIX is NaN.

    Parameters
    ----------
    index, vix : (T,) closes
        Known at close t. NaN where unknown; callers refuse NaN inside the period that they trade.
    sma, short, long : int, sessions
    vix_bull, vix_high : float, VIX points

    Returns
    -------
    (T,) int8
        `Regime` values.
    """
    average = trailing_mean(index, sma)
    history = np.zeros(len(index), dtype=bool)
    history[long:] = np.isfinite(index[: max(len(index) - long, 0)])
    known = history & np.isfinite(index) & np.isfinite(average) & np.isfinite(vix)
    above = np.zeros(len(index), dtype=bool)
    np.greater(index, average, out=above, where=known)
    rising_short, rising_long = _rising(index, short, known), _rising(index, long, known)

    labels = np.full(len(index), Regime.NEUTRAL, dtype=np.int8)
    labels[known & ~above & ~(rising_short & rising_long)] = Regime.BEAR
    calm = np.zeros(len(index), dtype=bool)
    np.less(vix, vix_bull, out=calm, where=known)
    labels[known & above & rising_short & rising_long & calm] = Regime.BULL
    labels[np.isfinite(vix) & (np.nan_to_num(vix, nan=0.0) >= vix_high)] = Regime.HIGH_VOL
    return labels


def _rising(index: Float1D, period: int, known: Bool1D) -> Bool1D:
    out = np.zeros(len(index), dtype=bool)
    ratio = index[period:] / index[: max(len(index) - period, 0)] - 1.0
    np.greater(ratio, 0.0, out=out[period:], where=known[period:])
    return out


def held_labels(raw: Label1D, min_hold: int) -> Label1D:
    """Label of the latest ``min_hold`` equal raw labels that lie within rows t-251..t, else NEUTRAL.

    Parameters
    ----------
    raw : (T,) int8
    min_hold : int, sessions
        0 and 1 return the raw labels (rulings 13).

    Returns
    -------
    (T,) int8
    """
    if min_hold <= 1:
        return raw.copy()
    rows = np.arange(len(raw))
    starts = np.concatenate([[True], raw[1:] != raw[:-1]]) if len(raw) else np.zeros(0, dtype=bool)
    run_start = np.maximum.accumulate(np.where(starts, rows, 0)) if len(raw) else rows
    confirmed = rows - run_start + 1 >= min_hold
    latest = np.maximum.accumulate(np.where(confirmed, rows, -1)) if len(raw) else rows
    inside = (latest >= 0) & (latest - min_hold + 1 >= rows - (HOLD_WINDOW - 1))
    return np.where(inside, raw[np.maximum(latest, 0)], np.int8(Regime.NEUTRAL)).astype(np.int8)
