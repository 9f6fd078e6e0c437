"""Volatility, downside volatility and beta at chosen rows (rulings 19)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D, Int2D
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


def _deviation(returns: Float2D, there: Bool2D | None) -> Float1D:
    """(N,) sample deviation; ``there`` None means that every return is."""
    if there is None:
        gap = returns - returns.sum(axis=0) / len(returns)
        return np.asarray(np.sqrt((gap * gap).sum(axis=0) / (len(returns) - 1)))
    count = there.sum(axis=0)
    mean = np.where(there, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(there, (returns - mean) ** 2, 0.0).sum(axis=0)
    return np.asarray(np.sqrt(squares / np.maximum(count - 1, 1)))


def _beta(returns: Float2D, there: Bool2D | None, market: Float1D) -> Float1D:
    """(N,) slope on the market; ``there`` None means that every return is."""
    out = np.full(returns.shape[1], np.nan)
    if there is None:
        m_dev = market - market.sum() / len(market)
        variance = np.full(len(out), (m_dev * m_dev).sum())
        covariance = np.einsum("t,tn->n", m_dev, returns)
    else:
        count = np.maximum(there.sum(axis=0), 1)
        m, r = np.where(there, market[:, None], 0.0), np.where(there, returns, 0.0)
        deviations = np.where(there, m - m.sum(axis=0) / count, 0.0)
        variance = (deviations * deviations).sum(axis=0)
        covariance = (deviations * np.where(there, r - r.sum(axis=0) / count, 0.0)).sum(axis=0)
    np.divide(covariance, variance, out=out, where=variance > 0)
    return out


def _measures(returns: Float2D, there: Bool2D | None, market: Float1D | None, window: int) -> Float2D:
    """(3, N) volatility, downside volatility and beta of one window; ``there`` None: nothing is missing."""
    out = np.full((3, returns.shape[1]), np.nan)
    if there is None:
        recent = returns[-window:]
        out[0], out[1] = _deviation(recent, None), _deviation(np.minimum(recent, 0.0), None)
        if market is not None:
            out[2] = _beta(returns, None, market)
        return out
    mask = there[-window:]
    recent, enough = np.where(mask, returns[-window:], 0.0), mask.sum(axis=0) >= window - MAX_MISSING
    out[0] = np.where(enough, _deviation(recent, mask), np.nan)
    out[1] = np.where(enough, _deviation(np.minimum(recent, 0.0), mask), np.nan)
    if market is not None:
        full = there.sum(axis=0) >= len(returns) - MAX_MISSING
        out[2] = np.where(full, _beta(returns, there & np.isfinite(market)[:, None], market), np.nan)
    return out


def _one_row(
    returns: Float2D, since: Int2D, lost: Int2D, market: Float1D | None, row: int, window: int, depth: int
) -> Float2D:
    """(3, N) measures of the windows that end at ``row``; ``lost`` counts missing returns from row 0 on."""
    r = row_window(returns, row, depth)
    own = None if market is None else row_window(market, row, depth)
    whole = (lost[row] == lost[row - depth]) & (since[row - depth + 1] >= row - depth)
    if own is not None and not np.isfinite(own).all():
        whole[:] = False
    if whole.all():
        return _measures(r, None, own, window)
    out = np.full((3, returns.shape[1]), np.nan)
    out[:, whole] = _measures(r[:, whole], None, own, window)
    holed = ~whole & (lost[row] - lost[row - depth] <= depth - window + MAX_MISSING)
    there = np.isfinite(r[:, holed]) & (row_window(since, row, depth)[:, holed] >= row - depth)
    out[:, holed] = _measures(r[:, holed], there, own, window)
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
    lost = np.cumsum(~np.isfinite(returns), axis=0, dtype=np.int64)
    depth = max(window, beta_window)
    for i, row in enumerate(rows.tolist()):
        if row < depth:
            continue
        own = None if index is None or depth > beta_window else market
        volatility[i], downside[i], beta[i] = _one_row(returns, since, lost, own, row, window, depth)
        if index is not None and own is None:
            beta[i] = _one_row(returns, since, lost, market, row, beta_window, beta_window)[2]
    return Risk(volatility, downside, beta)
