"""Cross-sectional transforms, one session a row. NaN means: the name does not have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Bool2D, Float1D, Float2D, Int1D

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
    count = has.sum(axis=-1, keepdims=True)
    values = np.where(has, x, 0.0)
    mean = values.sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    deviation = np.where(has, values - mean, 0.0)
    spread = np.sqrt((deviation * deviation).sum(axis=-1, keepdims=True) / np.maximum(count - ddof, 1))
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=1.0)
    flat = (spread <= FLAT * largest) | (count <= ddof)
    return np.asarray(np.where(has, np.where(flat, 0.0, deviation / np.where(flat, 1.0, spread)), np.nan))


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
    if x.shape[-1] == 0:
        return x.copy()
    count = has.sum(axis=-1, keepdims=True)
    ordered = np.sort(np.where(has, x, np.nan), axis=-1)
    low, high = _quantile(ordered, count, tail), _quantile(ordered, count, 1.0 - tail)
    return np.where(has, np.clip(x, low, high), np.nan)


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
    column = np.where(among, x, np.nan)
    enough = np.isfinite(column).sum(axis=-1, keepdims=True) >= min_names
    return np.where(enough, zscore(winsorise(column, tail)), np.nan)


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
    total, count = np.zeros(among.shape), np.zeros(among.shape)
    for column in columns:
        has = np.isfinite(column) & among
        total += np.where(has, column, 0.0)
        count += has
    mean = np.full(among.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return np.nan_to_num(zscore(mean), nan=0.0)


def best_first(score: Float1D, among: Bool1D, symbol_rank: Int1D) -> Int1D:
    """Columns of the names in ``among``, highest score first, ties by symbol (C4)."""
    names = np.flatnonzero(among)
    return names[np.lexsort((symbol_rank[names], -score[names]))]
