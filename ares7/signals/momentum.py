"""Price momentum at chosen rows."""

from __future__ import annotations

import numpy as np

from ares7.arrays import Float2D, Int1D


def momentum(close: Float2D, rows: Int1D, period: int, skip: int = 0) -> Float2D:
    """Total return from ``period`` sessions ago to ``skip`` sessions ago.

    Jegadeesh and Titman (1993) with ``skip`` of one month (21); rulings 16 use 0.

    Parameters
    ----------
    close : (T, N) USD, total return
    rows : (R,) int64
        Sessions t at which the signal is computed.
    period, skip : int, sessions
        ``0 <= skip < period``.

    Returns
    -------
    (R, N) fraction
        ``close[t - skip] / close[t - period] - 1``; NaN where either close is missing or before row 0.
    """
    out = np.full((len(rows), close.shape[1]), np.nan)
    there = rows >= period
    out[there] = close[rows[there] - skip] / close[rows[there] - period] - 1.0
    return out
