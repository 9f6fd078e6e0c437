"""Cross-sectional transforms of one session's values. NaN means: the name does not have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D

FLAT = 1e-12
"""Relative spread below which all values count as equal: their z-scores are 0."""


def zscore(x: Float1D, ddof: int = 0) -> Float1D:
    """Standardise over the names that have a value.

    Parameters
    ----------
    x : (N,)

    Returns
    -------
    (N,)
        NaN stays NaN; all zeros when every value is equal.
    """
    has = np.isfinite(x)
    out = np.full(len(x), np.nan)
    values = x[has]
    if len(values) == 0:
        return out
    mean = values.mean()
    spread = values.std(ddof=ddof) if len(values) > ddof else 0.0
    if spread <= FLAT * max(1.0, float(np.abs(values).max())):
        out[has] = 0.0
    else:
        out[has] = (values - mean) / spread
    return out


def winsorise(x: Float1D, tail: float = 0.01) -> Float1D:
    """Clip to the ``tail`` and ``1 - tail`` quantiles (numpy ``linear``) of the values that are there."""
    has = np.isfinite(x)
    if not has.any():
        return x.copy()
    low, high = np.quantile(x[has], [tail, 1.0 - tail])
    return np.where(has, np.clip(x, low, high), np.nan)


def standard_score(x: Float1D, among: Bool1D, tail: float = 0.01, min_names: int = 20) -> Float1D:
    """Winsorised z-score of one source column (rulings 16).

    Parameters
    ----------
    x : (N,)
    among : (N,) bool
        Eligible names; the others are NaN in the result.
    min_names : int
        With fewer values the whole column is missing.

    Returns
    -------
    (N,)
    """
    column = np.where(among, x, np.nan)
    if np.count_nonzero(np.isfinite(column)) < min_names:
        return np.full(len(x), np.nan)
    return zscore(winsorise(column, tail))


def merge(first: Float1D, fallback: Float1D, min_names: int = 20) -> Float1D:
    """One slot from two standardised columns; the fallback is chosen name by name (rulings 17).

    A slot with fewer than ``min_names`` names is missing. The result is not standardised again.
    """
    slot = np.where(np.isfinite(first), first, fallback)
    if np.count_nonzero(np.isfinite(slot)) < min_names:
        return np.full(len(slot), np.nan)
    return slot


def leg(columns: Sequence[Float1D], among: Bool1D) -> Float1D:
    """Mean of what is there, re-standardised over the names that have it, then 0 for the rest (rulings 16).

    Parameters
    ----------
    columns : sequence of (N,)
        Standardised columns or slots.
    among : (N,) bool
        Eligible names.

    Returns
    -------
    (N,)
        0 for names without a value, eligible or not.
    """
    total, count = np.zeros(len(among)), np.zeros(len(among))
    for column in columns:
        has = np.isfinite(column) & among
        total += np.where(has, column, 0.0)
        count += has
    mean = np.full(len(among), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return np.nan_to_num(zscore(mean), nan=0.0)


def best_first(score: Float1D, among: Bool1D, symbol_rank: Int1D) -> Int1D:
    """Columns of the names in ``among``, highest score first, ties by symbol (C4)."""
    names = np.flatnonzero(among)
    return names[np.lexsort((symbol_rank[names], -score[names]))]
