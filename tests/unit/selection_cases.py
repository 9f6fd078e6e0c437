"""Points with figures as a test wants them, in windows of invented rows."""

import dataclasses

import numpy as np

from ares7.batch_figures import EquityFigures
from ares7.point_figures import PointFigures, PointWindows
from ares7.selection import Constraints

OFF = Constraints(max_degradation=None, oos_above_baseline=False)
DEGRADATION = Constraints(oos_above_baseline=False)
ABOVE = Constraints(max_degradation=None)


def equity_of(windows, depths=None):
    """Figures of which only the windows' are set."""
    windows = np.array(windows, dtype=float)
    found = {f.name: np.full(len(windows), np.nan) for f in dataclasses.fields(EquityFigures)}
    found |= {"sharpe": windows.mean(axis=1), "cagr": np.linspace(0.1, 0.2, len(windows))}
    found |= {"window_sharpe": windows, "window_active_sharpe": windows - 1.0}
    found["window_max_drawdown"] = np.full(windows.shape, 0.2)
    if depths is not None:
        found["window_max_drawdown"][:, 0] = depths
    return EquityFigures(**found)


def windows_of(count, folds=0, years=0, sessions=50):
    """Train rows 0 to 100, then OOS windows of ``sessions`` rows; folds and years within the train rows."""
    oos = tuple(slice(100 + sessions * k, 100 + sessions * (k + 1)) for k in range(count))
    inside = tuple(slice(20 * k, 20 * k + 20) for k in range(5))
    return PointWindows(
        slice(0, 100), tuple(f"OOS{k + 1}" for k in range(count)), oos, inside[:folds], inside[:years]
    )


def points(train, oos, *, baseline=None, folds=(), years=(), depths=None, turnover=None, windows=None):
    """Figures of P points: ``train`` (P,), ``oos`` (P, W), ``folds`` (P, K), ``years`` (P, Y) Sharpe ratios."""
    count = len(train)
    found = equity_of(
        np.column_stack([train, oos, *(block for block in (folds, years) if len(block))]), depths
    )
    if windows is None:
        windows = windows_of(*(np.shape(block)[1] if len(block) else 0 for block in (oos, folds, years)))
    reference = None
    if baseline is not None:
        reference = equity_of([np.resize([0.5, *baseline], len(windows.slices))])
    return PointFigures(
        windows=windows,
        equity=found,
        baseline=reference,
        turnover=np.ones(count) if turnover is None else np.array(turnover, dtype=float),
        fees_usd=np.arange(count) * 100.0,
    )
