"""Small convex quadratic programmes, solved exactly by the primal active-set method."""

from __future__ import annotations

import numpy as np

from ares7.arrays import Bool1D, Float1D, Float2D
from ares7.errors import DataError

RIDGE = 1e-10
"""Share of its own diagonal added to each variable, so that of equally good answers the most even one is given."""
CONSTANT = 1e-8
"""A variable whose root diagonal is below this share of the largest one is scaled as if it were this share."""
STILL = 1e-13
"""A constraint that moves less than this share of a step is parallel to it."""
NOISE = 1e-14
"""Share of the largest force by which a multiplier may be negative."""


def minimise(
    matrix: Float2D, equal: Float1D, target: float, below: Float2D, limit: Float1D, start: Float1D
) -> Float1D:
    """Minimise x' M x subject to ``equal @ x == target`` and ``below @ x <= limit``.

    Parameters
    ----------
    matrix : (K, K) float64
        Symmetric, positive semidefinite, any scale.
    equal : (K,) float64
    target : float
    below : (p, K) float64
    limit : (p,) float64
    start : (K,) float64
        A point that satisfies every constraint, entries of order 1.

    Returns
    -------
    (K,) float64
        Deterministic: of several constraints that could enter or leave, the lowest row does (Bland's rule).

    Raises
    ------
    DataError
        No answer within the iterations that any real problem needs.

    Notes
    -----
    Source: Nocedal and Wright, Numerical Optimization, 2nd ed. 2006, algorithm 16.3.
    """
    deviation = np.sqrt(np.diag(matrix))
    scale = np.maximum(deviation, CONSTANT * deviation.max() if deviation.max() > 0 else 1.0)
    scale = scale / scale.min()
    unit = matrix / np.outer(scale, scale)
    unit = unit / (unit.max() if unit.max() > 0 else 1.0) + RIDGE * np.eye(len(matrix))
    equal, below = equal / scale, below / scale
    x, working = start * scale, np.zeros(len(below), dtype=bool)
    for _ in range(100 * (len(x) + len(below))):
        best, multipliers = _on(unit, equal, target, below, limit, working)
        step = best - x
        share, blocking = _blocked(below, limit, working, x, step)
        if blocking is not None:
            x = x + share * step
            working[blocking] = True
            continue
        x = best
        pulling = np.flatnonzero(working)[multipliers < -NOISE * float(np.max(np.abs(unit @ x)))]
        if len(pulling) == 0:
            return np.asarray(x / scale)
        working[pulling[0]] = False
    raise DataError(
        "sleeve weights: the quadratic programme found no answer; the returns of the sleeves differ too much in "
        "scale, leave out the sleeve that hardly moves"
    )


def _on(
    matrix: Float2D, equal: Float1D, target: float, below: Float2D, limit: Float1D, working: Bool1D
) -> tuple[Float1D, Float1D]:
    """Minimiser with the working constraints as equalities, and their multipliers."""
    rows = np.vstack([equal[None, :], below[working]])
    size = len(matrix)
    system = np.block([[matrix, rows.T], [rows, np.zeros((len(rows), len(rows)))]])
    goal = np.concatenate([np.zeros(size), [target], limit[working]])
    solution = np.linalg.solve(system, goal)
    solution = solution + np.linalg.solve(system, goal - system @ solution)  # one refinement
    return solution[:size], solution[size + 1 :]


def _blocked(
    below: Float2D, limit: Float1D, working: Bool1D, x: Float1D, step: Float1D
) -> tuple[float, int | None]:
    """Share of the step that stays feasible, and the lowest constraint that stops it."""
    rate = below @ step
    slack = np.maximum(limit - below @ x, 0.0)
    approached = ~working & (rate > STILL * float(np.max(np.abs(step))))
    shares = np.full(len(limit), np.inf)
    np.divide(slack, rate, out=shares, where=approached)
    first = int(np.argmin(shares)) if len(shares) else 0
    if len(shares) and shares[first] < 1.0:
        return float(shares[first]), first
    return 1.0, None
