"""Cross-sectional transforms, one session a row. NaN means: the name does not have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Bool2D, Float1D, Float2D, Int1D, Int2D

FLAT = 1e-12
"""Relative spread below which all values count as equal: their z-scores are 0."""


def zscore(x: Float2D, ddof: int = 0) -> Float2D:
    """Standardise over the names that have a value.

    Parameters
    ----------
    x : (N,) or (R, N)

    Returns
    -------
    Same shape
        NaN stays NaN; all zeros in a row whose values are all equal.
    """
    has = np.isfinite(x)
    standardised = _standardised(np.where(has, x, 0.0), has, has.sum(axis=-1, keepdims=True), ddof)
    return np.where(has, standardised, np.nan)


def _standardised(values: Float2D, has: Bool2D, count: AnyArray, ddof: int = 0) -> Float2D:
    """Z-scores of ``values``; both are 0 where there is none, and a flat row is all zeros."""
    deviation = values - values.sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    deviation *= has
    spread = np.sqrt((deviation * deviation).sum(axis=-1, keepdims=True) / np.maximum(count - ddof, 1))
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=1.0)
    flat = (spread <= FLAT * largest) | (count <= ddof)
    deviation /= np.where(flat, np.inf, spread)
    return np.asarray(deviation)


def _quantile(ordered: Float2D, count: AnyArray, q: float) -> Float2D:
    """(..., 1) quantile of each row's first ``count`` sorted values: numpy's method ``linear``, to the last bit."""
    place = np.maximum(count - 1, 0) * q
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(count - 1, 0)), axis=-1)
    part, gap = place - below, high - low
    out: Float2D = np.where(part >= 0.5, high - gap * (1.0 - part), low + gap * part)
    return out


def winsorise(x: Float2D, tail: float = 0.01) -> Float2D:
    """Clip to the ``tail`` and ``1 - tail`` quantiles (numpy ``linear``) of the values that are there.

    ``x`` is (N,) or (R, N); rows are clipped each by its own quantiles.
    """
    has = np.isfinite(x)
    return _clipped(np.where(has, x, np.nan), has.sum(axis=-1, keepdims=True), tail)


def _clipped(column: Float2D, count: AnyArray, tail: float) -> Float2D:
    """``column``, whose ``count`` values are finite and the others NaN, clipped to its own quantiles."""
    if column.shape[-1] == 0:
        return column
    ordered = np.sort(column, axis=-1)
    low, high = _quantile(ordered, count, tail), _quantile(ordered, count, 1.0 - tail)
    return np.asarray(np.minimum(np.maximum(column, low), high))


def standard_score(x: Float2D, among: Bool2D, tail: float = 0.01, min_names: int = 20) -> Float2D:
    """Winsorised z-score of one source column (rulings 16).

    Parameters
    ----------
    x : (N,) or (R, N)
    among : bool, same shape
        Eligible names; the others are NaN in the result.
    min_names : int
        With fewer values the whole column is missing.

    Returns
    -------
    Same shape
    """
    has = np.isfinite(x) & among
    count = has.sum(axis=-1, keepdims=True)
    has &= count >= min_names
    clipped = _clipped(np.where(has, x, np.nan), count, tail)
    return np.where(has, _standardised(np.where(has, clipped, 0.0), has, count), np.nan)


def merge(first: Float2D, fallback: Float2D, min_names: int = 20) -> Float2D:
    """One slot from two standardised columns; the fallback is chosen name by name (rulings 17).

    A slot with fewer than ``min_names`` names is missing. The result is not standardised again.
    """
    slot = np.where(np.isfinite(first), first, fallback)
    enough = np.isfinite(slot).sum(axis=-1, keepdims=True) >= min_names
    return np.where(enough, slot, np.nan)


def leg(columns: Sequence[Float2D], among: Bool2D) -> Float2D:
    """Mean of what is there, re-standardised over the names that have it, then 0 for the rest (rulings 16).

    Parameters
    ----------
    columns : sequence of (N,) or (R, N)
        Standardised columns or slots.
    among : bool, same shape
        Eligible names.

    Returns
    -------
    Same shape
        0 for names without a value, eligible or not.
    """
    total, values = np.zeros(among.shape), np.zeros(among.shape)
    for column in columns:
        has = np.isfinite(column) & among
        total += np.where(has, column, 0.0)
        values += has
    has = values > 0
    return _standardised(total / np.maximum(values, 1), has, has.sum(axis=-1, keepdims=True))


def normalised(x: Float2D) -> Float2D:
    """Divide each row of (R, N) by its sum; a row that sums to 0 is all zeros."""
    total = x.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(x, total, out=np.zeros(x.shape), where=total > 0))


def places(score: Float2D, among: Bool2D, symbol_rank: Int1D) -> Int2D:
    """Place of each name in its row, 0 for the highest score, ties by symbol (C4); those not in ``among`` come last.

    Parameters
    ----------
    score : (R, N)
    among : (R, N) bool
        Names that are ranked; their scores are finite.
    symbol_rank : (N,) int64

    Returns
    -------
    (R, N) int64
    """
    by_symbol = np.argsort(symbol_rank)
    key = np.where(among, -score, np.inf)[:, by_symbol]
    order = by_symbol[np.argsort(key, axis=1, kind="stable")]
    out = np.empty(score.shape, dtype=np.int64)
    np.put_along_axis(out, order, np.broadcast_to(np.arange(score.shape[1]), score.shape), axis=1)
    return out


def best_first(score: Float1D, among: Bool1D, symbol_rank: Int1D) -> Int1D:
    """Columns of the names in ``among``, highest score first, ties by symbol (C4)."""
    names = np.flatnonzero(among)
    return names[np.lexsort((symbol_rank[names], -score[names]))]
