"""What a selection may look at: the figures of every parameter point, window by window.

Rows are returns, one a session: return i is earned from close i to close i + 1 of a NAV series, so ``dates`` are
``dates[1:]`` of it, as in `ares7.folds`. Train rows are those before the earliest out-of-sample window (OOS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ares7.arrays import Bool1D, Dates, Float1D, Float2D
from ares7.batch_figures import EquityFigures
from ares7.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ares7.config import OosWindow


@dataclass(frozen=True, slots=True)
class PointWindows:
    """Rows of returns that the figures of a point are taken over.

    Attributes
    ----------
    train : slice
        Rows before the earliest OOS window.
    names, oos : tuple
        Name and rows of each OOS window; no rows where the data do not reach it.
    folds : tuple of slice
        Test rows of purged folds, for the objective ``purged_cv``.
    years : tuple of slice
        Yearly test windows, for the objective ``walk_forward``.

    Raises
    ------
    ConfigError
        A fold or a year leaves the train rows, so that it would read an OOS window, or has no two returns.
    """

    train: slice
    names: tuple[str, ...] = ()
    oos: tuple[slice, ...] = ()
    folds: tuple[slice, ...] = ()
    years: tuple[slice, ...] = ()

    def __post_init__(self) -> None:
        for what, ranges in (("fold", self.folds), ("yearly test window", self.years)):
            for k, rows in enumerate(ranges):
                if not (self.train.start <= rows.start and rows.stop <= self.train.stop):
                    raise ConfigError(
                        f"{what} {k} covers returns {rows.start} to {rows.stop}, outside the train rows "
                        f"{self.train.start} to {self.train.stop}; make it of the rows before the earliest "
                        "out-of-sample window"
                    )
                if rows.stop - rows.start < 2:
                    raise ConfigError(
                        f"{what} {k} has {rows.stop - rows.start} returns; a Sharpe ratio needs two; "
                        "ask for fewer folds, or a longer train period"
                    )

    @property
    def slices(self) -> tuple[slice, ...]:
        """The ``windows`` of `ares7.batch_figures.equity_figures`, in the order that `PointFigures` reads."""
        return (self.train, *self.oos, *self.folds, *self.years)

    @property
    def reached(self) -> Bool1D:
        """(W,) true where the data hold a return of the OOS window."""
        return np.array([rows.stop > rows.start for rows in self.oos], dtype=bool)

    @property
    def judged(self) -> Bool1D:
        """(W,) true where the OOS window has the two returns that a Sharpe ratio needs."""
        return np.array([rows.stop - rows.start >= 2 for rows in self.oos], dtype=bool)


def point_windows(
    dates: Dates,
    windows: Sequence[OosWindow],
    folds: Sequence[slice] = (),
    years: Sequence[slice] = (),
) -> PointWindows:
    """Find the rows of train and of each OOS window.

    Parameters
    ----------
    dates : (R,) datetime64[D]
        Session in which each return was earned, ascending.
    windows : sequence of OosWindow
        Both dates inclusive; without one, every row trains.
    folds, years : sequence of slice
        Rows of returns inside the train rows; see `PointWindows`.
    """
    edges = [(np.datetime64(w.start, "D"), np.datetime64(w.end, "D")) for w in windows]
    first = min((start for start, _ in edges), default=None)
    train = len(dates) if first is None else int(np.searchsorted(dates, first))
    rows = tuple(
        slice(int(np.searchsorted(dates, start)), int(np.searchsorted(dates, end, side="right")))
        for start, end in edges
    )
    return PointWindows(slice(0, train), tuple(w.name for w in windows), rows, tuple(folds), tuple(years))


@dataclass(frozen=True, slots=True)
class PointFigures:
    """Figures of P points over W OOS windows, K folds and Y years.

    Attributes
    ----------
    windows : PointWindows
    equity : EquityFigures
        Of the P curves over ``windows.slices``.
    baseline : EquityFigures, optional
        Of the one baseline curve over the same windows.
    turnover : (P,)
        One-way, a year, over the whole run.
    fees_usd : (P,) USD
        Over the whole run.

    Raises
    ------
    DataError
        Lengths differ.
    """

    windows: PointWindows
    equity: EquityFigures
    baseline: EquityFigures | None
    turnover: Float1D
    fees_usd: Float1D

    def __post_init__(self) -> None:
        points, windows = self.count, len(self.windows.slices)
        shapes = {
            "figures of the points": (self.equity.window_sharpe.shape, (points, windows)),
            "turnover": (np.shape(self.turnover), (points,)),
            "fees": (np.shape(self.fees_usd), (points,)),
        }
        if self.baseline is not None:
            shapes["figures of the baseline"] = (self.baseline.window_sharpe.shape, (1, windows))
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise DataError(
                    f"{name} have shape {found}; {points} points and {windows} windows need {wanted}"
                )

    @property
    def count(self) -> int:
        """P."""
        return len(self.equity.sharpe)

    @property
    def train_sharpe(self) -> Float1D:
        """(P,)."""
        return self.equity.window_sharpe[:, 0]

    @property
    def train_max_drawdown(self) -> Float1D:
        """(P,) positive fractions."""
        return self.equity.window_max_drawdown[:, 0]

    @property
    def oos_sharpe(self) -> Float2D:
        """(P, W)."""
        return self.equity.window_sharpe[:, 1 : 1 + len(self.windows.oos)]

    @property
    def oos_active_sharpe(self) -> Float2D:
        """(P, W) of the returns minus the baseline's."""
        return self.equity.window_active_sharpe[:, 1 : 1 + len(self.windows.oos)]

    @property
    def oos_max_drawdown(self) -> Float2D:
        """(P, W) positive fractions."""
        return self.equity.window_max_drawdown[:, 1 : 1 + len(self.windows.oos)]

    @property
    def baseline_oos_sharpe(self) -> Float1D:
        """(W,); NaN without a baseline."""
        if self.baseline is None:
            return np.full(len(self.windows.oos), np.nan)
        return self.baseline.window_sharpe[0, 1 : 1 + len(self.windows.oos)]

    @property
    def fold_sharpe(self) -> Float2D:
        """(P, K) Sharpe ratio of each fold's test rows."""
        first = 1 + len(self.windows.oos)
        return self.equity.window_sharpe[:, first : first + len(self.windows.folds)]

    @property
    def yearly_sharpe(self) -> Float2D:
        """(P, Y)."""
        return self.equity.window_sharpe[:, 1 + len(self.windows.oos) + len(self.windows.folds) :]

    @property
    def min_oos_sharpe(self) -> Float1D:
        """(P,) over the OOS windows that have a ratio, as `ares7.folds.oos_windows` has it; NaN without one."""
        known = np.where(np.isfinite(self.oos_sharpe), self.oos_sharpe, np.inf)
        lowest = np.min(known, axis=1, initial=np.inf)
        return np.where(np.isfinite(lowest), lowest, np.nan)

    @property
    def degradation(self) -> Float1D:
        """(P,) batch form of `ares7.folds.degradation`: NaN where the train ratio is not positive."""
        known = np.isfinite(self.oos_sharpe)
        count = known.sum(axis=1)
        mean = np.where(known, self.oos_sharpe, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan)
        train = np.where(self.train_sharpe > 0, self.train_sharpe, np.nan)
        with np.errstate(over="ignore"):  # a train ratio of nearly nothing
            return np.asarray((train - mean) / train)


def mean_over(sharpe: Float2D) -> Float1D:
    """(P,) mean over (P, K) windows; NaN where any of them is, or there is none."""
    if not sharpe.shape[1]:
        return np.full(len(sharpe), np.nan)
    return np.asarray(sharpe.mean(axis=1))
