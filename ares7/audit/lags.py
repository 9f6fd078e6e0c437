"""D2: what is left of the result when every decision is acted on later.

An honest slow strategy hardly notices a session more; a result that falls at once was made by the session itself.
Sources: the stationary bootstrap of `ares7.bootstrap`, applied to both series at once, as in Ledoit and Wolf, "Robust
Performance Hypothesis Testing with the Sharpe Ratio", Journal of Empirical Finance 15(5), 2008.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Float1D
from ares7.audit.concentration import FEWEST_ROWS
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.bootstrap import optimal_block_length, resampled_means
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD, returns_from_nav, sharpe

LAGS = (0, 1, 2, 5)
"""Sessions beyond the account's own; 0 is the next open, as configured."""
MOST_FALL = 0.3
LEAST_Z = 4.0
DRAWS = 500
_ROUNDING = 1e-9


def sharpe_fall_z(honest: Float1D, later: Float1D, seed: int) -> float:
    """Fall of the annual Sharpe ratio over its bootstrap standard error.

    Both series are resampled over the same sessions, in blocks whose length suits the difference of the two after
    scaling each to one standard deviation.

    Parameters
    ----------
    honest, later : (R,) fractions, one a session
        Of the same sessions; both vary.
    seed : int

    Returns
    -------
    float
        0 where the two ratios do not differ.
    """
    fall = sharpe(honest) - sharpe(later)
    if abs(fall) <= _ROUNDING:
        return 0.0
    both = np.array([honest, later])
    scaled = both / both.std(axis=1, keepdims=True)
    block = optimal_block_length(scaled[0] - scaled[1])
    means = resampled_means(np.concatenate([both, both * both]), block, DRAWS, seed)
    spread = np.sqrt(np.maximum(means[:, 2:] - means[:, :2] ** 2, ZERO_SD**2))
    ratios = means[:, :2] / spread * np.sqrt(SESSIONS_PER_YEAR)
    error = float(np.std(ratios[:, 0] - ratios[:, 1], ddof=1))
    return fall / error if error > ZERO_SD else 0.0


class LagLadder:
    """D2: Sharpe ratios with 0, 1, 2 and 5 sessions of extra lag."""

    id: ClassVar[str] = "D2"
    title: ClassVar[str] = "Extra lag"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Trade the same rows later; a warning where the first session of delay costs too much."""
        runs = {lag: subject.returns if lag == 0 else _returns(subject, lag) for lag in LAGS}
        # Nothing is held before the latest of them has bought.
        runs = {lag: series[max(LAGS) :] for lag, series in runs.items()}
        ratios = {lag: sharpe(series) for lag, series in runs.items()}
        rows = len(runs[0])
        if rows < FEWEST_ROWS or not np.isfinite(list(ratios.values())).all():
            reason = f"{rows} returns; {FEWEST_ROWS} that vary are needed at every lag"
            return [found(self, Severity.SKIPPED, reason)]
        fall = ratios[0] - ratios[1]
        z = sharpe_fall_z(runs[0], runs[1], subject.seed)
        ladder = ", ".join(f"{ratio:.2f} at +{lag}" for lag, ratio in ratios.items())
        evidence: dict[str, Any] = {f"sharpe_lag_{lag}": ratio for lag, ratio in ratios.items()} | {
            "fall": fall,
            "z": z,
        }
        if fall > MOST_FALL and z > LEAST_Z:
            message = (
                f"Sharpe ratio {ladder}: one session later costs {fall:.2f} "
                f"(z {z:.1f}; limits {MOST_FALL} and {LEAST_Z:g})"
            )
            remedy = (
                "look for an input that is known only after the decision; if the signal really is that fast, "
                "report the result one session later beside it"
            )
            return [found(self, Severity.WARNING, message, remedy, **evidence)]
        return [found(self, Severity.PASS, f"Sharpe ratio {ladder}", **evidence)]


def _returns(subject: Subject, lag: int) -> Float1D:
    return returns_from_nav(subject.simulated(extra_lag=lag).nav)
