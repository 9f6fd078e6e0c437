"""Stationary bootstrap: block length, resampled sessions, intervals of the headline figures.

Returns are fractions, one a session. Everything random takes a seed, and the same seed gives the same result.
Sources:

- [PR94] Politis and Romano, "The Stationary Bootstrap", J. American Statistical Association 89(428), 1994.
- [PW04] Politis and White, "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric Reviews
  23(1), 2004, with the correction [PPW09] of Patton, Politis and White, Econometric Reviews 28(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ares7 import metrics
from ares7.arrays import Float1D, Float2D, Int2D
from ares7.errors import ConfigError, DataError
from ares7.overfit import checked_family

DRAWS = 1000
MIN_SESSIONS = 20
"""Fewer returns than this say nothing about their own dependence."""
_DRAWS_AT_ONCE = 64


def _quiet_lag(correlation: Float1D, run: int, band: float) -> int | None:
    """First lag of the first ``run`` consecutive autocorrelations inside the band; None without such a run."""
    inside = np.abs(correlation) < band
    runs = np.lib.stride_tricks.sliding_window_view(inside, run).all(axis=1)
    return int(np.argmax(runs)) if runs.any() else None


def optimal_block_length(returns: Float1D) -> float:
    """Expected block length for the stationary bootstrap of the mean, [PW04] with [PPW09].

    (2 g^2 / d * R)^(1/3), g = sum h(k / M) |k| c_k, d = 2 (sum h(k / M) c_k)^2, with autocovariances c_k, the flat-top
    window h(x) = min(1, 2 (1 - |x|)), and M twice the first lag of max(5, log10 R) consecutive autocorrelations
    within +-2 sqrt(log10(R) / R), as in Patton's program (the paper's M is 2 less).

    Parameters
    ----------
    returns : (R,) fractions, one a session
        At least `MIN_SESSIONS`.

    Returns
    -------
    float
        Sessions, from 1 to min(3 sqrt(R), R / 3); 1 where the returns do not vary.

    Raises
    ------
    DataError
        Too few returns, or one that is not finite.
    """
    series = checked_family(np.atleast_2d(returns), sessions=MIN_SESSIONS)[0]
    count = len(series)
    deviation = series - series.mean()
    if np.std(series) <= metrics.ZERO_SD:
        return 1.0
    run = max(5, int(math.log10(count)))
    # Half of very short series must be left to correlate with.
    longest = min(math.ceil(math.sqrt(count)) + run, count - 2)
    lags = np.arange(longest + 1)
    covariance = np.array([deviation[k:] @ deviation[: count - k] for k in lags])
    head = np.cumsum(deviation**2)
    # Normalised over the rows that overlap at the lag, not by the whole variance: as in Patton's program and arch.
    norm = np.sqrt(head[count - 2 - lags] * (head[-1] - head[lags]))
    correlation = np.divide(covariance, norm, out=np.zeros(len(lags)), where=norm > 0)
    quiet = _quiet_lag(correlation[:longest], run, 2.0 * math.sqrt(math.log10(count) / count))
    bandwidth = longest if quiet is None else min(2 * quiet, longest)
    k = lags[1 : bandwidth + 1]
    window = np.minimum(1.0, 2.0 * (1.0 - k / bandwidth)) * covariance[k] / count
    g = 2.0 * float(window @ k)
    long_run = float(covariance[0]) / count + 2.0 * float(window.sum())
    ceiling = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    if long_run == 0.0:
        return float(ceiling)
    return float(min(max((g * g / long_run**2 * count) ** (1.0 / 3.0), 1.0), ceiling))


def stationary_indices(rng: np.random.Generator, n: int, block: float, draws: int) -> Int2D:
    """Resampled sessions of the stationary bootstrap, [PR94].

    Blocks begin anywhere, have geometric lengths of mean ``block`` and run on from the last session to the first.

    Parameters
    ----------
    rng : numpy Generator
        Each draw takes n integers and n uniforms from it, so that draws may be asked for in parts.
    n : int
        Sessions, R.
    block : float
        At least 1; 1 is the bootstrap of independent returns.
    draws : int

    Returns
    -------
    (draws, n) int64
        Rows of the returns.

    Raises
    ------
    ConfigError
        ``block`` below 1 or beyond n, or no draws.
    """
    if not 1 <= block <= n:
        raise ConfigError(
            f"block length {block:g} for {n} sessions; give 1 to {n}, or none for the automatic one"
        )
    if draws < 1:
        raise ConfigError(f"{draws} bootstrap draws; give at least 1; {DRAWS} is usual")
    start = np.empty((draws, n), dtype=np.int64)
    jumps = np.empty((draws, n), dtype=bool)
    for draw in range(draws):
        start[draw] = rng.integers(0, n, size=n)
        jumps[draw] = rng.random(n) <= 1.0 / block
    jumps[:, 0] = True
    place = np.arange(n)
    begin = np.maximum.accumulate(np.where(jumps, place, 0), axis=1)
    return (np.take_along_axis(start, begin, axis=1) + (place - begin)) % n


def _parts(seed: int, n: int, block: float, draws: int) -> Iterator[Int2D]:
    """`stationary_indices` of ``draws`` draws in parts of bounded memory."""
    rng = np.random.default_rng(seed)
    # At least one part, so that a count of draws below 1 is refused.
    for first in range(0, max(draws, 1), _DRAWS_AT_ONCE):
        yield stationary_indices(rng, n, block, min(_DRAWS_AT_ONCE, draws - first))


def resampled_means(family: Float2D, block: float, draws: int, seed: int) -> Float2D:
    """(draws, P) mean returns per session of (P, R) trials, all over the same resampled sessions.

    A draw is how often each session occurs in it, so the means are one product of (draws, R) counts and returns.

    Raises
    ------
    ConfigError
        As `stationary_indices`.
    """
    count = family.shape[1]
    parts = []
    for rows in _parts(seed, count, block, draws):
        times = np.empty((len(rows), count))
        for draw, sessions in enumerate(rows):
            times[draw] = np.bincount(sessions, minlength=count)
        parts.append(times @ family.T / count)
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its bootstrap percentile interval.

    Attributes
    ----------
    estimate : float
        Of the returns themselves, by `ares7.metrics`.
    low, high : float
        NaN where the figure is not defined for some draw.
    """

    estimate: float
    low: float
    high: float


def _figures(returns: Float1D) -> tuple[float, float, float]:
    nav = np.append(1.0, np.cumprod(1.0 + returns))
    return metrics.sharpe(returns), metrics.max_drawdown(nav), metrics.cagr(nav)


def intervals(
    returns: Float1D,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
    block: float | None = None,
) -> dict[str, Interval]:
    """Percentile intervals of Sharpe ratio, maximum drawdown and CAGR by the stationary bootstrap, [PR94].

    The drawdown of a resampled path keeps dependence within blocks only; longer slumps are broken up.

    Parameters
    ----------
    returns : (R,) fractions, one a session
        At least `MIN_SESSIONS`.
    level : float
        In (0, 1).
    draws, seed : int
    block : float, optional
        Expected block length in sessions; `optimal_block_length` where not given.

    Returns
    -------
    dict
        ``sharpe`` (annual), ``max_drawdown`` (positive fraction) and ``cagr`` (annual fraction).

    Raises
    ------
    ConfigError
        ``level`` outside (0, 1), no draws, or a block length out of range.
    DataError
        Too few returns, or one that is not finite.
    """
    if not 0 < level < 1:
        raise ConfigError(f"interval level {level:g} lies outside (0, 1); 0.95 is usual")
    series = checked_family(np.atleast_2d(returns), sessions=MIN_SESSIONS)
    if len(series) != 1:
        raise DataError(f"{len(series)} series for one set of intervals; give one")
    length = optimal_block_length(series[0]) if block is None else block
    drawn = [
        _figures(series[0][sessions])
        for part in _parts(seed, series.shape[1], length, draws)
        for sessions in part
    ]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(np.array(drawn), [tail, 1.0 - tail], axis=0)
    names = ("sharpe", "max_drawdown", "cagr")
    estimates = _figures(series[0])
    return {
        name: Interval(estimate, float(a), float(b))
        for name, estimate, a, b in zip(names, estimates, low, high, strict=True)
    }
