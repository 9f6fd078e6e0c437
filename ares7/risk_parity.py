"""Weights at which every sleeve contributes the same share of the variance."""

from __future__ import annotations

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.errors import DataError

NEWTON_STEPS = 200
HALVINGS = 200
TIGHT = 1e-13
"""Share of the terms of a contribution by which it may be off: sleeves that nearly hedge have large terms."""

SPENT = 1e-9
"""Share of the total by which weights may miss it."""
UNSETTLED = (
    "risk parity did not settle: some sleeves hedge each other almost without risk; leave one of them out"
)


def equal_contributions(covariance: Float2D, caps: Float1D, total: float) -> Float1D:
    """Long-only weights with equal risk contributions, each at most its cap.

    For any level c > 0 the minimiser of x' S x / 2 - c * sum(log x) has x_i (S x)_i = c for every sleeve below
    its cap, and at most c for a sleeve at its cap. The level at which the weights add up to ``total`` is found
    by bisection. Without a binding cap the level only scales the answer, and one minimisation is enough.

    Parameters
    ----------
    covariance : (K, K) float64
        Every variance positive, and no long-only mix without risk.
    caps : (K,) fractions of NAV
        Positive; they add up to more than ``total``, or to ``total``.
    total : float

    Returns
    -------
    (K,) fractions of NAV

    Raises
    ------
    DataError
        The minimisation does not settle.

    Notes
    -----
    Sources: Maillard, Roncalli and Teiletche, Journal of Portfolio Management 36(4), 2010; Griveau-Billion,
    Richard and Roncalli, A Fast Algorithm for Computing High-dimensional Risk Parity Portfolios, 2013 (the
    convex form); Richard and Roncalli, Constrained Risk Budgeting Portfolios, 2019 (the caps). Minimised by
    Newton's method within the box, on correlations, so that the scales of the sleeves do not matter.
    """
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    free = _at_level(correlation, np.full(len(scale), np.inf), 1.0, np.ones(len(scale)))
    factor = total / float(np.sum(free / scale))
    weights = free / scale * factor
    if np.all(weights <= caps):
        return np.asarray(weights)
    limits = caps * scale
    low = high = factor**2
    start = np.minimum(free * factor, limits)
    while _spent(low, correlation, limits, start, scale) > total:
        low /= 4.0
    while _spent(high, correlation, limits, start, scale) < total:
        high *= 4.0
    for _ in range(HALVINGS):
        level = float(np.sqrt(low * high))
        start = _at_level(correlation, limits, level, start)
        low, high = (level, high) if np.sum(start / scale) < total else (low, level)
        if high <= low * (1.0 + 4e-16):
            break
    weights = start / scale
    weights = np.minimum(weights * (total / float(weights.sum())), caps)
    if abs(float(weights.sum()) - total) > SPENT * total:
        raise DataError(UNSETTLED)
    return np.asarray(weights)


def risk_shares(covariance: Float2D, weights: Float1D) -> Float1D:
    """Share of the variance that each sleeve contributes, w_i (S w)_i / w' S w.

    Parameters
    ----------
    covariance : (K, K) float64
    weights : (K,) fractions of NAV

    Returns
    -------
    (K,) float64
        They add up to 1; NaN where the mix has no variance.
    """
    contributions = weights * (covariance @ weights)
    variance = float(contributions.sum())
    return np.asarray(contributions / variance if variance > 0 else np.full(len(weights), np.nan))


def _spent(level: float, correlation: Float2D, limits: Float1D, start: Float1D, scale: Float1D) -> float:
    return float(np.sum(_at_level(correlation, limits, level, start) / scale))


def _at_level(correlation: Float2D, limits: Float1D, level: float, start: Float1D) -> Float1D:
    """Minimiser of x' C x / 2 - level * sum(log x) over 0 < x <= limits: projected Newton steps."""

    def value(x: Float1D) -> float:
        return 0.5 * float(x @ correlation @ x) - level * float(np.sum(np.log(x)))

    x, size = start.copy(), np.abs(correlation)
    for _ in range(NEWTON_STEPS):
        slope = correlation @ x - level / x
        moving = (x < limits) | (slope > 0)
        rounding = TIGHT * (level + x * (size @ x))
        if np.all(np.abs(slope * x)[moving] <= rounding[moving]):
            return x
        curve = correlation[np.ix_(moving, moving)] + np.diag(level / x[moving] ** 2)
        step = np.zeros(len(x))
        step[moving] = np.linalg.solve(curve, -slope[moving])
        wanted, share = 1e-4 * float(slope @ step), 1.0  # Armijo's rule; the slope along the step is negative
        trial = np.minimum(x + step, limits)
        while np.any(trial <= 0) or value(trial) > value(x) + share * wanted + float(rounding.sum()):
            share /= 2.0
            trial = np.minimum(x + share * step, limits)
        x = trial
    raise DataError(UNSETTLED)
