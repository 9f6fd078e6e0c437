"""Volatility, downside volatility and beta at chosen rows (rulings 19)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Bool2D, Float1D, Float2D, Int1D
from ares7.signals.windows import row_window, spanning_returns

MAX_MISSING = 2
"""Returns that a window may miss before the name is not eligible."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Risk measures at R rows; NaN where the name's window misses more than two returns.

    Attributes
    ----------
    volatility, downside : (R, N) per-session standard deviations (ddof 1)
        Of returns, and of min(return, 0).
    beta : (R, N)
        Slope of the name's returns on the index's over ``beta_window`` sessions.
    """

    volatility: Float2D
    downside: Float2D
    beta: Float2D


def _deviation(returns: Float2D, there: Bool2D, enough: Bool1D) -> Float1D:
    count = there.sum(axis=0)
    mean = np.where(there, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(there, (returns - mean) ** 2, 0.0).sum(axis=0)
    return np.where(enough, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def _beta(returns: Float2D, there: Bool2D, market: Float1D) -> Float1D:
    count = np.maximum(there.sum(axis=0), 1)
    m = np.where(there, market[:, None], 0.0)
    r = np.where(there, returns, 0.0)
    m_dev = np.where(there, m - m.sum(axis=0) / count, 0.0)
    r_dev = np.where(there, r - r.sum(axis=0) / count, 0.0)
    variance = (m_dev * m_dev).sum(axis=0)
    covariance = (m_dev * r_dev).sum(axis=0)
    out = np.full(returns.shape[1], np.nan)
    np.divide(covariance, variance, out=out, where=variance > 0)
    return out


def risk_at(
    close: Float2D, index: Float1D | None, rows: Int1D, window: int = 63, beta_window: int = 252
) -> Risk:
    """Volatility, downside volatility and beta, from the rows of the longer window that end at t.

    A return whose earlier close lies before those rows is missing; the return after a gap spans it; beta uses
    the sessions on which the name has a return.

    Parameters
    ----------
    close : (T, N) USD, total return
    index : (T,) closes or None
        None skips beta, which is then NaN.
    rows : (R,) int64
    window, beta_window : int, sessions

    Returns
    -------
    Risk
    """
    returns, since = spanning_returns(close)
    shape = (len(rows), close.shape[1])
    volatility, downside, beta = (np.full(shape, np.nan) for _ in range(3))
    market = np.full(len(close), np.nan)
    if index is not None and len(index) > 1:
        market[1:] = index[1:] / index[:-1] - 1.0
    depth = max(window, beta_window)
    for i, row in enumerate(rows):
        if row < depth:
            continue
        r = row_window(returns, row, depth)
        there = np.isfinite(r) & (row_window(since, row, depth) >= row - depth)
        recent, recent_there = r[-window:], there[-window:]
        enough = recent_there.sum(axis=0) >= window - MAX_MISSING
        filled = np.where(recent_there, recent, 0.0)
        volatility[i] = _deviation(filled, recent_there, enough)
        downside[i] = _deviation(np.minimum(filled, 0.0), recent_there, enough)
        if index is not None:
            r, there, m = r[-beta_window:], there[-beta_window:], row_window(market, row, beta_window)
            full = there.sum(axis=0) >= beta_window - MAX_MISSING
            beta[i] = np.where(full, _beta(r, there & np.isfinite(m)[:, None], m), np.nan)
    return Risk(volatility, downside, beta)
