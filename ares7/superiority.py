"""Is any trial of a family better than the baseline? Reality check, SPA and step-down adjusted p-values.

Active returns are trial minus baseline, (P, R) fractions, one a session. The null: no trial has a positive
expected active return. Sessions are resampled by the stationary bootstrap, all trials together. A p-value is
(1 + draws at or above the statistic) / (1 + draws), so that it is never 0. Sources:

- [W00] White, "A Reality Check for Data Snooping", Econometrica 68(5), 2000.
- [H05] Hansen, "A Test for Superior Predictive Ability", J. Business and Economic Statistics 23(4), 2005.
- [RW05] Romano and Wolf, "Stepwise Multiple Testing as Formalized Data Snooping", Econometrica 73(4), 2005;
  adjusted p-values: "Efficient computation of adjusted p-values", Statistics and Probability Letters 113, 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Float1D, Float2D
from ares7.bootstrap import DRAWS, MIN_SESSIONS, optimal_block_length, resampled_means
from ares7.errors import ConfigError, DataError
from ares7.metrics import ZERO_SD
from ares7.overfit import checked_family

_CHUNK = 1 << 20
_BLOCK_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Resampled:
    """Means of (P, R) active returns, their standard errors, and resampled means.

    Attributes
    ----------
    mean, error : (P,)
        ``error`` is 0 where active returns do not vary.
    means : (draws, P)
    sessions : int
    block : float
        Expected block length that was used.
    """

    mean: Float1D
    error: Float1D
    means: Float2D
    sessions: int
    block: float

    def scaled(self, deviation: Float2D, studentise: bool = True) -> Float2D:
        """(draws, P) or (P,) deviations over standard errors, 0 where the error is; or times sqrt(R)."""
        if not studentise:
            return deviation * math.sqrt(self.sessions)
        return np.divide(deviation, self.error, out=np.zeros_like(deviation), where=self.error > 0)


def standard_errors(active: Float2D, block: float) -> Float1D:
    """(P,) standard errors of the mean under the stationary bootstrap of expected block length ``block``.

    Squared and times R: c_0 + 2 sum (1 - i / R) (1 - 1 / block)^i c_i with circular autocovariances c, which is
    the kernel of [H05] section 3.1 with its two terms collected. By fast Fourier transform, the lags never formed.
    """
    count = active.shape[1]
    lag = np.arange(count)
    weight = (1.0 - lag / count) * (1.0 - 1.0 / block) ** lag
    # Real part only: the circular autocovariances are symmetric.
    kernel = 2.0 * np.fft.rfft(weight).real - 1.0
    both = np.full(len(kernel), 2.0)
    both[0] = 1.0
    if count % 2 == 0:
        both[-1] = 1.0
    out = np.empty(len(active))
    step = max(1, _CHUNK // count)
    for i in range(0, len(active), step):
        rows = active[i : i + step]
        power = np.abs(np.fft.rfft(rows - rows.mean(axis=1, keepdims=True))) ** 2
        variance = power @ (kernel * both) / count**2
        flat = rows.std(axis=1) <= ZERO_SD
        out[i : i + step] = np.sqrt(np.where(flat, 0.0, np.maximum(variance, 0.0)) / count)
    return out


def family_block_length(active: Float2D) -> float:
    """Median of `optimal_block_length` over the trials, at most 200 evenly spaced ones."""
    rows = np.linspace(0, len(active) - 1, min(len(active), _BLOCK_SAMPLE)).astype(np.int64)
    return float(np.median([optimal_block_length(active[row]) for row in rows]))


def resampled(
    active: Float2D | Resampled, draws: int = DRAWS, seed: int = 0, block: float | None = None
) -> Resampled:
    """Draw once what all three tests need; what is drawn already is returned as it is.

    Raises
    ------
    ConfigError, DataError
        As `reality_check`.
    """
    if isinstance(active, Resampled):
        return active
    family = checked_family(active, sessions=MIN_SESSIONS)
    length = family_block_length(family) if block is None else block
    means = resampled_means(family, length, draws, seed)
    mean, error = family.mean(axis=1), standard_errors(family, length)
    wrong = np.flatnonzero((error == 0) & (np.abs(mean) > ZERO_SD))
    if len(wrong):
        raise DataError(
            f"active return of trial {wrong[0]} is {mean[wrong[0]]:g} in every session; a test needs returns that "
            "vary; leave the trial out"
        )
    return Resampled(mean, error, means, family.shape[1], length)


def _p_value(statistic: float, drawn: Float1D) -> float:
    return (1 + int(np.count_nonzero(drawn >= statistic))) / (1 + len(drawn))


@dataclass(frozen=True, slots=True)
class RealityCheck:
    """White's test.

    Attributes
    ----------
    statistic : float
        sqrt(R) times the highest mean active return.
    p_value : float
    block : float
        Expected block length in sessions.
    """

    statistic: float
    p_value: float
    block: float


def reality_check(
    active: Float2D | Resampled, draws: int = DRAWS, seed: int = 0, block: float | None = None
) -> RealityCheck:
    """White's reality check, [W00]: max over trials of sqrt(R) mean, not studentised, re-centred at every mean.

    Conservative where the family holds poor or volatile trials; `superior_predictive_ability` is less so.

    Parameters
    ----------
    active : (P, R) fractions, one a session, or `Resampled`
        Trial minus baseline, at least `MIN_SESSIONS` sessions. A trial equal to the baseline is allowed.
    draws, seed : int
    block : float, optional
        Expected block length in sessions; `family_block_length` where not given.

    Raises
    ------
    ConfigError
        No draws, or a block length out of range.
    DataError
        Too few sessions, a return that is not finite, or a trial whose active return is the same non-zero number
        in every session.
    """
    sample = resampled(active, draws, seed, block)
    statistic = math.sqrt(sample.sessions) * float(sample.mean.max())
    drawn = sample.scaled(sample.means - sample.mean, studentise=False).max(axis=1)
    return RealityCheck(statistic, _p_value(statistic, drawn), sample.block)


@dataclass(frozen=True, slots=True)
class SuperiorAbility:
    """Hansen's test.

    Attributes
    ----------
    statistic : float
    consistent : float
        The p-value to quote.
    lower, upper : float
        Bounds: re-centred as if all trials below the baseline were irrelevant, and as if none were.
    block : float
        Expected block length in sessions.
    """

    statistic: float
    consistent: float
    lower: float
    upper: float
    block: float


def superior_predictive_ability(
    active: Float2D | Resampled,
    draws: int = DRAWS,
    seed: int = 0,
    block: float | None = None,
    studentise: bool = True,
) -> SuperiorAbility:
    """Hansen's test of superior predictive ability, [H05].

    Statistic: max(0, max over trials of mean / standard error). Resampled means are re-centred at g(mean), where
    g is the mean itself (upper), the mean where it is positive and else 0 (lower), or the mean where it is at
    least -sqrt(2 log log R) standard errors and else 0 (consistent).

    Parameters
    ----------
    active, draws, seed, block
        As `reality_check`.
    studentise : bool
        False compares sqrt(R) mean instead, which lets volatile trials dominate.

    Raises
    ------
    ConfigError, DataError
        As `reality_check`.
    """
    sample = resampled(active, draws, seed, block)
    mean = sample.mean
    poor = -math.sqrt(2.0 * math.log(math.log(sample.sessions))) * sample.error
    centres = (np.where(mean >= poor, mean, 0.0), np.maximum(mean, 0.0), mean)
    statistic = max(0.0, float(sample.scaled(mean, studentise).max()))
    consistent, lower, upper = (
        _p_value(statistic, np.maximum(sample.scaled(sample.means - centre, studentise).max(axis=1), 0.0))
        for centre in centres
    )
    return SuperiorAbility(statistic, consistent, lower, upper, sample.block)


@dataclass(frozen=True, slots=True)
class StepDown:
    """Romano and Wolf's procedure.

    Attributes
    ----------
    p_values : (P,) float64
        Adjusted for all trials of the family.
    superior : (P,) bool
        Better than the baseline; the probability of even one false entry is at most the level.
    block : float
        Expected block length in sessions.
    """

    p_values: Float1D
    superior: Bool1D
    block: float


def romano_wolf(
    active: Float2D | Resampled,
    level: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
    block: float | None = None,
) -> StepDown:
    """Step-down p-values of every trial, one-sided and studentised, [RW05].

    From the best trial down, each is compared with the highest resampled statistic of the trials not yet passed;
    p-values are then made monotone. Standard errors are those of the sample, also in the draws.

    Parameters
    ----------
    active, draws, seed, block
        As `reality_check`.
    level : float
        Family-wise error rate, in (0, 1).

    Raises
    ------
    ConfigError
        ``level`` outside (0, 1), or as `reality_check`.
    DataError
        As `reality_check`.
    """
    if not 0 < level < 1:
        raise ConfigError(f"family-wise error rate {level:g} lies outside (0, 1); 0.05 is usual")
    sample = resampled(active, draws, seed, block)
    statistic = sample.scaled(sample.mean)
    order = np.argsort(-statistic, kind="stable")
    drawn = sample.scaled(sample.means - sample.mean)[:, order]
    highest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
    above = np.count_nonzero(highest >= statistic[order], axis=0)
    p_values = np.empty(len(order))
    p_values[order] = np.maximum.accumulate((1 + above) / (1 + draws))
    return StepDown(p_values, p_values <= level, sample.block)
