"""Engines: from a panel to tilts at the overlay dates, and the blend of several (rulings 21 and 22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ares7.arrays import Bool1D, Bool2D, Float2D, Int1D
from ares7.errors import MissingData
from ares7.overlay.application import demeaned, neutral_capped, scaled_to
from ares7.overlay.params import EventParams, OverlayParams, OverlaySettings, ScoreParams
from ares7.panel import Panel
from ares7.signals import momentum as returns
from ares7.signals.cross_section import zscore
from ares7.stages import Memo, Stage, stage


@dataclass(frozen=True, slots=True)
class Tilts:
    """Tilts at overlay dates.

    Attributes
    ----------
    rows : (R,) int64
        Overlay dates, increasing.
    values : (R, N) fraction of the stock block
        Known at the close of the row; each row sums to 0; 0 for a name that the engine says nothing about.
    """

    rows: Int1D
    values: Float2D


def overlay_dates(panel: Panel, when: str) -> Bool1D:
    """(T,) bool: sessions on which tilts are computed; from the calendar, never from the next row."""
    if when == "session":
        return np.ones(len(panel.dates), dtype=bool)
    return panel.week_end if when == "week" else panel.month_end


def _rows(panel: Panel, when: str) -> Int1D:
    return np.flatnonzero(overlay_dates(panel, when)).astype(np.int64)


def _universe(panel: Panel, rows: Int1D) -> Bool2D:
    """(R, N) bool: stocks with a close at t that are members at t."""
    return (panel.bar & panel.member & panel.is_stock)[rows]


def tilts_of_scores(scores: Sequence[Float2D], among: Bool2D, params: ScoreParams) -> Float2D:
    """Mean of standard scores, winsorised, demeaned, scaled to the budget.

    Parameters
    ----------
    scores : sequence of (R, N)
        NaN where a name has none.
    among : (R, N) bool
        Names with every score take part.

    Returns
    -------
    (R, N)
        Rows sum to 0, |tilt| to ``params.budget``; all scores equal means no tilt.
    """
    has = among & np.all([np.isfinite(score) for score in scores], axis=0)
    parts = [zscore(np.where(has, score, np.nan)) for score in scores]
    z = parts[0] if len(parts) == 1 else zscore(np.sum(parts, axis=0) / len(parts))
    clipped = np.clip(np.where(has, z, 0.0), -params.winsor, params.winsor)
    tilt = scaled_to(demeaned(clipped, has), params.budget, at_most=False)
    return tilt if params.cap is None else neutral_capped(tilt, has, params.cap)


@stage("wavelet", "when")
def wavelet(panel: Panel, overlay: OverlaySettings) -> Tilts:
    """Trend over noise by scale (`ares7.signals.wavelet.trend_score`)."""
    from ares7.signals.wavelet import trend_score

    rows = _rows(panel, overlay.when)
    score = trend_score(panel.fields["close"], rows, **overlay.wavelet.score_settings)
    return Tilts(rows, tilts_of_scores([score], _universe(panel, rows), overlay.wavelet))


@stage("momentum", "when")
def momentum(panel: Panel, overlay: OverlaySettings) -> Tilts:
    """Plain momentum: what the wavelet is compared with."""
    rows, params = _rows(panel, overlay.when), overlay.momentum
    scores = [returns.momentum(panel.fields["close"], rows, period) for period in params.periods]
    return Tilts(rows, tilts_of_scores(scores, _universe(panel, rows), params))


@stage("macd", "when")
def macd(panel: Panel, overlay: OverlaySettings) -> Tilts:
    """Plain MACD: what the wavelet is compared with."""
    from ares7.signals.filters import complete, filtered, log_returns, macd_taps

    rows, params, close = _rows(panel, overlay.when), overlay.macd, panel.fields["close"]
    score = filtered(log_returns(close), macd_taps(params.fast, params.slow, params.width), rows)
    score = np.where(complete(close, rows, params.width), score, np.nan)
    return Tilts(rows, tilts_of_scores([score], _universe(panel, rows), params))


def tilts_of_events(panel: Panel, field: str, rows: Int1D, params: EventParams) -> Float2D:
    """Tilts towards names whose latest event ranks high and away from those whose ranks low.

    A defined event counts from its effective session for ``horizon`` sessions, and replaces the one before, a
    middling one by no tilt.

    Parameters
    ----------
    panel : Panel
        With the sparse field: a value in the row of the event's effective session, NaN elsewhere.
    rows : (R,) int64

    Returns
    -------
    (R, N)
        Rows sum to 0; |tilt| sum to at most ``params.budget``.
    """
    from ares7.signals.surprise import event_ranks

    rank = event_ranks(panel.field(field), panel.member & panel.is_stock, params.window, params.min_events)
    signed = np.where(rank >= params.top, 1.0, 0.0)
    if params.bottom is not None:
        signed[rank <= params.bottom] = -1.0
    age = _age(np.isfinite(rank), rows, params.horizon)
    counts = age < params.horizon
    fade = 1.0 - age / params.horizon if params.decay == "linear" else np.ones(age.shape)
    at_event = np.take_along_axis(signed, np.maximum(rows[:, None] - age, 0), axis=0)
    among = _universe(panel, rows)
    tilt = params.tilt * np.where(counts & among, at_event * fade, 0.0)
    tilt = scaled_to(demeaned(tilt, among), params.budget, at_most=True)
    return tilt if params.cap is None else neutral_capped(tilt, among, params.cap)


def _age(event: Bool2D, rows: Int1D, horizon: int) -> Int1D:
    """(R, N) sessions since the latest event; ``horizon`` where it is that long ago or longer."""
    age = np.full((len(rows), event.shape[1]), horizon, dtype=np.int64)
    for back in reversed(range(horizon)):
        late = rows >= back
        age[late] = np.where(event[rows[late] - back], back, age[late])
    return age


@stage("pead", "when")
def pead(panel: Panel, overlay: OverlaySettings) -> Tilts:
    """Post-earnings-announcement drift."""
    field = f"surprise_{overlay.pead.surprise}"
    if field not in panel.fields:
        raise MissingData(
            f"the pead overlay reads {field}, and the data folder gives none; add earnings.parquet with "
            "announce_date, session and eps_actual (consensus: eps_estimate too), or take pead off strategy.overlays"
        )
    rows = _rows(panel, overlay.when)
    return Tilts(rows, tilts_of_events(panel, field, rows, overlay.pead))


@stage("buyback", "when")
def buyback(panel: Panel, overlay: OverlaySettings) -> Tilts:
    """Announced buybacks."""
    if "buyback" not in panel.fields:
        raise MissingData(
            "the buyback overlay reads announced amounts, and the data folder gives none; add buybacks.csv, or set "
            "overlay.weights.buyback to 0"
        )
    rows = _rows(panel, overlay.when)
    return Tilts(rows, tilts_of_events(panel, "buyback", rows, overlay.buyback))


ENGINES = MappingProxyType(
    {"wavelet": wavelet, "pead": pead, "buyback": buyback, "momentum": momentum, "macd": macd}
)
"""By name."""


def engine(name: str) -> Stage[Tilts]:
    """Stage of an engine."""
    return ENGINES[name]


@stage("acting", "weights", "when", *ENGINES, uses=())
def blended(panel: Panel, overlay: OverlayParams, memo: Memo) -> Tilts:
    """Weighted sum of the acting engines' tilts at every overlay date; an engine that is silent counts as 0."""
    rows = _rows(panel, overlay.when)
    total = np.zeros((len(rows), panel.shape[1]))
    for name in overlay.acting:
        total += getattr(overlay.weights, name) * memo(engine(name), panel, overlay).values
    return Tilts(rows, total)


def latest(tilts: Tilts, rows: Int1D) -> Float2D:
    """(D, N) tilts of the latest overlay date up to and including each of ``rows``; 0 before the first."""
    at = np.searchsorted(tilts.rows, rows, side="right") - 1
    if len(tilts.rows) == 0:
        return np.zeros((len(rows), tilts.values.shape[1]))
    return np.where((at >= 0)[:, None], tilts.values[np.maximum(at, 0)], 0.0)
