"""How much of a Sharpe ratio is luck: PSR, deflated Sharpe ratio, minimum track record length.

Returns are fractions, one a session; a family of P trials is (P, R). Sharpe ratios, their dispersion over trials
and every benchmark are *per session* here (annual / sqrt(252)). Sources:

- [BL12] Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012.
- [BL14] Bailey and Lopez de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ares7.arrays import AnyArray, Float1D, Float2D
from ares7.errors import ConfigError, DataError
from ares7.metrics import ZERO_SD

EULER_GAMMA = 0.5772156649015329
_CHUNK = 1 << 21
_NORMAL = NormalDist()


def checked_family(returns: Float2D, trials: int = 1, sessions: int = 2) -> Float2D:
    """(P, R) returns as C-ordered float64.

    Raises
    ------
    DataError
        Not two-dimensional, fewer than ``trials`` rows or ``sessions`` columns, or a value that is not finite.
    """
    family = np.ascontiguousarray(returns, dtype=np.float64)
    if family.ndim != 2:
        raise DataError(f"returns of trials have {family.ndim} dimensions; give (trials, sessions)")
    count, length = family.shape
    if count < trials or length < sessions:
        raise DataError(
            f"{count} trials of {length} sessions; at least {trials} trials and {sessions} sessions are needed; "
            "widen the grid or the window"
        )
    for row, values in enumerate(family):
        if not np.isfinite(values).all():
            session = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(
                f"return of trial {row} in session {session} is {values[session]}; statistics need finite returns; "
                "look for a missing price among the positions held then"
            )
    return family


@dataclass(frozen=True, slots=True)
class Moments:
    """Sample moments of returns; each array has the shape of the family, () for one series.

    Attributes
    ----------
    sessions : int
        Returns in each series.
    mean, sd : float64 arrays
        Per session; ``sd`` with ddof 1, 0 where it is only rounding.
    skew, kurtosis : float64 arrays
        Standardised third and fourth moments (ddof 0), the fourth not in excess: 0 and 3 for a normal.
        NaN where the returns do not vary.
    """

    sessions: int
    mean: AnyArray
    sd: AnyArray
    skew: AnyArray
    kurtosis: AnyArray

    @property
    def sharpe(self) -> AnyArray:
        """Mean over sd, per session; NaN where the returns do not vary."""
        out = np.full(np.shape(self.sd), np.nan)
        ratio: AnyArray = np.divide(self.mean, self.sd, out=out, where=np.asarray(self.sd) > 0)
        return ratio[()]

    def of(self, trial: int) -> Moments:
        """Moments of one trial of a family."""
        return Moments(
            self.sessions, self.mean[trial], self.sd[trial], self.skew[trial], self.kurtosis[trial]
        )


def _moments(rows: Float2D) -> tuple[Float1D, Float1D, Float1D, Float1D]:
    mean = rows.mean(axis=1)
    deviation = rows - mean[:, None]
    square = deviation * deviation
    second = square.mean(axis=1)
    third = np.einsum("pr,pr->p", square, deviation) / rows.shape[1]
    fourth = np.einsum("pr,pr->p", square, square) / rows.shape[1]
    sd = np.sqrt(second * rows.shape[1] / (rows.shape[1] - 1))
    varies = sd > ZERO_SD
    scale = np.sqrt(np.where(varies, second, np.nan))
    return mean, np.where(varies, sd, 0.0), third / scale**3, fourth / scale**4


def moments(returns: Float1D | Float2D) -> Moments:
    """Sample moments of (R,) returns or of each row of (P, R), for the functions below.

    Raises
    ------
    DataError
        Fewer than two sessions, or a return that is not finite.
    """
    family = checked_family(np.atleast_2d(returns))
    step = max(1, _CHUNK // family.shape[1])
    parts = [_moments(family[i : i + step]) for i in range(0, len(family), step)]
    stacked = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    found = Moments(family.shape[1], *stacked)
    return found.of(0) if np.ndim(returns) == 1 else found


def _of(returns: AnyArray | Moments) -> Moments:
    return returns if isinstance(returns, Moments) else moments(returns)


def _spread(sample: Moments) -> AnyArray:
    """1 - g3 SR + (g4 - 1) / 4 SR^2: (R - 1) times the variance of the estimated ratio SR."""
    ratio = sample.sharpe
    return np.asarray(1.0 - sample.skew * ratio + (sample.kurtosis - 1.0) / 4.0 * ratio**2)


def probabilistic_sharpe(returns: AnyArray | Moments, benchmark: float = 0.0) -> AnyArray:
    """Probability that the true Sharpe ratio exceeds a benchmark: PSR.

    Phi((SR - SR*) sqrt(R - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)), [BL12] equation 11.

    Parameters
    ----------
    returns : (R,) or (P, R) fractions, one a session, or their `Moments`
    benchmark : float
        SR*, per session.

    Returns
    -------
    float64, or (P,) float64
        NaN where the returns do not vary, and where they take two values only, so that the spread vanishes.

    Raises
    ------
    DataError
        As `moments`.
    """
    sample = _of(returns)
    spread = _spread(sample)
    root = np.sqrt(np.where(spread > 0, spread, np.nan))
    score = np.atleast_1d((sample.sharpe - benchmark) * math.sqrt(sample.sessions - 1) / root)
    values = np.array([_NORMAL.cdf(z) for z in score.tolist()])
    return values.reshape(np.shape(spread))[()]


def minimum_track_record_length(
    returns: AnyArray | Moments, benchmark: float = 0.0, confidence: float = 0.95
) -> AnyArray:
    """Sessions after which `probabilistic_sharpe` of the same moments reaches ``confidence``.

    1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (Phi^-1(confidence) / (SR - SR*))^2, [BL12] equation 13.

    Parameters
    ----------
    returns : (R,) or (P, R) fractions, one a session, or their `Moments`
    benchmark : float
        SR*, per session.
    confidence : float
        In (.5, 1).

    Returns
    -------
    float64, or (P,) float64
        Sessions, not rounded; infinite where the ratio does not exceed the benchmark, NaN where it is not defined.

    Raises
    ------
    ConfigError
        ``confidence`` outside (.5, 1).
    DataError
        As `moments`.
    """
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence {confidence:g} lies outside (0.5, 1); 0.95 is usual")
    sample = _of(returns)
    edge = np.asarray(sample.sharpe - benchmark)
    length = 1.0 + _spread(sample) * (_NORMAL.inv_cdf(confidence) / np.where(edge > 0, edge, np.nan)) ** 2
    return np.where(edge <= 0, np.inf, length)[()]


def expected_max_sharpe(n_trials: float, sd_of_trial_sharpes: float) -> float:
    """Expected highest Sharpe ratio of N skill-less independent trials, per session.

    sd * ((1 - g) Phi^-1(1 - 1 / N) + g Phi^-1(1 - 1 / (N e))), g = Euler's constant; [BL14] equation 1. One trial
    has 0; N may be fractional.

    Parameters
    ----------
    n_trials : float
        At least 1.
    sd_of_trial_sharpes : float
        Standard deviation (ddof 1) over the trials of their Sharpe ratios, per session.

    Raises
    ------
    ConfigError
        Fewer than one trial.
    DataError
        The dispersion is negative or not finite.
    """
    if not 1 <= n_trials < math.inf:
        raise ConfigError(f"{n_trials:g} trials; a result was tried at least once: count it")
    if not 0 <= sd_of_trial_sharpes < math.inf:
        raise DataError(
            f"dispersion of the trials' Sharpe ratios is {sd_of_trial_sharpes:g}; it must be finite and not negative; "
            "leave out trials whose returns do not vary"
        )
    if n_trials == 1:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / n_trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    # The formula is asymptotic: below some 1.4 trials it turns negative.
    return float(sd_of_trial_sharpes * max(0.0, (1.0 - EULER_GAMMA) * first + EULER_GAMMA * second))


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """A Sharpe ratio held against the best of as many trials without skill.

    Attributes
    ----------
    threshold : float
        `expected_max_sharpe`, per session.
    dsr : float
        `probabilistic_sharpe` against it; NaN where that is not defined.
    n_trials : float
        Trials that were counted.
    """

    threshold: float
    dsr: float
    n_trials: float


def deflation(own: Moments, sharpes: Float1D, counts: Mapping[str, int]) -> dict[str, float]:
    """Hold one series against every trial on its market, by the raw and by the effective count.

    Parameters
    ----------
    own : Moments
        Of the one series.
    sharpes : (D,) per session
        Of all distinct trials; NaN where not defined.
    counts : mapping
        ``distinct`` and ``effective`` trials (`ares7.trial_clusters.trial_counts`).

    Returns
    -------
    dict
        ``psr dsr dsr_effective``; ``threshold threshold_effective spread`` per session.
    """
    known = sharpes[np.isfinite(sharpes)]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    every = deflated_sharpe(own, max(counts["distinct"], 1), spread)
    few = deflated_sharpe(own, max(counts["effective"], 1), spread)
    return {
        "psr": float(probabilistic_sharpe(own)),
        "dsr": every.dsr,
        "dsr_effective": few.dsr,
        "threshold": every.threshold,
        "threshold_effective": few.threshold,
        "spread": spread,
    }


def deflated_sharpe(
    returns: Float1D | Moments, n_trials: float, sd_of_trial_sharpes: float
) -> DeflatedSharpe:
    """Deflated Sharpe ratio of the selected trial: PSR against the expected best of N, [BL14] equation 2.

    The dispersion over *all* trials goes with the count of all of them: trials that share most of their returns
    differ little, which lowers the threshold already. An effective count (`ares7.trial_clusters`) with the same
    dispersion corrects for likeness twice, so that its DSR is the lenient one of the two.

    Parameters
    ----------
    returns : (R,) fractions of the selected trial, one a session, or its `Moments`
    n_trials : float
        Every trial that led to the selection, at least 1.
    sd_of_trial_sharpes : float
        As in `expected_max_sharpe`.

    Raises
    ------
    ConfigError, DataError
        As `expected_max_sharpe` and `moments`; DataError also for more than one series.
    """
    sample = _of(returns)
    if np.ndim(sample.mean):
        raise DataError(f"{np.size(sample.mean)} series to deflate; give the one that was selected")
    threshold = expected_max_sharpe(n_trials, sd_of_trial_sharpes)
    return DeflatedSharpe(threshold, float(probabilistic_sharpe(sample, threshold)), n_trials)
