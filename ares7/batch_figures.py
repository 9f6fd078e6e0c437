"""Figures of thousands of equity curves at once: the batch form of `ares7.metrics` and `ares7.folds` (C8).

The definitions are theirs, and tests hold each figure of each row to theirs within 1e-12. Curves are rows; several
threads may work on different blocks of rows, since the kernel runs without Python's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ares7.arrays import AnyArray, Float1D, Float2D, Int2D
from ares7.errors import DataError
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD, returns_from_nav

_ROOT_YEAR = float(np.sqrt(SESSIONS_PER_YEAR))


@dataclass(frozen=True, slots=True)
class EquityFigures:
    """Figures of P curves over the whole period and over W windows of it.

    A figure that is not defined is NaN: no dispersion, fewer than two returns, a return after ruin (a NAV that
    is not positive), no baseline. Active returns are the curve's minus the baseline's of the same session.

    Attributes
    ----------
    sharpe, volatility, cagr, max_drawdown, calmar : (P,)
        As `ares7.metrics` defines them; the drawdown is a positive fraction.
    final_ratio : (P,)
        Last NAV over the first.
    mean, sd, skew, kurtosis : (P,)
        Of the returns, one a session: ``sd`` has ddof 1; skew m3 / m2^1.5 and kurtosis m4 / m2^2 (3 for a
        normal distribution) are of the sample, ddof 0.
    active_sharpe, active_mean, active_sd, active_skew, active_kurtosis : (P,)
        Of the active returns; no risk-free rate is subtracted, because the difference finances itself.
    window_sharpe, window_active_sharpe, window_max_drawdown : (P, W)
        Each window by itself; its drawdown starts at the NAV before its first return.
    """

    sharpe: Float1D
    volatility: Float1D
    cagr: Float1D
    max_drawdown: Float1D
    calmar: Float1D
    final_ratio: Float1D
    mean: Float1D
    sd: Float1D
    skew: Float1D
    kurtosis: Float1D
    active_sharpe: Float1D
    active_mean: Float1D
    active_sd: Float1D
    active_skew: Float1D
    active_kurtosis: Float1D
    window_sharpe: Float2D
    window_active_sharpe: Float2D
    window_max_drawdown: Float2D


def joined(blocks: Sequence[EquityFigures]) -> EquityFigures:
    """Figures of several blocks of curves, one below the other; they must have the same windows."""
    names = [field.name for field in fields(EquityFigures)]
    return EquityFigures(**{name: np.concatenate([getattr(b, name) for b in blocks]) for name in names})


def equity_figures(
    nav: Float2D,
    windows: Sequence[slice] = (),
    baseline_nav: Float1D | None = None,
    risk_free: float = 0.0,
) -> EquityFigures:
    """Figures of P equity curves.

    Parameters
    ----------
    nav : (P, T) float64
        USD at T session closes, starting value first: T - 1 returns.
    windows : sequence of W slices
        Rows of *returns*, first and one past the last, as `ares7.selection` makes them; an empty slice is a
        window that the data do not reach.
    baseline_nav : (T,), optional
        NAV that active returns are measured against; without it they are NaN.
    risk_free : float
        Annual rate subtracted in the Sharpe ratios of total returns.

    Raises
    ------
    DataError
        A curve is not finite or does not start above zero, or lengths or windows do not fit.
    """
    from ares7.figure_kernels import curve_sums  # numba takes a quarter of a second to import

    nav = _checked_curves(nav)
    points, returns = nav.shape[0], nav.shape[1] - 1
    edges = _edges(windows, returns)
    whole = np.empty((points, 2, 4))
    parts = np.empty((points, len(edges), 2, 2))
    depths = np.empty((points, 1 + len(edges)))
    curve_sums(nav, _baseline_returns(baseline_nav, returns), edges, whole, parts, depths)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return _from_sums(nav, edges[:, 1] - edges[:, 0], whole, parts, depths, risk_free)


def _from_sums(
    nav: Float2D, counts: AnyArray, whole: AnyArray, parts: AnyArray, depths: Float2D, risk_free: float
) -> EquityFigures:
    """Turn the kernel's sums into figures; divisions by nothing give NaN."""
    returns = nav.shape[1] - 1
    rate = risk_free / SESSIONS_PER_YEAR
    sd = _sd(whole[:, :, 1], returns)
    variance = np.where(sd > 0, whole[:, :, 1] / returns, np.nan)
    skew = whole[:, :, 2] / returns / variance**1.5
    kurtosis = whole[:, :, 3] / returns / variance**2
    part_sd = _sd(parts[..., 1], counts[:, None])
    final = nav[:, -1] / nav[:, 0]
    growth = np.maximum(final, 0.0) ** (SESSIONS_PER_YEAR / returns) - 1.0 if returns else final * np.nan
    return EquityFigures(
        sharpe=_sharpe(whole[:, 0, 0] - rate, sd[:, 0]),
        volatility=sd[:, 0] * _ROOT_YEAR,
        cagr=growth,
        max_drawdown=depths[:, 0],
        calmar=growth / np.where(depths[:, 0] > 0, depths[:, 0], np.nan),
        final_ratio=final,
        mean=whole[:, 0, 0],
        sd=sd[:, 0],
        skew=skew[:, 0],
        kurtosis=kurtosis[:, 0],
        active_sharpe=_sharpe(whole[:, 1, 0], sd[:, 1]),
        active_mean=whole[:, 1, 0],
        active_sd=sd[:, 1],
        active_skew=skew[:, 1],
        active_kurtosis=kurtosis[:, 1],
        window_sharpe=_sharpe(parts[:, :, 0, 0] - rate, part_sd[:, :, 0]),
        window_active_sharpe=_sharpe(parts[:, :, 1, 0], part_sd[:, :, 1]),
        window_max_drawdown=depths[:, 1:],
    )


def _sd(squares: AnyArray, count: AnyArray | int) -> AnyArray:
    """Sample standard deviation by `ares7.metrics`' rule: NaN below two values, rounding noise is 0."""
    sd = np.sqrt(np.where(np.asarray(count) >= 2, squares, np.nan) / (np.asarray(count) - 1))
    return np.where(sd <= ZERO_SD, 0.0, sd)


def _sharpe(excess: AnyArray, sd: AnyArray) -> AnyArray:
    return np.asarray(excess / np.where(sd > 0, sd, np.nan) * _ROOT_YEAR)


def _checked_curves(nav: Float2D) -> Float2D:
    nav = np.ascontiguousarray(nav, dtype=np.float64)
    if nav.ndim != 2 or nav.shape[1] == 0:
        raise DataError(
            f"equity curves have shape {nav.shape}; give (points, sessions), at least one session"
        )
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~np.isfinite(nav.sum(axis=1)) | ~(nav[:, 0] > 0))
    if len(wrong):
        point = int(wrong[0])
        row = 0 if not nav[point, 0] > 0 else int(np.argmin(np.isfinite(nav[point])))
        raise DataError(
            f"NAV of curve {point} is {nav[point, row]} at session {row} ({len(wrong)} of {len(nav)} curves); "
            "figures need finite values and a positive start; look for a missing price or a start without cash"
        )
    return nav


def _edges(windows: Sequence[slice], returns: int) -> Int2D:
    """(W, 2) first and one past the last return; `DataError` for a window outside the returns."""
    edges = np.zeros((len(windows), 2), dtype=np.int64)
    for k, window in enumerate(windows):
        first = 0 if window.start is None else window.start
        stop = returns if window.stop is None else window.stop
        if window.step not in (None, 1) or not 0 <= first <= stop <= returns:
            raise DataError(
                f"window {k} covers returns {first} to {stop} (step {window.step}) of {returns}; "
                "give an unbroken range inside them"
            )
        edges[k] = first, stop
    return edges


def _baseline_returns(baseline_nav: Float1D | None, returns: int) -> Float1D:
    if baseline_nav is None:
        return np.full(returns, np.nan)
    if np.shape(baseline_nav) != (returns + 1,):
        raise DataError(
            f"baseline NAV has shape {np.shape(baseline_nav)} for curves of {returns + 1} sessions; "
            "give one value a session"
        )
    return returns_from_nav(np.asarray(baseline_nav, dtype=np.float64))
