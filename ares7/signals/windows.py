"""Trailing windows whose every value depends on its own rows only."""

from __future__ import annotations

import numpy as np

from ares7.arrays import AnyArray, Bool2D, Float1D, Float2D, Int1D, Int2D


def trailing_sum(x: Float1D, width: int) -> Float1D:
    """Sum of the ``width`` latest values, oldest added first.

    Parameters
    ----------
    x : (T,)
    width : int

    Returns
    -------
    (T,)
        NaN in the first ``width - 1`` rows, and wherever the window holds a NaN.
    """
    out = np.full(len(x), np.nan)
    if len(x) >= width:
        total = x[: len(x) - width + 1].copy()
        for k in range(1, width):
            total += x[k : len(x) - width + 1 + k]
        out[width - 1 :] = total
    return out


def trailing_mean(x: Float1D, width: int) -> Float1D:
    """Mean of the ``width`` latest values; NaN until the window is full."""
    return trailing_sum(x, width) / width


def column_sums(x: Float2D) -> Float1D:
    """(P,) sums down the rows of (W, P), oldest first; numpy adds a single column in pairs."""
    return np.asarray(x.sum(axis=0) if x.shape[1] != 1 else x.cumsum(axis=0)[-1])


def mean_at(x: Float2D, rows: Int1D, width: int) -> Float2D:
    """Mean of the ``width`` latest values at chosen rows, oldest added first: `trailing_mean` of each column there.

    Parameters
    ----------
    x : (T, N)
    rows : (R,) int64
    width : int

    Returns
    -------
    (R, N)
        NaN before the window is full, and wherever it holds a NaN.
    """
    out = np.full((len(rows), x.shape[1]), np.nan)
    full = rows >= width - 1
    window = x[rows[full] + np.arange(1 - width, 1)[:, None]]
    out[full] = column_sums(window.reshape(width, -1)).reshape(-1, x.shape[1]) / width
    return out


def trailing_std(x: Float1D, width: int, min_values: int | None = None) -> Float1D:
    """Sample standard deviation (ddof 1) of the ``width`` latest values, in two passes.

    Parameters
    ----------
    x : (T,)
        NaN marks a missing value.
    width : int
    min_values : int, optional
        Values that must be there; default all of them. Rows with fewer are NaN.

    Returns
    -------
    (T,)
    """
    need = width if min_values is None else min_values
    padded = np.concatenate([np.full(width - 1, np.nan), x])
    count, total, squares = np.zeros(len(x)), np.zeros(len(x)), np.zeros(len(x))
    for k in range(width):
        value = padded[k : k + len(x)]
        there = np.isfinite(value)
        count += there
        total += np.where(there, value, 0.0)
    mean = total / np.maximum(count, 1)
    for k in range(width):
        value = padded[k : k + len(x)]
        squares += np.where(np.isfinite(value), (value - mean) ** 2, 0.0)
    enough = count >= max(need, 2)
    return np.where(enough, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def previous_bar(bar: Bool2D) -> Int2D:
    """Row of the latest bar strictly before each row.

    Parameters
    ----------
    bar : (T, N) bool

    Returns
    -------
    (T, N) int64
        -1 where there is none.
    """
    latest = latest_bar(bar)
    out = np.full(bar.shape, -1, dtype=np.int64)
    out[1:] = latest[:-1]
    return out


def latest_bar(bar: Bool2D) -> Int2D:
    """Row of the latest bar up to and including each row; (T, N) int64, -1 where there is none."""
    rows = np.arange(len(bar), dtype=np.int64)[:, None]
    out: Int2D = np.repeat(rows, bar.shape[1], axis=1)
    # Accumulating is slow, and most names have every bar.
    holed = np.flatnonzero(~bar.all(axis=0))
    out[:, holed] = np.maximum.accumulate(np.where(bar[:, holed], rows, -1), axis=0)
    return out


def spanning_returns(close: Float2D) -> Float2D:
    """Simple returns from bar to bar; the return after a gap spans it.

    Parameters
    ----------
    close : (T, N) USD
        NaN where there is no bar.

    Returns
    -------
    (T, N) fraction
        NaN where the name has no bar or no earlier one.
    """
    bar = np.isfinite(close)
    since = previous_bar(bar)
    earlier = np.take_along_axis(close, np.maximum(since, 0), axis=0)
    known = bar & (since >= 0)
    out = np.full(close.shape, np.nan)
    np.divide(close, earlier, out=out, where=known)
    out -= 1.0
    return out


def row_window(x: AnyArray, row: int, width: int) -> AnyArray:
    """View of the ``width`` rows that end at ``row``, inclusive; (width, N)."""
    return x[row - width + 1 : row + 1]
