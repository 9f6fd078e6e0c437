"""Loops of `ares7.signals.filters` and `.wavelet`, as plain Python that numba compiles unchanged.

Sums are added in the order that is written, each name by itself: a value has the same bits whatever lies before its
window, after its row or in the other columns, compiled or not. Inner loops run over views of rows, name by name, so
that the compiler works on several names at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile with numba, without Python's lock, keeping the compiled code on disk."""
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(F, compiled)


def jit_scalar(function: F) -> F:
    """Likewise, one value at a time: a division by zero raises, and a loop that may be left is not vectorised.

    Where Intel's vector library is installed, older numba takes eight logarithms at once, with other last bits than
    for the columns that are left over.
    """
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="python")(function)
    return cast(F, compiled)


@jit_scalar
def returns_of(close: Float2D, out: Float2D) -> None:
    """Write the logarithm of close over the last bar's close; 0 without a bar, and at the first.

    Parameters
    ----------
    close : (T, N) USD, positive
        NaN without a bar.
    out : (T, N), written
    """
    last = np.full(close.shape[1], np.nan)
    for t in range(len(close)):
        now, row = close[t], out[t]
        for j in range(len(now)):
            row[j] = 0.0
            if math.isfinite(now[j]):
                if math.isfinite(last[j]):
                    row[j] = math.log(now[j] / last[j])
                last[j] = now[j]


@jit
def windows_of(close: Float2D, rows: Int1D, width: int, hole: int, out: Bool2D) -> None:
    """Write whether a window starts and ends with a bar and has no more than ``hole`` sessions without one in a row.

    Parameters
    ----------
    close : (T, N) USD
    rows : (R,) int64, increasing, each at least ``width - 1``
    out : (R, N) bool, written
    """
    names = close.shape[1]
    gap, broken = np.zeros(names, dtype=np.int64), np.full(names, -1, dtype=np.int64)
    i = 0
    for t in range(len(close)):
        now = close[t]
        for j in range(names):
            gap[j] = 0 if math.isfinite(now[j]) else gap[j] + 1
            if gap[j] > hole:
                broken[j] = t
        while i < len(rows) and rows[i] == t:
            first = t - width + 1
            start = close[first]
            for j in range(names):
                out[i, j] = gap[j] == 0 and math.isfinite(start[j]) and broken[j] < first
            i += 1


@jit
def filter_rows(returns: Float2D, taps: Float1D, rows: Int1D, out: Float2D) -> None:
    """Write the inner product of the taps with the returns that end at each row; the oldest is added first.

    Parameters
    ----------
    returns : (T, N)
    taps : (L,)
        The first belongs to the row itself.
    rows : (R,) int64
        NaN is written where fewer than L returns are known; row 0 has none.
    out : (R, N), written
    """
    width = len(taps)
    for i in range(len(rows)):
        sums = out[i]
        if rows[i] < width:
            sums[:] = np.nan
            continue
        sums[:] = 0.0
        for k in range(width):
            tap, row = taps[width - 1 - k], returns[rows[i] - width + 1 + k]
            for j in range(len(sums)):
                sums[j] += tap * row[j]


@jit
def add_squares(returns: Float2D, taps: Float1D, rows: Int1D, out: Float2D) -> None:
    """Add the squares of what `filter_rows` writes to ``out`` (R, N)."""
    found = np.empty((1, out.shape[1]))
    value = found[0]
    for i in range(len(rows)):
        filter_rows(returns, taps, rows[i : i + 1], found)
        sums = out[i]
        for j in range(len(sums)):
            sums[j] += value[j] * value[j]


@jit
def window_means(values: Float2D, at: Int1D, rows: Int1D, window: int, out: Float2D) -> None:
    """Write the mean of the ``window`` values that end at each row, the oldest added first.

    Parameters
    ----------
    values : (S, N)
    at : (T,) int64
        Place of each session within ``values``.
    rows : (R,) int64, each at least ``window - 1``
    out : (R, N), written
    """
    for i in range(len(rows)):
        sums = out[i]
        sums[:] = 0.0
        for t in range(rows[i] - window + 1, rows[i] + 1):
            row = values[at[t]]
            for j in range(len(sums)):
                sums[j] += row[j]
        for j in range(len(sums)):
            sums[j] /= window
