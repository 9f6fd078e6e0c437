"""Long-only weights of sleeves from their past returns, over all sessions or regime by regime.

In-sample optima: choose them on train rows only and judge them on rows that they have not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ares7.arrays import Float1D, Float2D, Label1D
from ares7.cvar import min_cvar
from ares7.errors import ConfigError, DataError
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD, sharpe, volatility
from ares7.quadratic import minimise
from ares7.risk_parity import equal_contributions
from ares7.signals.regime import UNKNOWN, Regime
from ares7.sleeve_mix import Allocation, SleeveReturns, filled, sleeve_returns

Method = Literal["cvar", "max_sharpe", "min_variance", "risk_parity"]
Caps = float | Sequence[float] | Float1D | None
RISKLESS = 1e-9
"""Variance of a mix, relative to that of its parts, below which it counts as riskless."""


def min_variance(
    returns: Float2D, *, caps: Caps = None, total: float = 1.0, sleeves: Sequence[str] | None = None
) -> Allocation:
    """Long-only weights with the lowest sample variance (ddof 1).

    Parameters
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    caps, total, sleeves
        See `ares7.sleeve_mix.sleeve_returns`.

    Returns
    -------
    Allocation
        Its objective is the annual volatility. Of equally good mixes, the most even one.

    Raises
    ------
    ConfigError, DataError
        See `ares7.sleeve_mix.sleeve_returns`.
    """
    mix = sleeve_returns(returns, caps=caps, total=total, sleeves=sleeves)
    weights = _lowest_variance(mix, _covariance(mix.returns))
    return Allocation(weights, volatility(mix.returns @ weights))


def max_sharpe(
    returns: Float2D,
    *,
    caps: Caps = None,
    total: float = 1.0,
    risk_free: float = 0.0,
    sleeves: Sequence[str] | None = None,
) -> Allocation:
    """Long-only weights with the highest sample Sharpe ratio.

    Parameters
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    caps, total, sleeves
        See `ares7.sleeve_mix.sleeve_returns`.
    risk_free : float
        Annual rate; 1/252 of it is subtracted from each return.

    Returns
    -------
    Allocation
        Its objective is the annual Sharpe ratio. Weights of 0, so cash, and a note where no mix has a positive
        mean excess return; the ratio is NaN, and a note says so, where a mix without risk has one.

    Raises
    ------
    ConfigError, DataError
        See `ares7.sleeve_mix.sleeve_returns`.

    Notes
    -----
    Source: Cornuejols and Tutuncu, Optimization Methods in Finance, 2007, section 8.2: minimise y' S y with
    mean' y = 1; the weights are y scaled to ``total``, and a cap c on one of them is y_i <= c * sum(y) / total.
    """
    mix = sleeve_returns(returns, caps=caps, total=total, sleeves=sleeves)
    mean = mix.returns.mean(axis=0) - risk_free / SESSIONS_PER_YEAR
    mean[np.abs(mean) <= ZERO_SD] = 0.0  # rounding, which a sleeve that does not vary would turn into a ratio
    best = mix.highest_mean(mean)
    reward = float(mean @ best)
    if reward <= ZERO_SD:
        note = f"no mix has a positive mean excess return over these {len(mix.returns)} sessions: all cash"
        return Allocation(np.zeros(len(mean)), math.nan, note)
    weights = mix.only_mix()
    if weights is None:
        start = best / total
        capped = mix.caps < total
        below = np.vstack([-np.eye(len(mean)), (np.eye(len(mean)) - mix.caps[:, None] / total)[capped]])
        scaled = minimise(
            _covariance(mix.returns), mean * (total / reward), 1.0, below, np.zeros(len(below)), start
        )
        weights = mix.tidy(scaled * (total / float(scaled.sum())))
    ratio = sharpe(mix.returns @ weights, risk_free)
    note = (
        ""
        if math.isfinite(ratio)
        else "a mix without risk has a positive mean: its Sharpe ratio is unbounded"
    )
    return Allocation(weights, ratio, note)


def risk_parity(
    returns: Float2D, *, caps: Caps = None, total: float = 1.0, sleeves: Sequence[str] | None = None
) -> Allocation:
    """Long-only weights at which each sleeve contributes the same share of the variance.

    A sleeve at its cap contributes less, and the others the same as each other. A sleeve that does not vary
    has no risk to contribute: it gets what the caps of the others leave, mostly 0, and a note names it.

    Parameters
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    caps, total, sleeves
        See `ares7.sleeve_mix.sleeve_returns`.

    Returns
    -------
    Allocation
        Its objective is the annual volatility.

    Raises
    ------
    ConfigError, DataError
        See `ares7.sleeve_mix.sleeve_returns`.
    """
    mix = sleeve_returns(returns, caps=caps, total=total, sleeves=sleeves)
    covariance = _covariance(mix.returns)
    moving = np.diag(covariance) > 0
    idle = [name for name, moves in zip(mix.names, moving, strict=True) if not moves]
    notes = [f"{', '.join(idle)}: no variance, so no share of the risk"] if idle else []
    weights = mix.only_mix()
    if weights is None:
        weights = np.zeros(len(moving))
        held = moving & (mix.caps > 0)
        budget = min(total, float(mix.caps[held].sum()))
        inner = SleeveReturns(mix.returns[:, held], np.minimum(mix.caps[held], budget), budget, ())
        if held.any():
            weights[held], hedged = _balanced(inner, covariance[np.ix_(held, held)])
            notes += (
                ["these sleeves hedge each other without risk: lowest variance instead"] if hedged else []
            )
        weights += _even(np.where(moving, 0.0, mix.caps), max(total - float(weights.sum()), 0.0))
    return Allocation(weights, volatility(mix.returns @ weights), "; ".join(notes))


def allocate(
    method: Method,
    returns: Float2D,
    *,
    caps: Caps = None,
    total: float = 1.0,
    alpha: float = 0.95,
    risk_free: float = 0.0,
    sleeves: Sequence[str] | None = None,
) -> Allocation:
    """Weights of K sleeves by one of the four methods.

    Parameters
    ----------
    method : {'cvar', 'max_sharpe', 'min_variance', 'risk_parity'}
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    caps, total, sleeves
        See `ares7.sleeve_mix.sleeve_returns`.
    alpha : float
        Of ``cvar`` only.
    risk_free : float
        Annual rate, of ``max_sharpe`` only.

    Returns
    -------
    Allocation

    Raises
    ------
    ConfigError
        Unknown method, infeasible caps, alpha out of range, scipy missing where ``cvar`` needs it.
    DataError
        Returns of the wrong shape or not finite.
    """
    if method == "cvar":
        return min_cvar(returns, alpha=alpha, caps=caps, total=total, sleeves=sleeves)
    if method == "max_sharpe":
        return max_sharpe(returns, caps=caps, total=total, risk_free=risk_free, sleeves=sleeves)
    if method == "min_variance":
        return min_variance(returns, caps=caps, total=total, sleeves=sleeves)
    if method == "risk_parity":
        return risk_parity(returns, caps=caps, total=total, sleeves=sleeves)
    raise ConfigError(f"unknown method {method}; choose cvar, max_sharpe, min_variance or risk_parity")


def by_regime(
    returns: Float2D,
    labels: Label1D,
    method: Method,
    *,
    min_sessions: int = 60,
    default: Mapping[str, Sequence[float] | Float1D] | None = None,
    caps: Caps = None,
    total: float = 1.0,
    alpha: float = 0.95,
    risk_free: float = 0.0,
    sleeves: Sequence[str] | None = None,
) -> dict[str, Allocation]:
    """Weights of K sleeves for each regime, from the sessions that followed a close in it.

    Parameters
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1.
    labels : (R,) int8
        Held regime label at close i, so known before the return: ``held[:-1]`` of the R + 1 closes. Rows whose
        label is unknown belong to no regime.
    method, caps, total, alpha, risk_free, sleeves
        See `allocate`.
    min_sessions : int
        Fewest sessions from which a regime's weights are computed.
    default : mapping of regime name to (K,) fractions of NAV, optional
        Mix that a regime with fewer sessions keeps, with a note.

    Returns
    -------
    dict of str to Allocation
        ``NEUTRAL``, ``BULL``, ``BEAR`` and ``HIGH_VOL``.

    Raises
    ------
    ConfigError
        A regime has too few sessions and no default; see also `allocate`.
    DataError
        Labels of another length or without a meaning; see also `allocate`.
    """
    mix = sleeve_returns(returns, caps=caps, total=total, sleeves=sleeves)
    _check_labels(labels, len(mix.returns))
    answers = {}
    for regime in Regime:
        rows = labels == regime
        count = int(np.count_nonzero(rows))
        if count >= max(min_sessions, 2):
            answers[regime.name] = allocate(
                method,
                mix.returns[rows],
                caps=caps,
                total=total,
                alpha=alpha,
                risk_free=risk_free,
                sleeves=sleeves,
            )
        else:
            answers[regime.name] = _default_mix(regime.name, default, mix, count, min_sessions)
    return answers


def _check_labels(labels: Label1D, rows: int) -> None:
    if np.shape(labels) != (rows,):
        raise DataError(
            f"regime labels have shape {np.shape(labels)} for {rows} returns; give the label of the close before "
            "each return"
        )
    strange = np.flatnonzero(~np.isin(labels, [UNKNOWN, *Regime]))
    if len(strange):
        row = int(strange[0])
        raise DataError(f"regime label row {row} is {labels[row]}; labels are {UNKNOWN} to {max(Regime)}")


def _default_mix(
    regime: str,
    default: Mapping[str, Sequence[float] | Float1D] | None,
    mix: SleeveReturns,
    count: int,
    needed: int,
) -> Allocation:
    few = f"{regime} has {count} sessions, fewer than {needed}"
    if default is None or regime not in default:
        raise ConfigError(f"{few}: no weights can be chosen; lengthen the data or give its default mix")
    weights = np.array(default[regime], dtype=np.float64)
    if weights.shape != (len(mix.names),) or not (np.all(weights >= 0) and weights.sum() <= 1 + 1e-9):
        raise ConfigError(
            f"default mix of {regime} is {weights.tolist()}; give {len(mix.names)} weights, none negative, that "
            "add up to at most 1"
        )
    return Allocation(weights, math.nan, f"{few}: keeps the default mix")


def _covariance(returns: Float2D) -> Float2D:
    """(K, K) sample covariance (ddof 1); exactly 0 for a sleeve that varies by rounding only."""
    centred = returns - returns.mean(axis=0)
    centred[:, returns.std(axis=0, ddof=1) <= ZERO_SD] = 0.0
    return np.asarray(centred.T @ centred / (len(returns) - 1))


def _lowest_variance(mix: SleeveReturns, covariance: Float2D) -> Float1D:
    forced = mix.only_mix()
    if forced is not None:
        return forced
    count, capped = len(mix.caps), mix.caps < mix.total
    below = np.vstack([-np.eye(count), np.eye(count)[capped]])
    limit = np.concatenate([np.zeros(count), mix.caps[capped]])
    start = filled(np.zeros(count), mix.caps, mix.total)
    return mix.tidy(minimise(covariance, np.ones(count), mix.total, below, limit, start))


def _balanced(mix: SleeveReturns, covariance: Float2D) -> tuple[Float1D, bool]:
    """Equal contributions; the lowest variance instead, and True, where some long-only mix has no risk."""
    forced = mix.only_mix()
    if forced is not None:
        return forced, False
    scale = np.sqrt(np.diag(covariance))
    count = len(scale)
    correlation = covariance / np.outer(scale, scale)
    safest = minimise(correlation, np.ones(count), 1.0, -np.eye(count), np.zeros(count), np.eye(count)[0])
    if float(safest @ correlation @ safest) <= RISKLESS:
        return _lowest_variance(mix, covariance), True
    return equal_contributions(covariance, mix.caps, mix.total), False


def _even(caps: Float1D, total: float) -> Float1D:
    """Spread ``total`` evenly over sleeves, up to their caps; those with a cap of 0 get nothing."""
    weights = np.zeros(len(caps))
    left = total
    for already, sleeve in enumerate(np.argsort(np.where(caps > 0, caps, np.inf), kind="stable")):
        if caps[sleeve] > 0:
            sharing = int(np.count_nonzero(caps > 0)) - already
            weights[sleeve] = min(float(caps[sleeve]), left / sharing)
            left -= weights[sleeve]
    return weights
