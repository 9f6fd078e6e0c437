"""The one definition of every figure (C8, rulings 8).

A NAV series has T values at T session closes, in USD. The first is the starting value, before any fill, so
that T values give T - 1 returns; a year has 252 sessions. A figure that is not defined (too few returns, no
dispersion, no drawdown to divide by) is NaN, never None and never a stand-in. Rates are annual fractions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D, Int1D
from ares7.errors import DataError

SESSIONS_PER_YEAR = 252
_ROOT_YEAR = math.sqrt(SESSIONS_PER_YEAR)
ZERO_SD = 1e-14
"""Returns are rounded at 2e-16; a standard deviation up to this is that rounding, so it counts as zero."""


def returns_from_nav(nav: Float1D) -> Float1D:
    """(T - 1,) returns; row i is earned from close i to close i + 1. NaN after a NAV that is not positive."""
    before = np.where(nav[:-1] > 0, nav[:-1], np.nan)
    return np.asarray(nav[1:] / before - 1.0)


def _sd(values: Float1D) -> float:
    """Sample standard deviation; NaN for fewer than two values, 0 for rounding noise."""
    if len(values) < 2:
        return math.nan
    sd = float(np.std(values, ddof=1))
    return 0.0 if sd <= ZERO_SD else sd


def sharpe(returns: Float1D, risk_free: float = 0.0) -> float:
    """Annualised Sharpe ratio: mean excess return / sd (ddof 1) * sqrt(252) (C8).

    Parameters
    ----------
    returns : (R,) fractions, one a session
    risk_free : float
        Annual rate; 1/252 of it is subtracted from each return.

    Returns
    -------
    float
        NaN for fewer than two returns, and where the returns do not vary.
    """
    sd = _sd(returns)
    return float(np.mean(returns) - risk_free / SESSIONS_PER_YEAR) / sd * _ROOT_YEAR if sd > 0 else math.nan


def sharpe_standard_error(returns: Float1D, risk_free: float = 0.0) -> float:
    """Standard error of `sharpe` for iid returns: sqrt((1 + SR^2 / 2) / R) * sqrt(252), SR a session.

    NaN where `sharpe` is. Source: Lo, "The Statistics of Sharpe Ratios", Fin. Analysts Journal 58(4), 2002.
    """
    per_session = sharpe(returns, risk_free) / _ROOT_YEAR
    return math.sqrt((1.0 + per_session**2 / 2.0) / len(returns)) * _ROOT_YEAR if len(returns) else math.nan


def volatility(returns: Float1D) -> float:
    """Annualised standard deviation (ddof 1) of (R,) returns; NaN for fewer than two."""
    return _sd(returns) * _ROOT_YEAR


def sortino(returns: Float1D, risk_free: float = 0.0) -> float:
    """Mean excess return over downside deviation, annualised.

    Downside deviation is the root of the mean over *all* sessions of min(excess, 0)^2 (Sortino and Price,
    Journal of Investing 3(3), 1994). NaN for fewer than two returns, and without a negative excess return.
    """
    if len(returns) < 2:
        return math.nan
    excess = returns - risk_free / SESSIONS_PER_YEAR
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return float(np.mean(excess)) / downside * _ROOT_YEAR if downside > ZERO_SD else math.nan


def cagr(nav: Float1D) -> float:
    """Compound annual growth over R returns: (last / first) ** (252 / R) - 1 (rulings 8).

    -1 at ruin, NaN for R = 0, infinite where a few wild sessions annualise beyond any float.
    """
    if len(nav) < 2 or not nav[0] > 0:
        return math.nan
    growth = np.maximum(nav[-1] / nav[0], 0.0)
    with np.errstate(over="ignore"):
        return float(growth ** (SESSIONS_PER_YEAR / (len(nav) - 1)) - 1.0)


def drawdown_series(nav: Float1D) -> Float1D:
    """(T,) fraction below the highest NAV so far, the starting value included; 0 at a new high."""
    peak = np.maximum.accumulate(nav)
    return np.asarray((peak - nav) / np.where(peak > 0, peak, np.nan))


def max_drawdown(nav: Float1D) -> float:
    """Deepest `drawdown_series` value, a positive fraction; NaN without a NAV."""
    return float(np.max(drawdown_series(nav))) if len(nav) else math.nan


def calmar(nav: Float1D) -> float:
    """`cagr` over `max_drawdown`; NaN without a drawdown."""
    depth = max_drawdown(nav)
    return cagr(nav) / depth if depth > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest drawdown; rows index the NAV series.

    Attributes
    ----------
    depth : float
        Fraction of the peak.
    start : int
        Row of the peak, the last one where it was reached several times.
    trough : int
        Row of the first deepest value.
    recovery : int or None
        First row after the trough at or above the peak; None while it lasts.
    length : int
        Sessions from the peak to the recovery, or to the last row.
    time_to_recovery : int or None
        Sessions from the trough to the recovery.
    """

    depth: float
    start: int
    trough: int
    recovery: int | None
    length: int
    time_to_recovery: int | None


def deepest_drawdown(nav: Float1D) -> Drawdown | None:
    """Details of the deepest drawdown of (T,) NAV; None where NAV never fell."""
    below = drawdown_series(nav)
    trough = int(np.argmax(below)) if len(below) else 0
    if not len(below) or not below[trough] > 0:
        return None
    start = int(np.flatnonzero(below[:trough] == 0)[-1])
    recovered = np.flatnonzero(nav[trough:] >= nav[start])
    recovery = trough + int(recovered[0]) if len(recovered) else None
    end = len(nav) - 1 if recovery is None else recovery
    to_recovery = None if recovery is None else recovery - trough
    return Drawdown(float(below[trough]), start, trough, recovery, end - start, to_recovery)


def checked_nav(dates: Dates, nav: Float1D) -> Float1D:
    """NAV as (T,) float64, or `DataError` where it is empty, not finite or does not start above zero."""
    nav = np.ascontiguousarray(nav, dtype=np.float64)
    if len(nav) == 0 or len(nav) != len(dates):
        raise DataError(
            f"NAV has {len(nav)} values for {len(dates)} sessions; give one a session, at least one"
        )
    wrong = np.flatnonzero(~np.isfinite(nav))
    if len(wrong):
        raise DataError(
            f"NAV on {dates[wrong[0]]} is {nav[wrong[0]]} ({len(wrong)} of {len(nav)} sessions); figures "
            "need finite values; look for a missing price among the positions held then"
        )
    if nav[0] <= 0:
        raise DataError(
            f"NAV starts at {nav[0]} USD on {dates[0]}; figures need a positive start; set the cash"
        )
    return nav


def _iso(dates: Dates, row: int | None) -> str | None:
    return None if row is None or np.isnat(dates[row]) else str(dates[row].astype("datetime64[D]"))


def performance(dates: Dates, nav: Float1D, risk_free: float = 0.0) -> dict[str, Any]:
    """Headline figures of one NAV series.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    nav : (T,) USD, starting value first
    risk_free : float
        Annual rate.

    Returns
    -------
    dict
        ``sharpe sharpe_se cagr volatility sortino calmar total_return final_nav sessions start end``, and
        ``max_drawdown`` with ``max_drawdown_start _trough _recovery`` (ISO dates or None) and
        ``max_drawdown_sessions`` (peak to recovery, or to the end). ``sessions`` counts returns.

    Raises
    ------
    DataError
        NAV is empty, not finite or does not start above zero.
    """
    nav = checked_nav(dates, nav)
    returns = returns_from_nav(nav)
    worst = deepest_drawdown(nav)
    return {
        "sharpe": sharpe(returns, risk_free),
        "sharpe_se": sharpe_standard_error(returns, risk_free),
        "cagr": cagr(nav),
        "volatility": volatility(returns),
        "sortino": sortino(returns, risk_free),
        "calmar": calmar(nav),
        "total_return": float(nav[-1] / nav[0] - 1.0),
        "final_nav": float(nav[-1]),
        "max_drawdown": max_drawdown(nav),
        "max_drawdown_start": _iso(dates, worst.start) if worst else None,
        "max_drawdown_trough": _iso(dates, worst.trough) if worst else None,
        "max_drawdown_recovery": _iso(dates, worst.recovery) if worst else None,
        "max_drawdown_sessions": worst.length if worst else 0,
        "sessions": len(returns),
        "start": _iso(dates, 0),
        "end": _iso(dates, -1),
    }


def rolling_sharpe(returns: Float1D, window: int = SESSIONS_PER_YEAR, risk_free: float = 0.0) -> Float1D:
    """(R,) Sharpe ratio of the ``window`` returns up to and including each row; NaN before the first window.

    Each window is computed from its own rows (rulings 9), and is NaN where `sharpe` of it is.
    """
    out = np.full(len(returns), np.nan)
    if len(returns) < window or window < 2:
        return out
    rows = np.lib.stride_tricks.sliding_window_view(returns, window)
    sd = np.std(rows, axis=1, ddof=1)
    excess = np.mean(rows, axis=1) - risk_free / SESSIONS_PER_YEAR
    varies = sd > ZERO_SD
    np.divide(excess, sd, out=out[window - 1 :], where=varies)
    return out * _ROOT_YEAR


@dataclass(frozen=True, slots=True)
class MonthlyReturns:
    """Returns by calendar month and year.

    Attributes
    ----------
    years : (Y,) int64
    table : (Y, 12) fractions
        NaN for months in which no return was earned.
    annual : (Y,) fractions
    """

    years: Int1D
    table: Float2D
    annual: Float1D


def monthly_returns(dates: Dates, nav: Float1D) -> MonthlyReturns:
    """Return of each calendar month: last NAV of the month over the last NAV before it.

    ``dates`` are (T,) datetime64[D], ``nav`` (T,) USD with the starting value first.
    """
    months = dates.astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True)) if len(months) else np.zeros(0, int)
    last = last[last > 0]  # the starting value alone is no return
    base = nav[np.append(0, last)[:-1]] if len(last) else nav[:0]
    years = months[last] // 12 + 1970
    span = np.arange(years[0], years[-1] + 1) if len(years) else years
    table = np.full((len(span), 12), np.nan)
    if len(span):
        table[years - span[0], months[last] % 12] = nav[last] / base - 1.0
    earned = np.isfinite(table).any(axis=1)
    return MonthlyReturns(span, table, np.where(earned, np.nanprod(1.0 + table, axis=1) - 1.0, np.nan))
