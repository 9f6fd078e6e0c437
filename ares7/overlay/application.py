"""From a blend of tilts to weights: lambda, cap, neutrality, long-only, gross (rulings 21)."""

from __future__ import annotations

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D
from ares7.overlay.params import Normalize

SLACK = 1e-12
"""How far above the cap a neutral tilt may stay."""
ROUNDS = 20_000


def demeaned(tilt: Float2D, among: Bool2D) -> Float2D:
    """Subtract each row's mean over ``among``; 0 elsewhere."""
    count = among.sum(axis=1, keepdims=True)
    inside = np.where(among, tilt, 0.0)
    return np.where(among, inside - inside.sum(axis=1, keepdims=True) / np.maximum(count, 1), 0.0)


def neutral_capped(tilt: Float2D, among: Bool2D, cap: float) -> Float2D:
    """Clip to the cap and subtract the mean, again and again until both hold.

    Parameters
    ----------
    tilt : (R, N)
    among : (R, N) bool
        Names whose tilts sum to 0; the others get 0.
    cap : float
        Largest |tilt|.

    Returns
    -------
    (R, N)
        |tilt| <= cap + 1e-12. A row does not depend on the other rows.
    """
    out = np.where(among, tilt, 0.0)
    todo = np.arange(len(out))
    for _ in range(ROUNDS):
        if len(todo) == 0:
            return out
        out[todo] = demeaned(np.clip(out[todo], -cap, cap), among[todo])
        todo = todo[np.abs(out[todo]).max(axis=1, initial=0.0) > cap + SLACK]
    # Nearly every name at one side: rounds get slow, shrinking ends them and keeps the sum at 0.
    out[todo] *= cap / np.abs(out[todo]).max(axis=1, initial=cap, keepdims=True)
    return out


def applied(
    base: Float2D,
    tilt: Float2D,
    *,
    lam: float,
    cap: float,
    normalize: Normalize = "base_gross",
) -> tuple[Float2D, Float2D]:
    """Tilt base weights.

    The tilt is restricted to names with a base weight, times lambda, capped and made neutral, times the block's
    gross, added; negative weights become 0; what that adds is taken back by rescaling.

    Parameters
    ----------
    base : (R, N) >= 0
        Weights of the stock block, fractions of NAV.
    tilt : (R, N) fraction of the stock block
        Blend of the engines.
    lam, cap : float
    normalize : str
        ``base_gross``: rows sum to what ``base`` sums to; ``one``: to 1; ``none``: as they come.

    Returns
    -------
    weights, tilt : (R, N)
        Final weights, and the tilt that was applied, a fraction of the stock block.
    """
    held = base > 0
    final_tilt = neutral_capped(lam * tilt, held, cap)
    gross = base.sum(axis=1, keepdims=True)
    weights = np.maximum(base + final_tilt * gross, 0.0)
    if normalize != "none":
        wanted = gross if normalize == "base_gross" else np.where(gross > 0, 1.0, 0.0)
        weights = weights * _ratio(wanted, weights.sum(axis=1, keepdims=True))
    return weights, final_tilt


def _ratio(wanted: Float2D, total: Float2D) -> Float2D:
    return np.divide(wanted, total, out=np.zeros(total.shape), where=total > 0)


def scaled_to(tilt: Float2D, budget: float, *, at_most: bool) -> Float2D:
    """Scale each row so that its |tilt| sum to ``budget``, or only down to it.

    A row of zeros stays one.
    """
    total: Float1D = np.abs(tilt).sum(axis=1, keepdims=True)
    if at_most:
        return np.asarray(tilt * np.minimum(1.0, _ratio(np.full(total.shape, budget), total)))
    return np.asarray(tilt * _ratio(np.full(total.shape, budget), total))
