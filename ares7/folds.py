"""Named in-sample and out-of-sample windows: the figures of each, and how they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ares7.arrays import Bool1D, Dates, Float1D
from ares7.errors import DataError
from ares7.metrics import cagr, max_drawdown, sharpe, sharpe_standard_error

if TYPE_CHECKING:
    from ares7.config import OosWindow


def degradation(train_sharpe: float, oos_sharpes: Sequence[float]) -> float:
    """(train Sharpe - mean OOS Sharpe) / train Sharpe.

    NaN without an OOS figure, and where the train Sharpe is not positive: a share of it would mean nothing.
    """
    if not train_sharpe > 0 or len(oos_sharpes) == 0:
        return math.nan
    return (train_sharpe - float(np.mean(oos_sharpes))) / train_sharpe


def oos_windows(
    dates: Dates,
    returns: Float1D,
    baseline_returns: Float1D | None,
    windows: Sequence[OosWindow],
    *,
    risk_free: float = 0.0,
    calendar: str | Dates | None = "XNYS",
) -> dict[str, Any]:
    """Figures of each out-of-sample window, and of the rows before the first one.

    Parameters
    ----------
    dates : (R,) datetime64[D]
        Session in which each return was earned: ``dates[1:]`` of a NAV series.
    returns, baseline_returns : (R,) fractions
    windows : sequence of OosWindow
        Both dates inclusive; they may overlap.
    risk_free : float
        Annual rate.
    calendar : str, (C,) datetime64[D] or None
        Exchange that counts a window's sessions, or those sessions; None leaves them unknown.

    Returns
    -------
    dict
        ``windows``: a dict each of ``name start end sessions expected_sessions cut_short reached sharpe
        sharpe_se cagr max_drawdown baseline_sharpe beats_baseline``. A window without data is there, with
        ``reached`` false; ``beats_baseline`` is None where either Sharpe ratio is NaN. ``train_sharpe
        train_sharpe_se train_sessions`` over the rows before the earliest window; ``min_sharpe
        mean_sharpe`` over the windows that have a Sharpe ratio; ``degradation``. ``expected_sessions`` leaves
        out the session of the starting value, which earns no return.

    Raises
    ------
    DataError
        The series differ in length.
    """
    for name, series in (("returns", returns), ("baseline_returns", baseline_returns)):
        if series is not None and len(series) != len(dates):
            raise DataError(
                f"{name} has {len(series)} rows for {len(dates)} dates; give one return a session"
            )
    expected = _expected_sessions(dates, windows, calendar)
    rows = [
        _window(dates, returns, baseline_returns, window, risk_free) | _coverage(dates, window, count)
        for window, count in zip(windows, expected, strict=True)
    ]
    first = min((np.datetime64(w.start, "D") for w in windows), default=None)
    train = returns if first is None else returns[dates < first]
    train_sharpe = sharpe(train, risk_free)
    known = [row["sharpe"] for row in rows if math.isfinite(row["sharpe"])]
    return {
        "windows": rows,
        "train_sharpe": train_sharpe,
        "train_sharpe_se": sharpe_standard_error(train, risk_free),
        "train_sessions": len(train),
        "min_sharpe": min(known, default=math.nan),
        "mean_sharpe": float(np.mean(known)) if known else math.nan,
        "degradation": degradation(train_sharpe, known),
    }


def _expected_sessions(
    dates: Dates, windows: Sequence[OosWindow], calendar: str | Dates | None
) -> list[int | None]:
    if calendar is None or not windows:
        return [None] * len(windows)
    edges = [(np.datetime64(w.start, "D"), np.datetime64(w.end, "D")) for w in windows]
    if isinstance(calendar, str):
        from ares7.sessions import sessions

        known = sessions(min(first for first, _ in edges), max(last for _, last in edges), calendar)
    else:
        known = calendar
    starting = known[known < dates[0]][-1:] if len(dates) else known[:0]
    known = np.setdiff1d(known, starting)
    return [int(np.count_nonzero((known >= first) & (known <= last))) for first, last in edges]


def _inside(dates: Dates, window: OosWindow) -> Bool1D:
    return np.asarray((dates >= np.datetime64(window.start, "D")) & (dates <= np.datetime64(window.end, "D")))


def _coverage(dates: Dates, window: OosWindow, expected: int | None) -> dict[str, Any]:
    count = int(np.count_nonzero(_inside(dates, window)))
    return {
        "sessions": count,
        "expected_sessions": expected,
        "cut_short": None if expected is None else count < expected,
        "reached": count > 0,
    }


def _window(
    dates: Dates, returns: Float1D, baseline: Float1D | None, window: OosWindow, risk_free: float
) -> dict[str, Any]:
    inside = _inside(dates, window)
    own = returns[inside]
    growth = np.append(1.0, np.cumprod(1.0 + own))  # the window's own NAV, its starting value included
    figure = sharpe(own, risk_free)
    reference = math.nan if baseline is None else sharpe(baseline[inside], risk_free)
    comparable = math.isfinite(figure) and math.isfinite(reference)
    return {
        "name": window.name,
        "start": str(window.start),
        "end": str(window.end),
        "sharpe": figure,
        "sharpe_se": sharpe_standard_error(own, risk_free),
        "cagr": cagr(growth),
        "max_drawdown": max_drawdown(growth) if len(own) else math.nan,
        "baseline_sharpe": reference,
        "beats_baseline": figure > reference if comparable else None,
    }
