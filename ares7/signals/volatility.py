"""Volatility, downside volatility and beta at chosen rows (rulings 19), each from its own rows (rulings 9).

Sums go down the rows of a window, oldest first, in two passes: a name's measures depend neither on the panel's length
nor on the other names. In numpy: loading compiled code costs a process half a second, these windows milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ares7.arrays import AnyArray, Bool2D, Float1D, Float2D, Int1D
from ares7.signals.windows import column_sums, spanning_returns

MAX_MISSING = 2
"""Returns that a window may miss before the name is not eligible."""
BLOCK = 128
"""Columns, and windows with a hole, that are worked on at a time: what stays in a processor's cache."""


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


def _deviation(returns: Float2D) -> Float1D:
    """(P,) sample deviation of the returns that are there."""
    there = np.isfinite(returns)
    count = there.sum(axis=0)
    mean = column_sums(np.where(there, returns, 0.0)) / np.maximum(count, 1)
    gap = np.where(there, returns - mean, 0.0)
    return np.asarray(np.sqrt(column_sums(gap * gap) / np.maximum(count - 1, 1)))


def _slope(returns: Float2D, market: Float2D) -> Float1D:
    """(P,) slope on the market over the sessions on which both have a return."""
    there = np.isfinite(returns) & np.isfinite(market)
    count = np.maximum(there.sum(axis=0), 1)
    mean = column_sums(np.where(there, market, 0.0)) / count
    deviation = np.where(there, market - mean, 0.0)
    mean = column_sums(np.where(there, returns, 0.0)) / count
    covariance = column_sums(deviation * np.where(there, returns - mean, 0.0))
    return _ratio(covariance, column_sums(deviation * deviation))


def _ratio(covariance: Float2D, variance: AnyArray) -> Float2D:
    out = np.full(covariance.shape, np.nan)
    np.divide(covariance, variance, out=out, where=np.greater(variance, 0))
    return out


def _whole_windows(
    close: Float2D, market: Float1D | None, rows: Int1D, window: int, beta_window: int
) -> AnyArray:
    """(3, R, B) measures of the windows without a hole; NaN for the others."""
    width = close.shape[1]
    both = np.empty((len(close), 2 * width))
    both[0], returns = np.nan, both[:, :width]
    np.divide(close[1:], close[:-1], out=returns[1:])
    returns -= 1.0
    np.minimum(returns, 0.0, out=both[:, width:])
    mean, gap = np.empty(2 * width), np.empty((window, 2 * width))
    squares = np.empty((len(rows), 2 * width))
    for i, row in enumerate(rows.tolist()):
        recent = both[row - window + 1 : row + 1]
        np.add.reduce(recent, axis=0, out=mean)
        np.divide(mean, window, out=mean)
        np.subtract(recent, mean, out=gap)
        np.einsum("tn,tn->n", gap, gap, out=squares[i])
    deviations = np.sqrt(squares / max(window - 1, 1))
    beta = np.full((len(rows), width), np.nan)
    if market is not None:
        own = market[rows[:, None] + np.arange(1 - beta_window, 1)]
        own -= own.sum(axis=1, keepdims=True) / beta_window
        covariance = np.empty((len(rows), width))
        for i, row in enumerate(rows.tolist()):
            np.einsum("t,tn->n", own[i], returns[row - beta_window + 1 : row + 1], out=covariance[i])
        beta = _ratio(covariance, (own * own).sum(axis=1, keepdims=True))
    return np.stack([deviations[:, :width], deviations[:, width:], beta])


def _holed_windows(
    measure: Float2D, lost: AnyArray, rows: Int1D, width: int
) -> Iterator[tuple[Int1D, Int1D]]:
    """Yield (row numbers, columns) of missing measures whose window may still have enough returns."""
    gone = lost[rows + 1] - lost[rows + 1 - width]
    i, columns = np.nonzero(np.isnan(measure) & (gone <= MAX_MISSING))
    for first in range(0, len(i), BLOCK):
        yield i[first : first + BLOCK], columns[first : first + BLOCK]


def _returns_within(close: Float2D, rows: Int1D, columns: Int1D, depth: int) -> Float2D:
    """(depth, P) returns of the windows that end at ``rows``, from closes of these windows alone."""
    return spanning_returns(close[rows + np.arange(-depth, 1)[:, None], columns])[1:]


def _enough(returns: Float2D) -> Bool2D:
    """(P,) bool: at most two are missing."""
    return np.asarray((~np.isfinite(returns)).sum(axis=0) <= MAX_MISSING)


def _fill_holed(
    out: AnyArray, close: Float2D, market: Float1D | None, rows: Int1D, window: int, beta_window: int
) -> None:
    """Fill in the measures of windows that miss a return or two, in place."""
    lost = np.zeros((len(close) + 1, close.shape[1]), dtype=np.int32)
    np.cumsum(~np.isfinite(close), axis=0, out=lost[1:])
    for i, columns in _holed_windows(out[0], lost, rows, window):
        returns = _returns_within(close, rows[i], columns, max(window, beta_window))[-window:]
        enough = _enough(returns)
        out[0, i, columns] = np.where(enough, _deviation(returns), np.nan)
        out[1, i, columns] = np.where(enough, _deviation(np.minimum(returns, 0.0)), np.nan)
    if market is None:
        return
    for i, columns in _holed_windows(out[2], lost, rows, beta_window):
        returns = _returns_within(close, rows[i], columns, beta_window)
        own = market[rows[i] + np.arange(1 - beta_window, 1)[:, None]]
        out[2, i, columns] = np.where(_enough(returns), _slope(returns, own), np.nan)


def _block(close: Float2D, market: Float1D | None, rows: Int1D, window: int, beta_window: int) -> AnyArray:
    """(3, R, B) measures of a block of columns, at rows whose windows lie inside the panel."""
    out = _whole_windows(close, market, rows, window, beta_window)
    holed = np.flatnonzero(np.isnan(out[: 2 if market is None else 3]).any(axis=(0, 1)))
    if len(holed) > 0:
        part = out[:, :, holed]
        _fill_holed(part, close.take(holed, axis=1), market, rows, window, beta_window)
        out[:, :, holed] = part
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
    market = None
    if index is not None:
        market = np.full(len(index), np.nan)
        market[1:] = index[1:] / index[:-1] - 1.0
    out = np.full((3, len(rows), close.shape[1]), np.nan)
    full = np.flatnonzero(rows >= max(window, beta_window))
    if len(full) > 0:
        for first in range(0, close.shape[1], BLOCK):
            block = np.ascontiguousarray(close[:, first : first + BLOCK])
            out[:, full, first : first + BLOCK] = _block(block, market, rows[full], window, beta_window)
    return Risk(*out)
