"""Conditional value at risk, and the long-only weights that minimise it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.errors import ConfigError, DataError
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.sleeve_mix import Allocation, SleeveReturns, filled, sleeve_returns

THIN_TAIL = 10
"""Sessions in the tail below which the answer says how few they are."""


def conditional_value_at_risk(returns: Float1D, alpha: float = 0.95) -> float:
    """Mean loss of the worst (1 - alpha) share of sessions, a loss being positive.

    The session on the edge of the tail counts with the fraction that belongs to it.

    Parameters
    ----------
    returns : (R,) fractions, one a session
    alpha : float, in (0, 1)

    Returns
    -------
    float
        Fraction of NAV a session.

    Raises
    ------
    ConfigError
        ``alpha`` leaves less than one session in the tail.

    Notes
    -----
    Source: Rockafellar and Uryasev, Journal of Banking and Finance 26(7), 2002, proposition 8.
    """
    tail = _tail_sessions(len(returns), alpha)
    losses = np.sort(-returns)[::-1]
    whole = min(int(tail), len(losses))
    edge = float(losses[whole]) * (tail - whole) if whole < len(losses) else 0.0
    return (float(losses[:whole].sum()) + edge) / tail


def min_cvar(
    returns: Float2D,
    *,
    alpha: float = 0.95,
    caps: float | Sequence[float] | Float1D | None = None,
    total: float = 1.0,
    cash: bool = False,
    return_floor: float | None = None,
    sleeves: Sequence[str] | None = None,
) -> Allocation:
    """Long-only weights with the lowest conditional value at risk.

    Parameters
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    alpha : float, in (0, 1)
        The worst 1 - alpha of the sessions are the tail.
    caps, total, sleeves
        See `ares7.sleeve_mix.sleeve_returns`.
    cash : bool
        Weights may add up to less than ``total``. Without a ``return_floor`` the answer is then usually cash.
    return_floor : float, optional
        Lowest mean return of the mix, arithmetic, a year of 252 sessions.

    Returns
    -------
    Allocation
        Its objective is the CVaR a session.

    Raises
    ------
    ConfigError
        Bad caps, total or alpha; a floor that no mix reaches; scipy is not installed.
    DataError
        Returns that are not finite, or so large that the programme cannot be solved.

    Notes
    -----
    Source: Rockafellar and Uryasev, Optimization of conditional value-at-risk, Journal of Risk 2(3), 2000:
    minimise z + sum(u) / ((1 - alpha) R) over w, z and u >= 0 with u_i >= -r_i w - z. Solved by HiGHS. Of
    equally good mixes, for example of two equal sleeves, the solver's vertex is returned.
    """
    mix = sleeve_returns(returns, caps=caps, total=total, sleeves=sleeves)
    tail = _tail_sessions(len(mix.returns), alpha)
    _check_floor(mix, cash, return_floor)
    weights = None if cash else mix.only_mix()
    if weights is None:
        weights = _solved(mix, tail, cash, return_floor)
    note = f"the tail holds {tail:.3g} sessions only" if tail < THIN_TAIL else ""
    return Allocation(weights, conditional_value_at_risk(mix.returns @ weights, alpha), note)


def _tail_sessions(rows: int, alpha: float) -> float:
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha of the CVaR is {alpha:g}; it must lie between 0 and 1, for example 0.95")
    tail = (1.0 - alpha) * rows
    if tail < 1.0 - 1e-9:
        raise ConfigError(
            f"alpha {alpha:g} leaves {tail:.2g} of {rows} sessions in the tail; lower alpha or give at least "
            f"{int(np.ceil(1 / (1 - alpha) - 1e-9))} sessions"
        )
    return tail


def _check_floor(mix: SleeveReturns, cash: bool, return_floor: float | None) -> None:
    if return_floor is None:
        return
    mean = mix.returns.mean(axis=0)
    best = filled(mean, np.where(mean > 0, mix.caps, 0.0) if cash else mix.caps, mix.total)
    reachable = float(mean @ best) * SESSIONS_PER_YEAR
    if not return_floor <= reachable:
        raise ConfigError(
            f"return_floor {return_floor:g} a year is above {reachable:.6g}, the highest mean of any mix of "
            f"{', '.join(mix.names)} under the caps; lower the floor or raise the caps"
        )


def _solved(mix: SleeveReturns, tail: float, cash: bool, return_floor: float | None) -> Float1D:
    """Columns are w (K), z, u (R); returns are scaled to order 1 for the solver's tolerances."""
    optimize, sparse = _scipy()
    rows, count = mix.returns.shape
    scale = float(np.max(np.abs(mix.returns))) or 1.0
    scaled = mix.returns / scale
    cost = np.concatenate([np.zeros(count), [1.0], np.full(rows, 1.0 / tail)])
    shortfall = sparse.hstack([-scaled, -np.ones((rows, 1)), -sparse.identity(rows)])
    spent = np.concatenate([np.ones(count), np.zeros(rows + 1)])
    above, limit = [shortfall], [np.zeros(rows)]
    if return_floor is not None:
        mean = np.concatenate([-scaled.mean(axis=0), np.zeros(rows + 1)])
        above.append(sparse.csr_array(mean[None, :]))
        limit.append(np.array([-return_floor / SESSIONS_PER_YEAR / scale]))
    if cash:
        above.append(sparse.csr_array(spent[None, :]))
        limit.append(np.array([mix.total]))
    done = optimize.linprog(
        cost,
        A_ub=sparse.vstack(above, format="csr"),
        b_ub=np.concatenate(limit),
        A_eq=None if cash else spent[None, :],
        b_eq=None if cash else [mix.total],
        bounds=[*((0.0, float(cap)) for cap in mix.caps), (None, None), *[(0.0, None)] * rows],
        method="highs",
    )
    if done.status != 0:
        raise DataError(
            f"minimum-CVaR weights of {', '.join(mix.names)} over {rows} sessions: {done.message}; look for "
            "absurd returns"
        )
    return mix.tidy(np.asarray(done.x[:count], dtype=np.float64))


def _scipy() -> tuple[Any, Any]:
    try:
        from scipy import optimize, sparse
    except ImportError:
        raise ConfigError(
            'minimum-CVaR weights need scipy, which is not installed; pip install -e ".[search]", or choose '
            "another method"
        ) from None
    return optimize, sparse
