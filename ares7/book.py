"""From frozen sleeves to target rows: when to decide, what to hold, what is cash (rulings 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Bool2D, Float1D, Float2D, Int1D, Label1D
from ares7.errors import MissingData, StaleData
from ares7.panel import Panel
from ares7.signals.regime import held_labels, raw_labels

FRESH_SESSIONS = 5
"""A name without a bar for this many sessions is closed, and no longer decided on (rulings 2 and 5)."""
MONTH_SESSIONS = 23
"""The most sessions that a month has: how far back the last month end may lie."""


@dataclass(frozen=True, slots=True)
class RegimeLabels:
    """(T,) int8 `Regime` values: as classified, and after the minimum hold."""

    raw: Label1D
    held: Label1D


@dataclass(frozen=True, slots=True)
class Sleeve:
    """Weights inside one sleeve, recomputed at month ends and frozen between.

    Attributes
    ----------
    rows : (R,) int64
        Rows at which the sleeve was computed, increasing.
    weights : (R, N) fraction of the sleeve
        Rows sum to at most 1; what is missing to 1 is cash.
    """

    rows: Int1D
    weights: Float2D


@dataclass(frozen=True, slots=True)
class Targets:
    """What a strategy wants to hold.

    Attributes
    ----------
    weights : (T, N) fraction of NAV
        Row t uses data up to and including close t. Between decisions it repeats the last decided row.
    decide : (T,) bool
        Orders exist only where this is true.
    on_switch : (T,) bool
        The decision is due to a change of the held regime and is no month end (rulings 8).
    regime : RegimeLabels or None
        None for a strategy that does not read the regime.
    sleeves : mapping of str to (T,) fraction of NAV
        Target weight of each sleeve; the rest is cash.
    scale : (T,) in [0, 1]
        Risk scale of the stock block.
    """

    weights: Float2D
    decide: Bool1D
    on_switch: Bool1D
    regime: RegimeLabels | None = None
    sleeves: Mapping[str, Float1D] = field(default_factory=dict)
    scale: Float1D | None = None


def delayed(targets: Targets, sessions: int, start_row: int) -> Targets:
    """Act on every decision ``sessions`` later; -1 acts a session before it can be known (C1).

    Nothing is held before the start session's own decision has taken effect.
    """
    if sessions == 0:
        return targets

    def moved(values: AnyArray) -> AnyArray:
        out = np.zeros_like(values)
        if sessions > 0:
            out[sessions:] = values[:-sessions]
        else:
            out[:sessions] = values[-sessions:]
        return out

    decide = moved(targets.decide)
    decide[:start_row] = False
    return replace(
        targets,
        weights=moved(targets.weights),
        decide=decide,
        on_switch=moved(targets.on_switch),
        sleeves={name: moved(values) for name, values in targets.sleeves.items()},
    )


def month_end_rows(panel: Panel, width: int = 1) -> Int1D:
    """Rows of month ends with at least ``width`` rows of history, themselves included."""
    rows = np.flatnonzero(panel.month_end)
    return rows[rows >= width - 1].astype(np.int64)


def regime_series(panel: Panel) -> tuple[Float1D, Float1D]:
    """Return the (T,) index and VIX; refuse a missing value from the start session on (C7).

    Raises
    ------
    StaleData, MissingData
        Naming the series and the first session without a value.
    """
    index, vix = panel.signal("index"), panel.signal("vix")
    first = panel.start_row
    for name, values, kind in (("vix", vix, StaleData), ("index", index, MissingData)):
        gaps = np.flatnonzero(~np.isfinite(values[first:]))
        if len(gaps):
            raise kind(
                f"{name} has no usable value on {panel.dates[first + gaps[0]]} ({len(gaps)} sessions from "
                f"{panel.dates[first]} on); extend the {name} series or shorten the period"
            )
    return index, vix


def regime_labels(
    panel: Panel, *, sma: int, short: int, long: int, vix_bull: float, vix_high: float, min_hold: int
) -> RegimeLabels:
    """Classify the panel's sessions.

    Raises
    ------
    StaleData, MissingData
        See `regime_series`.
    """
    index, vix = regime_series(panel)
    raw = raw_labels(index, vix, sma=sma, short=short, long=long, vix_bull=vix_bull, vix_high=vix_high)
    return RegimeLabels(raw, held_labels(raw, min_hold))


def decision_mask(
    panel: Panel,
    held: Label1D | None = None,
    scale: Float1D | None = None,
    overlays: Bool1D | None = None,
) -> Bool1D:
    """Sessions on which orders may be made (rulings 2).

    True on the start session, on the last session of each month, on overlay dates, on a change of the held regime
    label and on a change of the stepped risk scale; never before the start session.

    Parameters
    ----------
    panel : Panel
    held : (T,) int8, optional
    scale : (T,), optional
    overlays : (T,) bool, optional
        Overlay dates (`ares7.overlay.engines.overlay_dates`).

    Returns
    -------
    (T,) bool
    """
    mask = panel.month_end | overlays if overlays is not None else panel.month_end.copy()
    for series in (held, scale):
        if series is not None and len(series) > 1:
            mask[1:] |= series[1:] != series[:-1]
    first = panel.start_row
    mask[:first] = False
    if first < len(mask):
        mask[first] = True
    return mask


def tradable(panel: Panel) -> Bool2D:
    """(T, N) bool: member of the universe, with a bar in the last five sessions."""
    bar = panel.bar
    recent = bar.copy()
    for back in range(1, FRESH_SESSIONS):
        recent[back:] |= bar[:-back]
    return panel.member & recent


def frozen(sleeve: Sleeve, rows: Int1D) -> Float2D:
    """Weights of a sleeve as they stand at each of ``rows``: its latest row's, zero before the first."""
    latest = np.searchsorted(sleeve.rows, rows, side="right") - 1
    if len(sleeve.rows) == 0:
        return np.zeros((len(rows), sleeve.weights.shape[1]))
    return np.where((latest >= 0)[:, None], sleeve.weights[np.maximum(latest, 0)], 0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Target rows before they are written out: frozen sleeves and how much of each is held.

    Attributes
    ----------
    sleeves : mapping of name to Sleeve
    mix : mapping of name to (D,)
        Fraction of the book in each sleeve at each of the D decisions, known at their close; sums to at most 1.
    gross : float
        Fraction of NAV that a full book holds.
    decide : (T,) bool
    regime : RegimeLabels or None
    scale : (T,) in [0, 1] or None
        Risk scale of the stock block.
    tilt : (D, N) >= 0 or None
        What the overlays multiply each name's weight by at each decision.
    """

    sleeves: Mapping[str, Sleeve]
    mix: Mapping[str, Float1D]
    gross: float
    decide: Bool1D
    regime: RegimeLabels | None = None
    scale: Float1D | None = None
    tilt: Float2D | None = None


def sleeve_plan(name: str, sleeve: Sleeve, gross: float, decide: Bool1D) -> Plan:
    """Plan of a book that is one sleeve all the time."""
    return Plan({name: sleeve}, {name: np.ones(int(decide.sum()))}, gross, decide)


def _parts(panel: Panel, plan: Plan) -> Iterator[tuple[str, Float2D]]:
    """(D, N) decided rows of each sleeve, before overlays and risk scale."""
    rows = np.flatnonzero(plan.decide)
    alive = tradable(panel)[rows]
    for name, sleeve in plan.sleeves.items():
        yield name, plan.gross * (plan.mix[name][:, None] * frozen(sleeve, rows)) * alive


def untilted_rows(panel: Panel, plan: Plan) -> Float2D:
    """(D, N) decided rows before overlays and risk scale: what the overlays tilt."""
    out = np.zeros((int(plan.decide.sum()), panel.shape[1]))
    for _, part in _parts(panel, plan):
        out += part
    return out


def assemble(panel: Panel, plan: Plan) -> Targets:
    """Write out target rows.

    A decided row is ``gross`` times the blend of the frozen sleeves, times (member at t) times (fewer than
    five sessions since the name's last bar) times the overlays' factor; the risk scale applies to stocks only; what
    is freed is cash.

    Returns
    -------
    Targets
    """
    decide, regime, scale = plan.decide, plan.regime, plan.scale
    rows = np.flatnonzero(decide)
    blend = np.zeros((len(rows), panel.shape[1]))
    held_fraction = {}
    exposure = np.ones((len(rows), panel.shape[1]))
    if scale is not None:
        exposure[:, panel.is_stock] = scale[rows][:, None]
    if plan.tilt is not None:
        exposure *= plan.tilt
    for name, untilted in _parts(panel, plan):
        part = untilted * exposure
        blend += part
        held_fraction[name] = part.sum(axis=1)
    latest = np.cumsum(decide) - 1
    on_switch = np.zeros(len(panel.dates), dtype=bool)
    if regime is not None:
        on_switch[1:] = decide[1:] & (regime.held[1:] != regime.held[:-1]) & ~panel.month_end[1:]
        # The first purchase is no switch, whatever the label did that day.
        on_switch[panel.start_row : panel.start_row + 1] = False

    def spread(decided: AnyArray) -> AnyArray:
        if len(rows) == 0:
            return np.zeros((len(panel.dates), *decided.shape[1:]))
        out: AnyArray = decided[np.maximum(latest, 0)]
        out[latest < 0] = 0.0
        return out

    return Targets(
        weights=spread(blend),
        decide=decide,
        on_switch=on_switch,
        regime=regime,
        sleeves={name: spread(values) for name, values in held_fraction.items()},
        scale=scale,
    )


def single_sleeve(panel: Panel, name: str, sleeve: Sleeve, gross: float) -> Targets:
    """Target rows of a book that is one sleeve all the time, decided at month ends.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return assemble(panel, sleeve_plan(name, sleeve, gross, decision_mask(panel)))


def planned(panel: Panel, targets: Targets) -> Plan:
    """Plan of target rows that are already written out: one sleeve that changes at every decision."""
    rows = np.flatnonzero(targets.decide).astype(np.int64)
    sleeve = Sleeve(rows, targets.weights[rows])
    return replace(sleeve_plan("targets", sleeve, 1.0, targets.decide), regime=targets.regime)
