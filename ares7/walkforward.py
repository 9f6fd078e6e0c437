"""Re-optimise, hold, repeat: which point each year would have been chosen, and the book that follows the choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D, Int1D
from ares7.batch_figures import EquityFigures
from ares7.book import RegimeLabels, Targets
from ares7.errors import ConfigError
from ares7.purged import Fold, Window, paths
from ares7.selection import SelectionConfig

READS_TRAIN = ("train_sharpe", "purged_cv")
"""Objectives that look at train rows alone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One re-optimisation.

    Attributes
    ----------
    window : Window
    row : int or None
        The chosen point; None where no point satisfies the constraints: the point before it stays, or cash.
    held : int or None
        The point that the test window holds.
    train_sharpe, test_sharpe : float
        Of the held point's own curve; NaN where cash is held.
    rank : int
        Of the held point's test Sharpe ratio among all points; 1 is the best, 0 for cash.
    allowed : int
        Points that satisfied the constraints.
    """

    window: Window
    row: int | None
    held: int | None
    train_sharpe: float
    test_sharpe: float
    rank: int
    allowed: int


def require_train_only(rule: SelectionConfig) -> None:
    """Refuse a rule that a re-optimisation could not have followed at the time.

    Raises
    ------
    ConfigError
    """
    if rule.objective not in READS_TRAIN:
        raise ConfigError(
            f"search.walkforward.selection.objective {rule.objective} reads windows that lie ahead of a "
            f"re-optimisation; use one of {', '.join(READS_TRAIN)}"
        )
    if rule.constraints.max_turnover is not None:
        raise ConfigError(
            "search.walkforward.selection.constraints.max_turnover is measured over the whole run, which lies "
            "ahead of a re-optimisation; set it to null"
        )


def slices_of(windows: Sequence[Window], folds: int) -> list[slice]:
    """Rows of returns that `choose` reads of every point: each train window, its folds, each test window."""
    out = []
    for window in windows:
        edges = np.linspace(window.train.start, window.train.stop, folds + 1).astype(int)
        out += [window.train, *(slice(a, b) for a, b in pairwise(edges.tolist()))]
        out.append(window.test)
    return out


def choose(
    figures: EquityFigures, windows: Sequence[Window], rule: SelectionConfig, folds: int
) -> list[Choice]:
    """Choose a point at each re-optimisation, by its train rows alone.

    Of the constraints, only the drawdown of the train rows can be known then; degradation and the comparison with
    the baseline judge the stitched result (`ares7.selection`).

    Parameters
    ----------
    figures : EquityFigures
        Of P points over `slices_of` the windows.
    windows : sequence of Window
    rule : SelectionConfig
    folds : int
        Parts of the train rows whose mean Sharpe ratio ``purged_cv`` maximises.
    """
    width, held, out = folds + 2, None, []
    for i, window in enumerate(windows):
        sharpe = figures.window_sharpe[:, i * width : (i + 1) * width]
        train, test = sharpe[:, 0], sharpe[:, -1]
        score = train if rule.objective == "train_sharpe" else sharpe[:, 1:-1].mean(axis=1)
        allowed = np.isfinite(score)
        if rule.constraints.max_drawdown is not None:
            allowed &= figures.window_max_drawdown[:, i * width] <= rule.constraints.max_drawdown
        row = int(np.argmax(np.where(allowed, score, -np.inf))) if allowed.any() else None
        held = held if row is None else row
        own = (math.nan, math.nan, 0) if held is None else (train[held], test[held], _rank(test, held))
        out.append(Choice(window, row, held, float(own[0]), float(own[1]), own[2], int(allowed.sum())))
    return out


def _rank(values: Float1D, row: int) -> int:
    return 1 + int(np.count_nonzero(values > values[row])) if math.isfinite(values[row]) else 0


def stitch(panel_dates: Dates, names: int, parts: Sequence[tuple[int, Targets | None]]) -> Targets:
    """Follow one book after the other.

    Parameters
    ----------
    panel_dates : (T,)
    names : int
        N.
    parts : sequence of (row, Targets or None)
        Panel row at whose close each book takes over, increasing; it is a decision, so what the change of
        parameters trades is traded and paid for there. None holds cash.

    Returns
    -------
    Targets
        Cash before the first row.
    """
    count = len(panel_dates)
    weights, decide = np.zeros((count, names)), np.zeros(count, dtype=bool)
    on_switch = np.zeros(count, dtype=bool)
    sleeves: dict[str, Float1D] = {}
    raw, held = np.full(count, -1, np.int8), np.full(count, -1, np.int8)
    ends = [row for row, _ in parts[1:]] + [count]
    for (first, targets), stop in zip(parts, ends, strict=True):
        rows = slice(first, stop)
        if targets is not None:
            weights[rows], decide[rows] = targets.weights[rows], targets.decide[rows]
            on_switch[rows] = targets.on_switch[rows]
            for name, values in targets.sleeves.items():
                sleeves.setdefault(name, np.zeros(count))[rows] = values[rows]
            if targets.regime is not None:
                raw[rows], held[rows] = targets.regime.raw[rows], targets.regime.held[rows]
        decide[first] = True
    known = all(targets is not None and targets.regime is not None for _, targets in parts)
    begin = parts[0][0]
    for labels in (raw, held):
        labels[:begin] = labels[begin]
    return Targets(weights, decide, on_switch, RegimeLabels(raw, held) if known else None, sleeves)


@dataclass(frozen=True, slots=True)
class Combinatorial:
    """Combinatorial purged cross-validation of a choice.

    Attributes
    ----------
    paths : (phi,) float64
        Annual Sharpe ratio of each stitched path.
    rows : (splits,) int64
        Point chosen by each split's train rows.
    """

    paths: Float1D
    rows: Int1D


def combinatorial(returns: Float2D, folds: Sequence[Fold], groups: int, test_groups: int) -> Combinatorial:
    """Choose on the train rows of every split, test on the rest, and stitch the tests into paths.

    A path takes each group's returns from the point that the split chose; what changing points would cost within
    a path is not charged. Source: Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 12.

    Parameters
    ----------
    returns : (P, R) fractions
    folds : sequence of Fold
        `ares7.purged.combinatorial_folds` of the R rows.
    groups, test_groups : int
        Those of the folds.
    """
    masks = np.array([fold.train for fold in folds], dtype=np.float64)
    count = masks.sum(axis=1)
    mean = returns @ masks.T / count
    square = (returns * returns) @ masks.T / count
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
    ratio = np.divide(mean, spread, out=np.full_like(mean, -np.inf), where=spread > 0)
    rows = np.argmax(ratio, axis=0)
    slices = {g: part for fold in folds for g, part in zip(fold.groups, fold.tests, strict=True)}
    sharpes = []
    for path in paths(groups, test_groups).tolist():
        stitched = np.concatenate([returns[rows[split], slices[g]] for g, split in enumerate(path)])
        sd = stitched.std(ddof=1)
        sharpes.append(stitched.mean() / sd * math.sqrt(252.0) if sd > 0 else math.nan)
    return Combinatorial(np.array(sharpes), rows.astype(np.int64))


def stability(choices: Sequence[Choice], values: Sequence[dict[str, object]]) -> dict[str, int]:
    """How often each axis changed its value from one re-optimisation to the next."""
    held = [values[i] for i, choice in enumerate(choices) if choice.held is not None]
    names = held[0].keys() if held else ()
    return {name: sum(a[name] != b[name] for a, b in pairwise(held)) for name in names}


def decided_rows(dates: Dates, windows: Sequence[Window]) -> Int1D:
    """Panel rows at whose close each window's choice takes over."""
    return np.searchsorted(dates, np.array([w.decided for w in windows], "datetime64[D]")).astype(np.int64)
