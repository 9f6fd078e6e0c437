"""D3: whether the profit is earned on the day of the rebalancing.

A book that is chosen with a price and credited with the return up to that price earns its profit on the sessions on
which it is chosen. So every set of sessions on which a strategy may rebalance (a weekday, every k-th row, the turn of
the month, its own decisions) is held against all other sessions. Returns are fractions, one a session. Sources:

- [NW87] Newey and West, "A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation Consistent
  Covariance Matrix", Econometrica 55(3), 1987; lags by their rule of 1994, 4 (R / 100)^(2/9).
- [W59] Wallace, "Bounds on Normal Approximations to Student's and the Chi-Square Distributions", Ann. Math. Stat.
  30(4), 1959.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np

from ares7.arrays import Bool1D, Bool2D, Dates, Float1D, Float2D
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD, volatility

LEVEL = 0.01
"""Adjusted p-value below which sessions count as special."""
MATERIAL_SHARPE = 0.3
"""Sharpe ratio that the sessions must add beyond the others' pace, as much as D2 lets a session of delay cost."""
STILL_VOLATILITY = 0.01
"""A year. Interest comes by calendar days: what moves less than this earns on Mondays without any leak."""
FEWEST_ROWS = 250
FEWEST_IN_GROUP = 20
PHASES = range(2, 26)
HALF_LIFE = 21
WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
EXACT_CHECKS = frozenset({"D1", "D5", "D7", "D8", "D12", "D14", "D19"})
STATISTICAL_CHECKS = frozenset({"D2", "D3"})
REMEDY = (
    "trade what is decided at a close at the next open, and credit no return of the session that chose the book; "
    "if it is in the market on these sessions only, say so beside the result"
)


@dataclass(frozen=True, slots=True)
class DayEffect:
    """The sessions that stand out most, and by how much.

    Attributes
    ----------
    sessions : str
        Which, in words.
    count : int
    mean_bps, others_bps : float
        Mean return a session there and on all others, 1e-4.
    share : float or None
        Of the sum of all returns; None where that sum is not positive.
    excess_sharpe : float
        Annual return above the others' pace over annual volatility: what the Sharpe ratio owes to these sessions.
    t, own_t : float
        Robust t of the risk-scaled means: against the others, and against zero.
    p_value : float
        One-sided, of the lesser t, Bonferroni-adjusted; at most 1.
    tests : int
        Sets of sessions tried.
    beyond_market : bool
        Every figure is of the returns less beta times the baseline's.
    """

    sessions: str
    count: int
    mean_bps: float
    others_bps: float
    share: float | None
    excess_sharpe: float
    t: float
    own_t: float
    p_value: float
    tests: int
    beyond_market: bool

    @property
    def significant(self) -> bool:
        """Too strong for chance, and large enough to matter."""
        return self.p_value < LEVEL and self.excess_sharpe >= MATERIAL_SHARPE

    def told(self) -> str:
        """One sentence."""
        part = "" if self.share is None else f", {self.share:.0%} of the total,"
        market = " beyond the market" if self.beyond_market else ""
        # Adding 0 makes a rounded -0.0 positive.
        mean, others = round(self.mean_bps, 1) + 0.0, round(self.others_bps, 1) + 0.0
        return (
            f"{self.sessions} earn {mean:.1f} bp a session{market}{part} and all other sessions {others:.1f} bp "
            f"(t {self.t:.1f}, adjusted p {self.p_value:.1g} over {self.tests} tests; "
            f"{round(self.excess_sharpe, 2) + 0.0:.2f} of the Sharpe ratio)"
        )


def calendar_groups(dates: Dates) -> dict[str, Bool1D]:
    """Sets of sessions on which a book may be rebalanced, by the calendar alone.

    Parameters
    ----------
    dates : (R,) datetime64[D], increasing

    Returns
    -------
    dict of str to (R,) bool
        Weekdays, rows i with i mod k = 0..k-1 for k = 2..25, the last two sessions of a month and its first. The
        last row of a series is no month end for sure, nor is the first row a month's first session.
    """
    days = dates.astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    groups: dict[str, Bool1D] = {name: weekday == i for i, name in enumerate(WEEKDAYS)}
    row = np.arange(len(days))
    for k in PHASES:
        phase = row % k
        groups |= {f"every {k} rows from {days[p]} on": phase == p for p in range(min(k, len(days)))}
    month = days.astype("datetime64[M]")
    last = np.append(month[1:] != month[:-1], False)
    groups["last sessions of a month but one"] = np.append(last[1:], False)
    groups["last sessions of a month"] = last
    groups["first sessions of a month"] = np.append(False, last[:-1])
    return groups


def risk_scaled(returns: Float1D) -> Float1D:
    """(R,) returns over their volatility as known a session before: weights that make the test of a mean efficient.

    Exponential weights with a half-life of 21 sessions, from the mean square of the whole series on, and never
    less than half its root, so that the first move after a still stretch does not decide everything.
    """
    variance = float(np.mean(returns * returns))
    if variance <= ZERO_SD**2:
        return np.zeros_like(returns)
    decay = 0.5 ** (1.0 / HALF_LIFE)
    known, now = [], variance
    for square in (returns * returns).tolist():
        known.append(now)
        now = decay * now + (1.0 - decay) * square
    return np.asarray(returns / np.sqrt(np.maximum(known, variance / 4.0)))


def _long_run(score: Float2D) -> Float1D:
    """(G,) variance of the sum of each row of scores, [NW87], or without its lags where that is more.

    What is gained by negative autocorrelations is mostly their noise, and would make the tails too thin.
    """
    lags = int(4.0 * (score.shape[1] / 100.0) ** (2.0 / 9.0))
    alone = np.einsum("gr,gr->g", score, score)
    total = alone.copy()
    for lag in range(1, lags + 1):
        weight = 2.0 * (1.0 - lag / (lags + 1.0))
        total += weight * np.einsum("gr,gr->g", score[:, lag:], score[:, :-lag])
    return np.asarray(np.maximum(total, alone))


def _ratio(value: Float1D, variance: Float1D) -> Float1D:
    """Value over standard error; 0 where there is no dispersion, which says nothing."""
    error = np.sqrt(variance)
    return np.asarray(np.divide(value, error, out=np.zeros_like(value), where=error > ZERO_SD))


def robust_t(returns: Float1D, groups: Bool2D) -> tuple[Float1D, Float1D]:
    """(G,) t of each group's mean against all other rows' mean, and against zero, [NW87].

    Parameters
    ----------
    returns : (R,)
    groups : (G, R) bool
        Each with some rows, and not all.
    """
    inside = groups.astype(np.float64)
    count = inside.sum(axis=1)
    size = len(returns)
    within = inside @ returns / count
    without = (returns.sum() - inside @ returns) / (size - count)
    residual = returns - np.where(groups, within[:, None], without[:, None])
    share = (count / size)[:, None]
    against = _long_run((inside - share) * residual) / (size * share * (1.0 - share))[:, 0] ** 2
    alone = _long_run(inside * residual) / count**2
    return _ratio(within - without, against), _ratio(within, alone)


def upper_tail(t: float, degrees: int) -> float:
    """P(Student's t with some degrees of freedom > t), by the normal approximation of [W59].

    z = (8 v + 1) / (8 v + 3) sqrt(v log(1 + t^2 / v)); within 1 % of the tail for v >= 19 and t up to 6.
    """
    scale = (8.0 * degrees + 1.0) / (8.0 * degrees + 3.0)
    z = scale * math.sqrt(degrees * math.log1p(t * t / degrees))
    return 0.5 * math.erfc(math.copysign(z, t) / math.sqrt(2.0))


def beyond_market(returns: Float1D, baseline: Float1D) -> Float1D:
    """(R,) returns less beta times the (R,) baseline's; beta by least squares, 0 for a baseline that stands still."""
    deviation = baseline - baseline.mean()
    square = float(deviation @ deviation)
    beta = float(deviation @ returns) / square if square > ZERO_SD**2 * len(baseline) else 0.0
    return np.asarray(returns - beta * baseline)


def strongest(
    dates: Dates,
    returns: Float1D,
    baseline: Float1D | None = None,
    more: Mapping[str, Bool1D] | None = None,
) -> DayEffect | None:
    """Return the set of sessions that stands out most.

    Where a baseline is given, what is tested is the return beyond the market's, so that the market's own days are not
    held against a book.

    Parameters
    ----------
    dates : (R,) datetime64[D], increasing
    returns : (R,) fractions, one a session
    baseline : (R,) fractions, optional
    more : mapping of str to (R,) bool, optional
        Sets beyond `calendar_groups`.

    Returns
    -------
    DayEffect or None
        None for too few returns, or returns that hardly move.
    """
    size = len(returns)
    if size < FEWEST_ROWS or not volatility(returns) >= STILL_VOLATILITY:
        return None
    named = {
        name: rows
        for name, rows in (calendar_groups(dates) | dict(more or {})).items()
        if FEWEST_IN_GROUP <= int(rows.sum()) <= size - FEWEST_IN_GROUP
    }
    groups = np.array(list(named.values()))
    tested = returns if baseline is None else beyond_market(returns, baseline)
    against, alone = robust_t(risk_scaled(tested), groups)
    lesser = np.minimum(against, alone)
    p_values = [upper_tail(t, int(rows.sum()) - 1) for t, rows in zip(lesser.tolist(), groups, strict=True)]
    best = int(np.argmin(p_values))
    effect = _effect(list(named)[best], groups[best], tested, volatility(returns))
    return replace(
        effect,
        t=float(against[best]),
        own_t=float(alone[best]),
        p_value=min(1.0, p_values[best] * len(groups)),
        tests=len(groups),
        beyond_market=baseline is not None,
    )


def _effect(name: str, rows: Bool1D, returns: Float1D, yearly: float) -> DayEffect:
    within, without = float(returns[rows].mean()), float(returns[~rows].mean())
    total = float(returns.sum())
    return DayEffect(
        sessions=name,
        count=int(rows.sum()),
        mean_bps=within * 1e4,
        others_bps=without * 1e4,
        share=float(returns[rows].sum()) / total if total > 0 else None,
        excess_sharpe=(within - without) * float(rows.mean()) * SESSIONS_PER_YEAR / yearly,
        t=0.0,
        own_t=0.0,
        p_value=1.0,
        tests=1,
        beyond_market=False,
    )


def decision_groups(subject: Subject) -> dict[str, Bool1D]:
    """Sessions in which the strategy's own decisions are filled, and those that they were made in.

    The second only where every decision after the first lies on a month end or week end and none is left out: a day
    that is chosen by its own return (a stop, a change of regime) is special without any leak.
    """
    panel, first = subject.panel, subject.panel.start_row
    decide = subject.targets.decide[first:]
    lag = subject.account.exec_lag
    filled = np.zeros_like(decide)
    filled[lag:] = decide[: len(decide) - lag]
    groups = {"sessions of a fill": filled[1:]}
    for scheduled in (panel.month_end, panel.week_end):
        if np.array_equal(decide[1:], scheduled[first + 1 :]):
            groups["sessions of a decision"] = decide[1:]
    return groups


class RebalanceDay:
    """D3: profit on the sessions of the rebalancing (`strongest`)."""

    id: ClassVar[str] = "D3"
    title: ClassVar[str] = "Profit on rebalance days"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Test the run's returns beyond the baseline's; a warning, as a day effect alone proves nothing."""
        groups = decision_groups(subject)
        return [
            day_finding(
                subject.dates[1:], subject.returns, subject.baseline_returns, Severity.WARNING, groups
            )
        ]


def day_finding(
    dates: Dates,
    returns: Float1D,
    baseline: Float1D | None,
    severity: Severity,
    more: Mapping[str, Bool1D] | None = None,
) -> Finding:
    """Return the finding of D3, of ``severity`` where the strongest effect is significant; arguments as `strongest`.

    With a baseline the verdict is on what lies beyond it; the evidence then holds the effect in the returns as they
    are too, under ``raw``.
    """
    effect = strongest(dates, returns, baseline, more)
    if effect is None:
        return found(
            RebalanceDay(),
            Severity.SKIPPED,
            f"{len(returns)} returns; {FEWEST_ROWS} that move by {STILL_VOLATILITY:.0%} a year or more are needed",
        )
    evidence = asdict(effect)
    raw = None if baseline is None else strongest(dates, returns, None, more)
    if raw is not None:
        evidence["raw"] = asdict(raw)
    if effect.significant:
        return found(RebalanceDay(), severity, effect.told(), REMEDY, **evidence)
    return found(RebalanceDay(), Severity.PASS, f"at most chance: {effect.told()}", **evidence)


def escalate(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Make failures of the warnings of D2 and D3 where an exact check failed too: then the profit is the leak's."""
    told = tuple(findings)
    exact = any(f.check in EXACT_CHECKS and f.severity is Severity.FAILURE for f in told)
    if not exact:
        return told
    return tuple(
        replace(f, severity=Severity.FAILURE)
        if f.check in STATISTICAL_CHECKS and f.severity is Severity.WARNING
        else f
        for f in told
    )
