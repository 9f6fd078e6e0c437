"""Sums over equity curves, as plain Python that numba compiles unchanged; used by `ares7.batch_figures` only.

Sums are added in whatever order the machine's vectors like: a third of the time, and the last bits of a figure
differ between kinds of machines and from ``NUMBA_DISABLE_JIT=1``. On one machine the same curve gives the same bits,
whichever curves are beside it. Loops run over views, because a row counted from elsewhere could be negative for all
that the compiler knows, and then it uses no vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from ares7.arrays import Float1D, Float2D, Int2D

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile with numba, without Python's lock, keeping the compiled code on disk."""
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast(F, compiled)


def jit_sums(function: F) -> F:
    """Likewise, for a function that only adds up: in any order. NaN stays NaN."""
    fast = {"reassoc", "nsz", "contract"}
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(function)
    return cast(F, compiled)


@jit_sums
def _sum(values: Float1D) -> float:
    total = 0.0
    for i in range(len(values)):
        total += values[i]
    return total


@jit
def _mean(values: Float1D) -> float:
    return _sum(values) / len(values) if len(values) else np.nan


@jit_sums
def _squares(values: Float1D, mean: float) -> float:
    """Sum of squared deviations."""
    total = 0.0
    for i in range(len(values)):
        total += (values[i] - mean) * (values[i] - mean)
    return total


@jit_sums
def _powers(values: Float1D, mean: float, out: Float1D) -> None:
    """Write the sums of squared, cubed and fourth powers of the deviations into ``out`` (3,)."""
    second = third = fourth = 0.0
    for i in range(len(values)):
        deviation = values[i] - mean
        square = deviation * deviation
        second += square
        third += square * deviation
        fourth += square * square
    out[0], out[1], out[2] = second, third, fourth


@jit
def _scan(nav: Float1D, peak: float, depth: float) -> float:
    """Deepest drawdown so far, ``nav`` included: one division a new low."""
    for i in range(len(nav)):
        peak = max(peak, nav[i])
        if peak - nav[i] > depth * peak:
            depth = (peak - nav[i]) / peak
    return depth


@jit
def _deepest(nav: Float1D) -> float:
    """Deepest drawdown of a NAV that starts above zero.

    Four values are passed over at once where even their lowest below the highest would be no new depth.
    """
    peak, depth = nav[0], 0.0
    even = len(nav) // 4 * 4
    for i in range(0, even, 4):
        low = min(min(nav[i], nav[i + 1]), min(nav[i + 2], nav[i + 3]))
        high = max(peak, max(max(nav[i], nav[i + 1]), max(nav[i + 2], nav[i + 3])))
        if high - low > depth * high:
            depth = _scan(nav[i : i + 4], peak, depth)
        peak = high
    return float(_scan(nav[even:], peak, depth))


@jit
def _returns(nav: Float1D, baseline: Float1D, total: Float1D, active: Float1D) -> None:
    for i in range(len(total)):
        before = nav[i]
        total[i] = nav[i + 1] / before - 1.0 if before > 0.0 else np.nan
        active[i] = total[i] - baseline[i]


@jit
def curve_sums(
    nav: Float2D, baseline: Float1D, edges: Int2D, whole: Float2D, parts: Float2D, depths: Float2D
) -> None:
    """Sums of P curves, one after the other.

    Parameters
    ----------
    nav : (P, T) finite, C-ordered; the first column positive
    baseline : (T - 1,) returns
    edges : (W, 2) int64
        First and one past the last return of each window.
    whole : (P, 2, 4), written
        Of total and of active returns: mean, then the sums of the second to fourth powers of the deviations.
    parts : (P, W, 2, 2), written
        Likewise of each window: mean, sum of squared deviations.
    depths : (P, 1 + W), written
        Deepest drawdown of the curve and of each window's NAV, its starting value included; NaN where a
        return is.
    """
    count = nav.shape[1] - 1
    series = np.empty((2, count))
    for p in range(len(nav)):
        _returns(nav[p], baseline, series[0], series[1])
        depths[p, 0] = _deepest(nav[p])
        for k in range(2):
            whole[p, k, 0] = _mean(series[k])
            _powers(series[k], whole[p, k, 0], whole[p, k, 1:])
        for w in range(len(edges)):
            first, stop = edges[w, 0], edges[w, 1]
            for k in range(2):
                rows = series[k, first:stop]
                parts[p, w, k, 0] = _mean(rows)
                parts[p, w, k, 1] = _squares(rows, parts[p, w, k, 0])
            known = np.isfinite(parts[p, w, 0, 0])
            depths[p, 1 + w] = _deepest(nav[p, first : stop + 1]) if known else np.nan
