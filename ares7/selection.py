"""The rule by which the best of many parameter points is chosen, and what the choice has looked at (C10).

An objective ranks the points, constraints reject some of them; both are settings. An out-of-sample window (OOS) that
took part, because the objective or a constraint reads it, is named in `Selection.contaminated`: its figures for the
chosen point are no longer out of sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ares7.arrays import Bool1D, Float1D, Int1D
from ares7.errors import ConfigError, DataError
from ares7.point_figures import PointFigures, PointWindows, mean_over

Objective = Literal["train_sharpe", "oos_min_sharpe", "purged_cv", "walk_forward"]
NO_POINT = "no point satisfies the constraints"
NO_SCORE = "no point has the objective's figure"
_NEEDS: dict[str, tuple[str, ...]] = {
    "train_sharpe": ("train",),
    "oos_min_sharpe": ("oos",),
    "purged_cv": ("folds",),
    "walk_forward": ("years",),
    "max_degradation": ("train", "oos"),
    "oos_above_baseline": ("oos", "baseline"),
    "max_drawdown": ("train",),
    "max_turnover": (),
}
_MISSING = {
    "train": "fewer than two returns lie before the earliest out-of-sample window; start earlier or move oos",
    "oos": "the data hold no two returns of any out-of-sample window; change oos",
    "folds": "there is no purged fold of the train rows; ask for folds",
    "years": "no test year lies before the earliest out-of-sample window; start earlier or move oos",
    "baseline": "there is no baseline; name one",
}
_READ_OOS = frozenset({"oos_min_sharpe", "max_degradation", "oos_above_baseline", "max_turnover"})


class Constraints(BaseModel):
    """What a point must satisfy to be chosen; null or false switches a constraint off.

    A figure that is NaN satisfies nothing. The defaults are the roadmap's for a grid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_degradation: float | None = Field(default=0.10, allow_inf_nan=False)
    """(train Sharpe - mean OOS Sharpe) / train Sharpe must be below this. Reads the OOS windows."""
    oos_above_baseline: bool = True
    """The Sharpe ratio of every OOS window that the data reach must be above the baseline's. Reads them."""
    max_drawdown: float | None = Field(default=None, gt=0, le=1)
    """Positive fraction; the deepest drawdown of the train rows may not be deeper."""
    max_turnover: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """One-way, a year, over the whole run, which includes the OOS windows."""

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the constraints that are switched on."""
        return tuple(name for name, value in self if value is not None and value is not False)


class SelectionConfig(BaseModel):
    """How the best point is chosen.

    ``train_sharpe`` looks at the rows before the earliest OOS window alone. ``purged_cv`` is the mean over purged
    folds of those rows, ``walk_forward`` over their yearly test windows; the re-choosing of parameters every
    year, whose stitched result a walk-forward reports, is not a property of one point. ``oos_min_sharpe`` is the
    published rule, the lowest OOS ratio: it chooses by the windows that it is then judged by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    objective: Objective = "train_sharpe"
    constraints: Constraints = Constraints()


UNCONSTRAINED = Constraints(max_degradation=None, oos_above_baseline=False)
"""Any point may be chosen, and no out-of-sample window takes part."""
WALK_FORWARD = SelectionConfig(constraints=Constraints(max_degradation=0.05))
"""The roadmap's rule for a walk-forward: its limit is half of the grid's."""


@dataclass(frozen=True, slots=True)
class Rejections:
    """Points that a constraint rejects.

    Attributes
    ----------
    alone : int
        Whatever the others say.
    cumulative : int
        Together with all constraints before it.
    """

    alone: int
    cumulative: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The answer of `select`.

    Attributes
    ----------
    objective : str
    best : int or None
        Number of the chosen point; None where no point may be chosen.
    reason : str or None
        Why there is none.
    leader : int or None
        The point of the highest score, whatever the constraints say.
    score : (P,)
        The objective; NaN where it is not defined.
    satisfied : dict of (P,) bool
        By constraint that is on, first of all ``score``: whether the point has the objective's figure.
    rejections : dict of Rejections
        Likewise; the last cumulative count and the points that may be chosen add up to P.
    rank : (P,) int64
        1 is the best; 0 for points that are rejected. Equal scores rank by point number.
    contaminated : tuple of str
        OOS windows that took part.
    """

    objective: Objective
    best: int | None
    reason: str | None
    leader: int | None
    score: Float1D
    satisfied: Mapping[str, Bool1D]
    rejections: Mapping[str, Rejections]
    rank: Int1D
    contaminated: tuple[str, ...]


def require_readable(
    windows: PointWindows, objective: Objective, constraints: Constraints, *, baseline: bool
) -> None:
    """Refuse a rule that has nothing to read, before any point is evaluated.

    Raises
    ------
    ConfigError
        Naming the setting, what is missing and the remedy.
    """
    there = {
        "train": windows.train.stop - windows.train.start >= 2,
        "oos": bool(windows.judged.any()),
        "folds": bool(windows.folds),
        "years": bool(windows.years),
        "baseline": baseline,
    }
    for setting in (objective, *constraints.on):
        for thing in _NEEDS[setting]:
            if not there[thing]:
                raise ConfigError(
                    f"search.selection: {setting} has nothing to read: {_MISSING[thing]}, or choose without it"
                )


def select(figures: PointFigures, objective: Objective, constraints: Constraints) -> Selection:
    """Choose the best point.

    Parameters
    ----------
    figures : PointFigures
        Of P points.
    objective : str
    constraints : Constraints

    Returns
    -------
    Selection
        Without a best point where none satisfies the constraints: that is an answer, not an error.

    Raises
    ------
    ConfigError
        The rule has nothing to read; see `require_readable`.
    DataError
        There is no point.
    """
    if figures.count == 0:
        raise DataError("there is no point to choose from; give a grid of at least one")
    require_readable(figures.windows, objective, constraints, baseline=figures.baseline is not None)
    score = objective_scores(figures)[objective]
    satisfied = {"score": np.isfinite(score)} | _satisfied(figures, constraints)
    allowed: Bool1D = np.ones(figures.count, dtype=np.bool_)
    rejections = {}
    for name, passed in satisfied.items():
        allowed &= passed
        rejections[name] = Rejections(int((~passed).sum()), int((~allowed).sum()))
    rank = np.zeros(figures.count, dtype=np.int64)
    order = _by_score(score, allowed)
    rank[order] = np.arange(1, len(order) + 1)
    scored = _by_score(score, satisfied["score"])
    return Selection(
        objective=objective,
        best=int(order[0]) if len(order) else None,
        reason=None if len(order) else NO_POINT if len(scored) else NO_SCORE,
        leader=int(scored[0]) if len(scored) else None,
        score=score,
        satisfied=satisfied,
        rejections=rejections,
        rank=rank,
        contaminated=contaminated(figures.windows, objective, constraints),
    )


def objective_scores(figures: PointFigures) -> dict[Objective, Float1D]:
    """(P,) scores of every objective; NaN where a point, or the run, does not have it."""
    return {
        "train_sharpe": figures.train_sharpe,
        "oos_min_sharpe": figures.min_oos_sharpe,
        "purged_cv": mean_over(figures.fold_sharpe),
        "walk_forward": mean_over(figures.yearly_sharpe),
    }


def contaminated(windows: PointWindows, objective: Objective, constraints: Constraints) -> tuple[str, ...]:
    """Names of the OOS windows with data that a selection by this rule reads (C10)."""
    if _READ_OOS.isdisjoint((objective, *constraints.on)):
        return ()
    return tuple(name for name, seen in zip(windows.names, windows.reached, strict=True) if seen)


def _satisfied(figures: PointFigures, constraints: Constraints) -> dict[str, Bool1D]:
    """(P,) bool of each constraint that is on; comparisons with NaN are false."""
    passed: dict[str, Bool1D] = {}
    if constraints.max_degradation is not None:
        passed["max_degradation"] = figures.degradation < constraints.max_degradation
    if constraints.oos_above_baseline:
        above = figures.oos_sharpe > figures.baseline_oos_sharpe
        passed["oos_above_baseline"] = np.asarray(above[:, figures.windows.judged].all(axis=1))
    if constraints.max_drawdown is not None:
        passed["max_drawdown"] = figures.train_max_drawdown <= constraints.max_drawdown
    if constraints.max_turnover is not None:
        passed["max_turnover"] = figures.turnover <= constraints.max_turnover
    return passed


def _by_score(score: Float1D, among: Bool1D) -> Int1D:
    """Point numbers of the highest score first; equal scores by number."""
    points = np.flatnonzero(among)
    return points[np.argsort(-score[points], kind="stable")]
