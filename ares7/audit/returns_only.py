"""The audit of a daily return series from anywhere: every check that needs neither code nor prices.

Returns are fractions, one a session, with the date on which each was earned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ares7.arrays import AnyArray, Dates, Float1D
from ares7.audit.concentration import HALF_LIFE, day_finding, risk_scaled
from ares7.audit.finding import Finding, Severity
from ares7.audit.runner import Audit
from ares7.errors import DataError
from ares7.metrics import SESSIONS_PER_YEAR, sharpe, sharpe_standard_error
from ares7.overfit import (
    expected_max_sharpe,
    minimum_track_record_length,
    moments,
    probabilistic_sharpe,
)

MOST_SHARPE = 1.5
"""On daily long-only large caps more than this is a bug until it is explained."""
LONGEST_GAP_DAYS = 7
"""New York has not been closed for longer since 1933: 10 to 17 September 2001."""
MOST_MISSING = 0.06
"""Of weekdays; holidays are less than 4 %."""
LONGEST_CONSTANT = 10
COPIED = 10
MOST_IDLE = 20
JUMP = 10.0
"""Standard deviations as known a session before."""
MOST_ONE_SESSION = 0.1
"""Of the whole profit."""
MOST_AUTOCORRELATION_Z = 4.0
CONFIDENCE = 0.95


def checked_series(dates: Dates, returns: Float1D, where: str) -> tuple[Dates, Float1D]:
    """(R,) datetime64[D] and (R,) float64 of a usable daily series.

    Parameters
    ----------
    where : str
        File or name, for messages.

    Raises
    ------
    DataError
        Different lengths, fewer than two rows; a date that is missing, repeated or out of order; a return that is
        missing or looks like a percentage.
    """
    days, series = np.asarray(dates), np.asarray(returns, dtype=np.float64)
    if days.ndim != 1 or days.shape != series.shape or len(days) < 2:
        raise DataError(
            f"{where} has {days.shape} dates and {series.shape} returns; give two or more rows of both"
        )
    days = days.astype("datetime64[D]")
    require_dates(days, where)
    missing = np.flatnonzero(~np.isfinite(series))
    if len(missing):
        raise DataError(
            f"{where}: return on {days[missing[0]]} is {series[missing[0]]} ({len(missing)} of {len(series)} rows); "
            "correct or remove the rows; a session without a position earned 0"
        )
    size = np.abs(series)
    if size.max() > 1.0 or float(np.median(size)) > 0.2:
        worst = int(np.argmax(size))
        raise DataError(
            f"{where}: return on {days[worst]} is {series[worst]:g} and the median size {np.median(size):g}; returns "
            "are fractions, at most 1 in size: divide percentages by 100, and name a column of values nav"
        )
    return days, np.ascontiguousarray(series)


def require_dates(days: Dates, where: str) -> None:
    """Refuse (R,) datetime64[D] with a missing, repeated or earlier date.

    Raises
    ------
    DataError
        Naming the first.
    """
    absent = np.flatnonzero(np.isnat(days))
    if len(absent):
        raise DataError(
            f"{where}: row {absent[0] + 1} has no date ({len(absent)} rows); add it or remove the row"
        )
    step = np.diff(days).astype(np.int64)
    if (step == 0).any():
        row = int(np.flatnonzero(step == 0)[0])
        raise DataError(
            f"{where}: {days[row]} comes twice (rows {row + 1} and {row + 2}); keep one row a session and one "
            "series a file"
        )
    if (step < 0).any():
        row = int(np.flatnonzero(step < 0)[0])
        twice = len(np.unique(days)) < len(days)
        also = "; dates come more than once too: keep one series a file" if twice else ""
        raise DataError(
            f"{where}: {days[row + 1]} in row {row + 2} comes after {days[row]}; sort the rows by date{also}"
        )


def audit_returns(
    dates: Dates,
    returns: Float1D,
    baseline: Float1D | None = None,
    trials: int = 1,
    name: str = "returns",
) -> Audit:
    """Audit a daily return series.

    Parameters
    ----------
    dates : (R,) datetime64
        Day on which each return was earned, increasing.
    returns : (R,) fractions
    baseline : (R,) fractions, optional
        Market returns of the same days; the test of rebalance days is then made on what lies beyond them.
    trials : int
        Variants that were tried before this one was kept, itself included.
    name : str
        For messages.

    Returns
    -------
    Audit
        D3 fails where profit falls on rebalance days: without code nothing more can be known.

    Raises
    ------
    DataError
        As `checked_series`.
    ConfigError
        ``trials`` below 1.
    """
    days, series = checked_series(dates, returns, name)
    market = None if baseline is None else checked_series(dates, baseline, f"baseline of {name}")[1]
    findings = [
        day_finding(days, series, market, Severity.FAILURE),
        *_calendar(days),
        *_values(days, series),
        _one_session(days, series),
        _too_good(series),
        _track_record(series, trials),
        _autocorrelation(series),
    ]
    return Audit(name, tuple(findings))


def _calendar(days: Dates) -> Iterable[Finding]:
    """D7: rows on days without trading, and days without rows."""
    title = "One row a session"
    weekend = np.flatnonzero(~np.is_busday(days))
    gap = np.diff(days).astype(np.int64)
    longest = int(np.argmax(gap))
    weekdays = int(np.busday_count(days[0], days[-1] + 1))
    missing = max(0.0, 1.0 - (len(days) - len(weekend)) / max(weekdays, 1))
    evidence = {
        "weekend_rows": len(weekend),
        "longest_gap_days": int(gap[longest]),
        "missing_weekdays": missing,
        "start": str(days[0]),
        "end": str(days[-1]),
    }
    wrong = []
    if len(weekend):
        wrong.append(f"{len(weekend)} rows fall on weekends, first {days[weekend[0]]}")
    if gap[longest] > LONGEST_GAP_DAYS:
        wrong.append(f"no row for {gap[longest]} days after {days[longest]}")
    if missing > MOST_MISSING:
        wrong.append(f"{missing:.1%} of weekdays have no row (holidays are under 4 %)")
    if not wrong:
        message = f"{len(days)} rows from {days[0]} to {days[-1]}, no weekend, no gap"
        return [Finding("D7", title, Severity.PASS, message, evidence)]
    remedy = "give one row a session, dated as the exchange dates it; figures count 252 a year"
    return [Finding("D7", title, Severity.WARNING, "; ".join(wrong), evidence, remedy)]


def _runs(same: AnyArray) -> tuple[int, int]:
    """Length and first row of the longest run of true values; (0, 0) without one."""
    edge = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    starts, ends = edge[::2], edge[1::2]
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(ends[best] - starts[best]), int(starts[best])


def _copied_block(series: Float1D) -> tuple[int, int] | None:
    """First two rows from which the same `COPIED` returns follow, nearly all of them different from each other."""
    if len(series) < 2 * COPIED:
        return None
    window = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(series, COPIED))
    ordered = np.sort(window, axis=1)
    varied = np.flatnonzero((np.diff(ordered, axis=1) != 0).sum(axis=1) >= COPIED - 2)
    blocks = window[varied].view(np.dtype((np.void, window.itemsize * COPIED))).ravel()
    _, first, which = np.unique(blocks, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which] != np.arange(len(blocks)))
    if not len(again):
        return None
    return int(varied[first[which[again[0]]]]), int(varied[again[0]])


def _values(days: Dates, series: Float1D) -> Iterable[Finding]:
    """D13: returns that were never earned: held constant, padded with zeros, or copied."""
    title = "Returns that were earned"
    copied = _copied_block(series)
    if copied is not None:
        one, two = days[copied[0]], days[copied[1]]
        yield Finding(
            "D13",
            title,
            Severity.FAILURE,
            f"the {COPIED} returns from {one} on come again from {two} on, digit by digit",
            {"first": str(one), "again": str(two)},
            "remove the copied rows; a resampled or stitched series is no track record",
        )
    length, start = _runs((series[1:] == series[:-1]) & (series[1:] != 0))
    idle = int(np.argmax(series != 0)) if series.any() else len(series)
    zeros, since = _runs(series == 0)
    evidence = {"constant_run": length + 1, "leading_zeros": idle, "longest_zero_run": zeros}
    wrong = []
    if length + 1 >= LONGEST_CONSTANT:
        wrong.append(
            f"the same return {series[start]:g} comes {length + 1} times in a row from {days[start]} on"
        )
    if idle > MOST_IDLE:
        wrong.append(f"the first {idle} returns are exactly 0: a warm-up is counted as a track record")
    elif zeros > SESSIONS_PER_YEAR:
        wrong.append(f"{zeros} returns in a row are exactly 0 from {days[since]} on")
    if wrong:
        remedy = "start the series with the first position, and mark every session at its own price"
        yield Finding("D13", title, Severity.WARNING, "; ".join(wrong), evidence, remedy)
    elif copied is None:
        yield Finding("D13", title, Severity.PASS, "no constant, padded or copied stretch", evidence)


def _one_session(days: Dates, series: Float1D) -> Finding:
    """D13: one jump that makes the result; a wrong price more often than luck."""
    title = "Profit of a single session"
    total = float(series.sum())
    best = int(np.argmax(series))
    share = float(series[best]) / total if total > 0 else math.inf
    jump = float(risk_scaled(series)[best])
    message = (
        f"the best session, {days[best]}, earned {series[best]:.2%}"
        f"{f', {share:.0%} of the whole profit,' if math.isfinite(share) else ''}"
        f" at {jump:.1f} standard deviations of the {HALF_LIFE}-session half-life before it"
    )
    evidence = {"date": str(days[best]), "return": float(series[best]), "deviations": jump}
    evidence |= {"share": share if math.isfinite(share) else None}
    if series[best] > 0 and jump > JUMP and share > MOST_ONE_SESSION:
        remedy = "compare that day's prices with a second source; look for a split, a merger or a bad tick"
        return Finding("D13", title, Severity.WARNING, message, evidence, remedy)
    return Finding("D13", title, Severity.PASS, message, evidence)


def _too_good(series: Float1D) -> Finding:
    """D13: the headline figure, from this series, and whether it can be believed."""
    title = "Plausible Sharpe ratio"
    ratio, error = sharpe(series), sharpe_standard_error(series)
    evidence = {
        "sharpe": ratio if math.isfinite(ratio) else None,
        "standard_error": error if error == error else None,
    }
    if not math.isfinite(ratio):
        return Finding("D13", title, Severity.SKIPPED, "the returns do not vary", evidence)
    message = f"Sharpe ratio {ratio:.2f} (s.e. {error:.2f}), computed from these returns"
    if ratio > MOST_SHARPE:
        remedy = "on daily long-only large caps treat it as a bug until it is explained; run the checks on the code too"
        return Finding("D13", title, Severity.WARNING, f"{message}; above {MOST_SHARPE}", evidence, remedy)
    return Finding("D13", title, Severity.PASS, message, evidence)


def _track_record(series: Float1D, trials: int) -> Finding:
    """D9: probabilistic Sharpe ratio against the luck of as many trials, and the record that it would need.

    Without the trials' own ratios their dispersion is that of skill-less ones, 1 / sqrt(R) a session.
    """
    title = "Track record against luck"
    rows = len(series)
    luck = expected_max_sharpe(trials, 1.0 / math.sqrt(rows))
    sample = moments(series)
    probability = float(probabilistic_sharpe(sample, luck))
    needed = float(minimum_track_record_length(sample, luck, CONFIDENCE))
    evidence = {
        "psr": probability if math.isfinite(probability) else None,
        "minimum_track_record": math.ceil(needed) if math.isfinite(needed) else None,
        "sessions": rows,
        "trials": trials,
        "luck_sharpe": luck * math.sqrt(SESSIONS_PER_YEAR),
    }
    if not math.isfinite(probability):
        return Finding("D9", title, Severity.SKIPPED, "the returns do not vary", evidence)
    record = f"{math.ceil(needed)} sessions would" if math.isfinite(needed) else "no length would"
    message = (
        f"the true Sharpe ratio exceeds {evidence['luck_sharpe']:.2f}, the best of {trials} by luck, with probability "
        f"{probability:.2f}; {record} show it at {CONFIDENCE:.0%}, the series has {rows}"
    )
    if probability < CONFIDENCE:
        remedy = "do not read it as skill; wait for a longer record or try fewer variants"
        return Finding("D9", title, Severity.WARNING, message, evidence, remedy)
    return Finding("D9", title, Severity.PASS, message, evidence)


def _autocorrelation(series: Float1D) -> Finding:
    """D11: first-order autocorrelation over its standard error under changing volatility.

    Sum of x_t x_{t-1} over the root of the sum of their squares: White, "A Heteroskedasticity-Consistent Covariance
    Matrix Estimator", Econometrica 48(4), 1980.
    """
    title = "Stale or smoothed marks"
    deviation = series - series.mean()
    product = deviation[1:] * deviation[:-1]
    spread = math.sqrt(float(product @ product))
    square = float(deviation @ deviation)
    if spread == 0.0:
        return Finding("D11", title, Severity.SKIPPED, "the returns do not vary")
    rho, z = float(product.sum()) / square, float(product.sum()) / spread
    evidence = {"autocorrelation": rho, "z": z}
    message = f"first-order autocorrelation {rho:.3f}, z {z:.1f}"
    if abs(z) <= MOST_AUTOCORRELATION_Z:
        return Finding("D11", title, Severity.PASS, message, evidence)
    cause = (
        "marks are stale or smoothed"
        if z > 0
        else "marks bounce between bid and ask, or are corrected a day later"
    )
    remedy = "mark every session at its own close; smoothing hides risk and raises the Sharpe ratio"
    return Finding("D11", title, Severity.WARNING, f"{message}: {cause}", evidence, remedy)
