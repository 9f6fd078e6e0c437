"""What a strategy decides on given data, and where two answers differ."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Float1D, Float2D, Int1D
from ares7.audit.finding import Severity
from ares7.audit.subject import Subject
from ares7.book import FRESH_SESSIONS, Targets
from ares7.errors import Ares7Error
from ares7.panel import Panel

ROUNDING = 1e-12
"""Weights that differ by no more agree: sums of another shape round differently."""
NEGLIGIBLE = 1e-9
"""Differences up to here warn."""
SAME_FACTOR_ROWS = 20
"""Sessions that must show the same ratio before a difference is called a constant scaling."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The strategy gave no answer.

    Attributes
    ----------
    message : str
        One line.
    refused : bool
        It said so itself, with one of `ares7.errors`.
    """

    message: str
    refused: bool


@dataclass(frozen=True, slots=True)
class ExposureGap:
    """First session on which the sum of a row, or the risk scale, differs.

    Attributes
    ----------
    row : int
    wanted, got : float
        Fractions of NAV.
    factor : float or None
        ``got / wanted`` where it is the same in every session: the whole book is scaled by one number.
    """

    row: int
    wanted: float
    got: float
    factor: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two answers about the same sessions, and how they differ.

    Attributes
    ----------
    row : int
        First row of the panel that differs.
    column : int
        Name that differs most there.
    what : str
        ``weights``, ``decide``, ``on_switch`` or ``scale``.
    amount : float
        Largest difference of a weight, in any row; fraction of NAV. Infinite where one is no number.
    rows : int
        Rows that differ.
    exposure : ExposureGap or None
    """

    row: int
    column: int
    what: str
    amount: float
    rows: int
    exposure: ExposureGap | None = None

    @property
    def severity(self) -> Severity:
        """Rounding passes; a difference without consequence warns; every other one fails."""
        if self.what != "weights" or self.amount > NEGLIGIBLE:
            return Severity.FAILURE
        return Severity.WARNING if self.amount > ROUNDING else Severity.PASS


Answer = Targets | Raised
Outcome = Difference | Raised | None
"""What comparing gives: None where both agree to the last bit."""


def fails(outcome: Outcome) -> bool:
    """Whether an outcome proves that something is wrong."""
    return isinstance(outcome, Difference) and outcome.severity is Severity.FAILURE


def figure(amount: float) -> float | str:
    """Three digits of a difference, as JSON can hold it."""
    return float(f"{amount:.3g}") if np.isfinite(amount) else "not a number"


def answer(make: Callable[[], object], panel: Panel) -> Answer:
    """Call a strategy, and say in one line what it did if it gave no target rows of the panel's shape."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            targets = make()
        except (
            Exception
        ) as error:  # the strategy is the user's code and may fail in any way: that is a finding
            said = (str(error).splitlines() or [""])[0]
            return Raised(f"{type(error).__name__}: {said}", isinstance(error, Ares7Error))
    return _whole(targets, panel)


def decided(subject: Subject, panel: Panel) -> Answer:
    """What the subject's strategy decides on other data."""
    return answer(lambda: subject.weights(panel, subject.settings), panel)


def _whole(targets: object, panel: Panel) -> Answer:
    if not isinstance(targets, Targets):
        return Raised(f"gives {type(targets).__name__} instead of Targets", refused=False)
    count = len(panel.dates)
    shapes = [("weights", targets.weights, panel.shape), ("decide", targets.decide, (count,))]
    shapes += [("on_switch", targets.on_switch, (count,))]
    for name, values, shape in shapes:
        if np.shape(values) != shape:
            return Raised(f"gives {name} of shape {np.shape(values)} for a panel of {shape}", refused=False)
    return targets


def part(targets: Targets, first: int, stop: int) -> Targets:
    """Rows ``first`` to ``stop`` (exclusive) of what is traded on."""
    scale = None if targets.scale is None else targets.scale[first:stop]
    return Targets(
        targets.weights[first:stop], targets.decide[first:stop], targets.on_switch[first:stop], scale=scale
    )


def compare(wanted: Targets, got: Targets, first: int) -> Difference | None:
    """Compare two answers about the same R sessions.

    Parameters
    ----------
    wanted, got : Targets
        (R, N) weights and (R,) masks.
    first : int
        Row of the panel that row 0 is.

    Returns
    -------
    Difference or None
        None where they agree to the last bit.
    """
    masks = _mask_gaps(wanted, got)
    if np.array_equal(wanted.weights, got.weights) and not any(gap.any() for gap in masks.values()):
        return None
    gap = _weight_gap(wanted.weights, got.weights)
    largest = gap.max(axis=1, initial=0.0)
    marked = np.any(list(masks.values()), axis=0)
    rows = np.flatnonzero((largest > ROUNDING) | marked)
    rows = rows if len(rows) else np.flatnonzero(largest > 0)
    if not len(rows):
        return None
    row = int(rows[0])
    what = "weights"
    if largest[row] <= ROUNDING and marked[row]:
        what = next(name for name, differs in masks.items() if differs[row])
    return Difference(
        row=first + row,
        column=int(np.argmax(gap[row])),
        what=what,
        amount=float(largest.max()),
        rows=len(rows),
        exposure=_exposure_gap(wanted, got, first),
    )


def _mask_gaps(wanted: Targets, got: Targets) -> dict[str, Bool1D]:
    gaps = {"decide": wanted.decide != got.decide, "on_switch": wanted.on_switch != got.on_switch}
    if wanted.scale is not None and got.scale is not None:
        gaps["scale"] = ~np.isclose(wanted.scale, got.scale, rtol=0, atol=ROUNDING, equal_nan=True)
    return gaps


def _weight_gap(wanted: Float2D, got: Float2D) -> Float2D:
    gap = np.abs(wanted - got)
    gap[np.isnan(wanted) & np.isnan(got)] = 0.0
    return np.where(np.isnan(gap), np.inf, gap)


def _exposure_gap(wanted: Targets, got: Targets, first: int) -> ExposureGap | None:
    before, after = (np.nansum(targets.weights, axis=1) for targets in (wanted, got))
    differs = np.abs(before - after) > NEGLIGIBLE
    if wanted.scale is not None and got.scale is not None and not differs.any():
        before, after = wanted.scale, got.scale
        differs = np.abs(before - after) > NEGLIGIBLE
    if not differs.any():
        return None
    row = int(np.argmax(differs))
    return ExposureGap(first + row, float(before[row]), float(after[row]), _factor(before, after))


def _factor(before: Float1D, after: Float1D) -> float | None:
    invested = (before > NEGLIGIBLE) | (after > NEGLIGIBLE)
    before, after = before[invested], after[invested]
    if len(before) < SAME_FACTOR_ROWS or not (np.minimum(before, after) > NEGLIGIBLE).all():
        return None
    ratio = after / before
    return float(ratio[0]) if np.ptp(ratio) <= 1e-9 * abs(ratio[0]) else None


def sampled_rows(panel: Panel, targets: Targets, first: int, count: int) -> Int1D:
    """Rows that are most likely to show a leak, spread over the period.

    The first and the last rows, changes of the regime, decisions, month ends and their neighbours, sessions
    before, of and after big moves, decisions on which some name has no bar; in turn until there are ``count``.

    Parameters
    ----------
    panel : Panel
    targets : Targets
        Of the whole panel.
    first : int
        First row that may be taken.
    count : int

    Returns
    -------
    (R,) int64, increasing
    """
    last = len(panel.dates) - 1
    month = _within(np.flatnonzero(panel.month_end), first, last)
    decisions = _within(np.flatnonzero(targets.decide), first, last)
    big = _big_moves(panel, first)
    groups = [
        np.array([first, last, last - 1]),
        _within(np.flatnonzero(targets.on_switch), first, last),
        decisions,
        month,
        np.concatenate([big - 1, big, big + 1]),
        _silent(panel, decisions),
        month - 1,
        month + 1,
        np.arange(first, last + 1),
    ]
    each = -(-count // len(groups))
    taken: list[int] = [first, last]
    for share in (each, 2 * each, count):
        for group in groups:
            room = _within(np.unique(group), first, last)
            taken += _spread(room[~np.isin(room, taken)], min(share, count - len(set(taken)))).tolist()
            if len(set(taken)) >= count:
                break
    return np.unique(np.array(taken, dtype=np.int64))


def _within(rows: Int1D, first: int, last: int) -> Int1D:
    return rows[(rows >= first) & (rows <= last)]


def _spread(rows: Int1D, count: int) -> Int1D:
    """At most ``count`` of some rows, evenly spaced."""
    if count <= 0 or len(rows) <= count:
        return rows[: max(count, 0)]
    return rows[((np.arange(count) + 0.5) * len(rows) / count).astype(np.int64)]


def _silent(panel: Panel, decisions: Int1D) -> Int1D:
    """Decisions on which a name has no bar that had one five sessions before."""
    late = decisions[decisions >= FRESH_SESSIONS]
    return late[(panel.bar[late - FRESH_SESSIONS] & ~panel.bar[late]).any(axis=1)]


def _big_moves(panel: Panel, first: int) -> Int1D:
    """Rows of the ten largest moves of the index, or of the mean name without one."""
    with np.errstate(all="ignore"):
        close = panel.series.get("index", panel.fields["close"])
        moves = np.abs(close[1:] / close[:-1] - 1.0)
    moves = np.where(np.isfinite(moves), moves, 0.0)
    size = moves if moves.ndim == 1 else moves.mean(axis=1)
    size = np.concatenate([[0.0], size])
    size[:first] = 0.0
    return np.argsort(-size, kind="stable")[:10].astype(np.int64)
