"""Quality-momentum: an equal-weight base tilted to the best fifth, acting in BULL only."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ares7.arrays import Bool1D, Bool2D, Float1D, Float2D, Int1D
from ares7.book import (
    MONTH_SESSIONS,
    Plan,
    RegimeLabels,
    Sleeve,
    Targets,
    assemble,
    decision_mask,
    month_end_rows,
    regime_labels,
)
from ares7.grid import Grid
from ares7.overlay.params import OverlayParams
from ares7.overlay.tilting import OverlaidParams, due, overlaid
from ares7.panel import Panel
from ares7.params import BookParams, RegimeParams
from ares7.signals.cross_section import leg, merge, normalised, places, standard_score
from ares7.signals.momentum import momentum
from ares7.signals.regime import Regime
from ares7.stages import Memo, Remembered, compute, stage
from strategies.base import PortfolioStrategy

SLOTS = (
    ("roe", None, 1.0),
    ("ebitda_margin", "operating_margin", 1.0),
    ("debt_to_equity", "liabilities_to_equity", -1.0),
)
"""Quality slots: column, fallback column, sign (rulings 17)."""
MIN_SLOTS = 2
THIN_COVERAGE = 0.5


class TiltParams(BookParams):
    """Scores and tilt (rulings 16)."""

    quality_weight: float = Field(default=0.6, ge=0, le=1)
    momentum_weight: float = Field(default=0.4, ge=0, le=1)
    periods: tuple[int, ...] = Field(default=(126, 252), min_length=1)
    skip: int = Field(default=0, ge=0, le=63)
    tail: float = Field(default=0.01, ge=0, lt=0.5)
    min_names: int = Field(default=20, ge=1)
    top_frac: float = Field(default=0.20, gt=0, le=0.5)
    bottom_frac: float = Field(default=0.20, gt=0, le=0.5)
    tilt: Literal["per_name", "budget"] = "per_name"
    tilt_per_name: float = Field(default=0.04, ge=0, le=1)
    """Fraction of the sleeve added to each top name and taken from each bottom name."""
    tilt_budget: float = Field(default=0.20, ge=0, le=1)
    """Gross active weight in budget mode: half added, half taken."""

    @property
    def lookback(self) -> int:
        """The longest momentum period and the close before it."""
        return max(self.periods) + 1

    @property
    def requires(self) -> frozenset[str]:
        """Fundamentals only if the quality leg has a weight."""
        return super().requires | ({"fundamentals"} if self.quality_weight > 0 else set())


class Params(TiltParams, OverlaidParams):
    """The stand-alone strategy also reads the regime and takes overlays."""

    regime: RegimeParams = RegimeParams()

    @property
    def warmup(self) -> int:
        """See `BookParams.warmup`; a minimum hold remembers a year more."""
        book = max(self.lookback, self.regime.lookback) + MONTH_SESSIONS
        return max(book, self.overlay.memory) + self.regime.hold_memory

    @property
    def requires(self) -> frozenset[str]:
        """The regime reads index and VIX."""
        return super().requires | {"index", "vix"}


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores at month ends.

    Attributes
    ----------
    rows : (R,) int64
    eligible : (R, N) bool
        Close at t and at t - 252, member at t, a stock.
    score : (R, N)
        0 is neutral.
    coverage : (R,) fraction
        Eligible names with at least two quality slots.
    """

    rows: Int1D
    eligible: Bool2D
    score: Float2D
    coverage: Float1D


def _quality(panel: Panel, rows: Int1D, eligible: Bool2D, params: TiltParams) -> list[Float2D]:
    """(R, N) of each slot."""
    slots = []
    for column, fallback, sign in SLOTS:
        names = [n for n in (column, fallback) if n is not None]
        scored = [
            sign * standard_score(panel.field(n)[rows], eligible, params.tail, params.min_names)
            for n in names
        ]
        slots.append(merge(scored[0], scored[-1], params.min_names))
    return slots


@stage("lookback", "quality_weight", "momentum_weight", "periods", "skip", "tail", "min_names")
def scores(panel: Panel, params: TiltParams) -> Scores:
    """Quality-momentum score of every name at every month end.

    Returns
    -------
    Scores
        Row i uses data up to and including close ``rows[i]``.
    """
    rows = month_end_rows(panel, params.lookback)
    close = panel.fields["close"]
    eligible = np.isfinite(close[rows]) & np.isfinite(close[rows - max(params.periods)])
    eligible &= panel.member[rows] & panel.is_stock
    momenta = [momentum(close, rows, period, params.skip) for period in params.periods]
    score = np.zeros((len(rows), panel.shape[1]))
    coverage = np.zeros(len(rows))
    if params.quality_weight > 0:
        slots = _quality(panel, rows, eligible, params)
        filled = np.sum([np.isfinite(s) for s in slots], axis=0) >= MIN_SLOTS
        coverage = (filled & eligible).sum(axis=1) / np.maximum(eligible.sum(axis=1), 1)
        score += params.quality_weight * leg(slots, eligible)
    columns = [standard_score(m, eligible, params.tail, params.min_names) for m in momenta]
    score += params.momentum_weight * leg(columns, eligible)
    return Scores(rows, eligible, score, coverage)


def tilted_rows(score: Float2D, eligible: Bool2D, rank: Int1D, params: TiltParams) -> Float2D:
    """Weights at each month end: base 1/n, top names up, bottom names down, clipped at 0, normalised.

    All scores equal means no tilt.

    Parameters
    ----------
    score : (R, N)
    eligible : (R, N) bool
    rank : (N,) int64
        `Panel.symbol_rank`: breaks ties.
    params : TiltParams

    Returns
    -------
    (R, N) fraction of the sleeve
        All zeros in a row without eligible names.
    """
    count = eligible.sum(axis=1, keepdims=True)
    top, bottom = (
        np.maximum((count * fraction).astype(np.int64), 1)
        for fraction in (params.top_frac, params.bottom_frac)
    )
    each = params.tilt == "per_name"
    up, down = (params.tilt_per_name if each else params.tilt_budget / (2 * n) for n in (top, bottom))
    highest = np.where(eligible, score, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    lowest = np.where(eligible, score, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    tilts, place = eligible & (highest > lowest), places(score, eligible, rank)
    book = eligible / np.maximum(count, 1)
    book -= np.where(tilts & (place >= count - bottom), down, 0.0)
    book += np.where(tilts & (place < top), up, 0.0)
    return normalised(np.maximum(book, 0.0))


@stage("top_frac", "bottom_frac", "tilt", "tilt_per_name", "tilt_budget", uses=(scores,))
def tilted(panel: Panel, params: TiltParams, memo: Memo) -> Sleeve:
    """Return the tilted sleeve at each month end."""
    scored = memo(scores, panel, params)
    return Sleeve(scored.rows, tilted_rows(scored.score, scored.eligible, panel.symbol_rank, params))


@stage(uses=(scores,))
def base(panel: Panel, params: TiltParams, memo: Memo) -> Sleeve:
    """Return the equal-weight base at each month end."""
    scored = memo(scores, panel, params)
    count = scored.eligible.sum(axis=1, keepdims=True)
    return Sleeve(scored.rows, scored.eligible / np.maximum(count, 1))


@stage("sma", "short", "long", "vix_bull", "vix_high", "min_hold")
def labels(panel: Panel, regime: RegimeParams) -> RegimeLabels:
    """Regime of every session with these thresholds."""
    return regime_labels(panel, **regime.model_dump())


@stage(uses=(labels,))
def decisions(panel: Panel, regime: RegimeParams, memo: Memo) -> Bool1D:
    """(T,) bool: sessions on which a strategy that reads the regime decides."""
    return decision_mask(panel, memo(labels, panel, regime).held)


def decided(panel: Panel, regime: RegimeParams, overlay: OverlayParams, memo: Memo) -> Bool1D:
    """(T,) bool: sessions on which a strategy that reads the regime and takes overlays decides."""
    dates = due(panel, overlay)
    if dates is None:
        return memo(decisions, panel, regime)
    return decision_mask(panel, memo(labels, panel, regime).held, overlays=dates)


def plan(panel: Panel, params: Params, memo: Memo = compute) -> Plan:
    """Return the tilted sleeve in BULL, its equal-weight base otherwise (rulings 16)."""
    regime = memo(labels, panel, params.regime)
    decide = decided(panel, params.regime, params.overlay, memo)
    bull = (regime.held[decide] == Regime.BULL).astype(np.float64)
    sleeves = {"quality_momentum": memo(tilted, panel, params), "base": memo(base, panel, params)}
    mix = {"quality_momentum": bull, "base": 1.0 - bull}
    return overlaid(panel, Plan(sleeves, mix, params.gross, decide, regime), params.overlay, memo)


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of `plan`.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return assemble(panel, plan(panel, params, Remembered()))


def diagnostics(panel: Panel, params: TiltParams) -> dict[str, Any]:
    """Coverage of the quality leg a year, months in which it is thin, and how concentrated the book is."""
    notes = []
    if params.tilt == "per_name":
        notes.append(
            f"tilt_per_name {params.tilt_per_name:g} with 1/n bases makes this a concentrated top-"
            f"{params.top_frac:.0%} book, not a mild overlay."
        )
    if params.quality_weight == 0:
        return {"notes": notes}
    scored = scores(panel, params)
    inside = scored.rows >= panel.start_row
    years = panel.dates[scored.rows].astype("datetime64[Y]")
    coverage = {
        str(year): round(float(scored.coverage[inside & (years == year)].mean()), 4)
        for year in np.unique(years[inside])
    }
    thin = [
        str(panel.dates[r])
        for r, c in zip(scored.rows, scored.coverage, strict=True)
        if r >= panel.start_row and c < THIN_COVERAGE
    ]
    warnings = []
    if thin:
        warnings.append(
            f"the quality leg is thin (under {THIN_COVERAGE:.0%} of eligible names with two slots) at "
            f"{len(thin)} month ends, first {thin[0]}, last {thin[-1]}"
        )
    return {"coverage": coverage, "thin_months": thin, "notes": notes, "warnings": warnings}


def qm45(prefix: str = "") -> Grid:
    """Return the 45 points of the original overlay grid: tilt a name x top x bottom (docs/strategies.md)."""
    axes = {
        "tilt_per_name": (0.01, 0.02, 0.03, 0.04, 0.05),
        "top_frac": (0.10, 0.15, 0.20),
        "bottom_frac": (0.10, 0.15, 0.20),
    }
    return Grid("qm45", {prefix + name: values for name, values in axes.items()})


class QualityMomentum(PortfolioStrategy):
    """Event-driven quality-momentum."""

    Params = Params
    grids = MappingProxyType({"qm45": qm45()})
    plan = staticmethod(plan)
    weights = staticmethod(weights)
    diagnostics = staticmethod(diagnostics)
