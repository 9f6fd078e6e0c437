"""The roadmap's target figures beside the honest ones.

Only reports read them: no choice depends on a target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ares7.errors import DataError

What = Literal["sharpe", "max_drawdown", "oos_min_sharpe", "degradation"]


class PhaseGoals(BaseModel):
    """Targets of one phase; null is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sharpe: float | None = Field(default=None, allow_inf_nan=False)
    """At least."""
    max_drawdown: float | None = Field(default=None, gt=0, le=1)
    """Positive fraction, at most."""
    oos_min_sharpe: float | None = Field(default=None, allow_inf_nan=False)
    """Lowest Sharpe ratio of the out-of-sample windows, at least."""
    degradation: float | None = Field(default=None, allow_inf_nan=False)
    """(train Sharpe - mean OOS Sharpe) / train Sharpe, below."""


class Goals(BaseModel):
    """The roadmap's targets: phase 5 is the grid, phase 6 the walk-forward, ``goal`` where it wants to end."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    phase3: PhaseGoals = PhaseGoals(sharpe=3.30, max_drawdown=0.12, oos_min_sharpe=2.95)
    phase4: PhaseGoals = PhaseGoals(sharpe=3.40, max_drawdown=0.11, oos_min_sharpe=3.00)
    phase5: PhaseGoals = PhaseGoals(sharpe=3.50, max_drawdown=0.10, oos_min_sharpe=3.10, degradation=0.10)
    phase6: PhaseGoals = PhaseGoals(degradation=0.05)
    goal: PhaseGoals = PhaseGoals(degradation=0.0)


@dataclass(frozen=True, slots=True)
class Honest:
    """A measured figure.

    Attributes
    ----------
    value : float
        NaN where it is not defined.
    low, high : float
        Ends of its confidence interval; NaN where there is none.

    Raises
    ------
    DataError
        The ends are the wrong way round.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise DataError(
                f"interval from {self.low} to {self.high} of {self.value}; give the lower end first"
            )


def compare(goals: Goals, figures: Mapping[str, Mapping[str, Honest]]) -> list[dict[str, Any]]:
    """Every target beside the honest figure of the same phase.

    Parameters
    ----------
    goals : Goals
    figures : mapping of phase to mapping of what to Honest
        Phases and names are those of `Goals` and `PhaseGoals`; what was not measured is left out.

    Returns
    -------
    list of dict
        ``phase what relation target figure low high met``, in the order of the phases. ``relation`` is
        ``at least``, ``at most`` or ``below``; ``met`` judges the figure, not its interval, and is None where
        the figure is missing or NaN.

    Raises
    ------
    DataError
        A phase or a figure that `Goals` does not know.
    """
    _require_known(figures)
    rows = []
    for phase in Goals.model_fields:
        targets: PhaseGoals = getattr(goals, phase)
        for what in PhaseGoals.model_fields:
            target = getattr(targets, what)
            if target is not None:
                found = figures.get(phase, {}).get(what, Honest(math.nan))
                rows.append({"phase": phase, "what": what, **_row(what, target, found)})
    return rows


def _require_known(figures: Mapping[str, Mapping[str, Honest]]) -> None:
    for phase, known in figures.items():
        for name, names in (
            (phase, Goals.model_fields),
            *((what, PhaseGoals.model_fields) for what in known),
        ):
            if name not in names:
                raise DataError(
                    f"targets know no {name!r} (figures of {phase}); they know {', '.join(names)}"
                )


def _row(what: str, target: float, found: Honest) -> dict[str, Any]:
    if what == "max_drawdown":
        relation, met = "at most", found.value <= target
    elif what == "degradation":
        relation, met = "below", found.value < target
    else:
        relation, met = "at least", found.value >= target
    return {
        "relation": relation,
        "target": target,
        "figure": found.value,
        "low": found.low,
        "high": found.high,
        "met": None if math.isnan(found.value) else met,
    }
