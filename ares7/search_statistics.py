"""How much of a winner is luck: deflated Sharpe ratios, overfitting, tests against the baseline, intervals.

Figures are given for total and for active returns (minus the baseline's, session by session): in a market that
rises every long book has a high Sharpe ratio, and only the active one says whether choosing helped.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.bootstrap import intervals
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.overfit import deflation, minimum_track_record_length, moments
from ares7.pbo import pbo
from ares7.search_config import BootstrapConfig
from ares7.superiority import reality_check, resampled, romano_wolf, superior_predictive_ability
from ares7.trial_clusters import trial_counts
from ares7.trials import Family

FEWEST = 10
"""Points below which the rank of the best says nothing."""
_ROOT_YEAR = math.sqrt(SESSIONS_PER_YEAR)


def returns_of(nav: Float2D, risk_free: float = 0.0) -> Float2D:
    """(P, S - 1) returns of (P, S) curves, less 1/252 of an annual rate."""
    return nav[:, 1:] / nav[:, :-1] - (1.0 + risk_free / SESSIONS_PER_YEAR)


def luck(
    nav: Float2D,
    baseline_nav: Float1D,
    row: int,
    family: Family,
    *,
    bootstrap: BootstrapConfig,
    blocks: int = 16,
    risk_free: float = 0.0,
) -> dict[str, Any]:
    """Judge the chosen point against everything that was tried.

    Parameters
    ----------
    nav : (P, S) USD
        Curves of the distinct points.
    baseline_nav : (S,) USD
    row : int
        The chosen point.
    family : Family
        Every point ever evaluated on this market, this search's included.
    bootstrap : BootstrapConfig
    blocks : int
        Of the combinatorially symmetric cross-validation.
    risk_free : float
        Annual rate, subtracted from total returns.

    Returns
    -------
    dict
        ``trials`` with ``count distinct effective``; ``total`` and ``active``, each with ``sharpe psr dsr
        dsr_effective threshold threshold_effective min_track_record_sessions pbo``; ``intervals``;
        ``superiority`` with p-values against the baseline.
    """
    total = returns_of(nav, risk_free)
    active = returns_of(nav) - returns_of(baseline_nav[None])
    counts = trial_counts(family)
    found = {
        name: _deflated(returns, row, sharpes, counts, blocks)
        for name, returns, sharpes in (
            ("total", total, family.sharpes),
            ("active", active, family.active_sharpes),
        )
    }
    spans = intervals(total[row], bootstrap.level, bootstrap.draws, bootstrap.seed)
    return {
        "trials": counts,
        **found,
        "intervals": {"level": bootstrap.level, **{name: asdict(span) for name, span in spans.items()}},
        "superiority": _superiority(active, row, bootstrap),
    }


def _deflated(
    returns: Float2D, row: int, sharpes: Float1D, counts: dict[str, int], blocks: int
) -> dict[str, Any]:
    own = moments(returns[row])
    held = deflation(own, sharpes, counts)
    overfit = pbo(returns, blocks) if len(returns) >= FEWEST and _vary(returns) else None
    return {
        "sharpe": float(own.sharpe) * _ROOT_YEAR,
        **{name: held[name] for name in ("psr", "dsr", "dsr_effective")},
        **{name: held[name] * _ROOT_YEAR for name in ("threshold", "threshold_effective")},
        "sd_of_trial_sharpes": held["spread"] * _ROOT_YEAR,
        "min_track_record_sessions": float(minimum_track_record_length(own)),
        "pbo": None
        if overfit is None
        else {
            "value": overfit.value,
            "splits": overfit.n_splits,
            "slope": overfit.slope,
            "loss_probability": overfit.loss_probability,
            "logits": overfit.logits.tolist(),
        },
    }


def _vary(returns: Float2D) -> bool:
    """Whether some trial differs from the baseline at all."""
    return bool((np.ptp(returns, axis=1) > 0).any())


def _superiority(active: Float2D, row: int, bootstrap: BootstrapConfig) -> dict[str, Any] | None:
    if not (np.ptp(active, axis=1) > 0).all():
        return None
    draws, seed = bootstrap.draws, bootstrap.seed
    sample = resampled(active, draws, seed)
    white, hansen, adjusted = reality_check(sample), superior_predictive_ability(sample), romano_wolf(sample)
    return {
        "reality_check": white.p_value,
        "spa": {"consistent": hansen.consistent, "lower": hansen.lower, "upper": hansen.upper},
        "romano_wolf": float(adjusted.p_values[row]),
        "better_at_5_percent": int((adjusted.p_values < 0.05).sum()),
    }
