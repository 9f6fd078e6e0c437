"""The published engine, bias by bias: what each look-ahead alone does to a result, and all of them together.

A plain vectorised book, as the original was, whose every mistake is a switch. With all switches off it decides at
the close, holds from the next session on and pays for what it trades. It exists for comparison alone: nothing else
calls it, and a run with a switch on is stamped (docs/strategies.md, section "What was published").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ares7.arrays import Bool1D, Bool2D, Float1D, Float2D, Int1D
from ares7.book import month_end_rows
from ares7.errors import LookaheadError, MissingData
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.panel import Panel
from ares7.signals.regime import Regime, raw_labels
from ares7.signals.windows import latest_bar

REPORT_SESSIONS = 90
"""How much earlier a restated row is dated than the day on which it was known: quarter end, 40 days and 90."""
PEAD_SESSIONS = 21
PEAD_TILT = 0.015


class Biases(BaseModel):
    """The published behaviours, all off: with any of them on a result sees the future, or pays too little."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    same_day_weights: bool = False
    """Weights made from a day's returns earn that day's returns, daily."""
    quality_unread: bool = False
    """The quality leg is shorter momentum: fundamentals are handed over and never read."""
    same_day_vix: bool = False
    """The regime of a close, VIX included, decides which book earned that day."""
    own_equity_regime: bool = False
    """The trend legs of the regime look at the strategy's own base portfolio instead of the index."""
    latest_fundamentals: bool = False
    """Each company's latest figures serve for all years."""
    restated_fundamentals: bool = False
    """Figures are dated by the end of their period, as most recent (MR*) rows are."""
    within_day_pead: bool = False
    """Announcements are ranked among those of the same day, and tilt the book on that day."""
    ex_post_volatility: bool = False
    """Returns are scaled to a volatility by that of the whole sample."""
    free_switches: bool = False
    """A change of regime exchanges the whole book at no cost."""
    assumed_costs: bool = False
    """A yearly rate is assumed instead of paying for what is traded."""
    windows_rerun: bool = False
    """The engine starts anew in each window, so that its first year there is equal weight."""

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the switches that are on."""
        return tuple(name for name, value in self if value)


class LegacyParams(BaseModel):
    """Published parameters of the overlay and the regime."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    quality_weight: float = Field(default=0.6, ge=0, le=1)
    tilt: float = Field(default=0.04, ge=0, le=1)
    top_frac: float = Field(default=0.20, gt=0, le=0.5)
    bottom_frac: float = Field(default=0.20, gt=0, le=0.5)
    target_volatility: float = Field(default=0.12, gt=0)
    cost_bps: float = Field(default=10.0, ge=0)
    assumed_cost: float = Field(default=0.003, ge=0)
    """A year, where costs are assumed."""
    regime: bool = True
    """False: the overlay alone, as in the published grid."""
    outside: float = Field(default=0.5, ge=0, le=1)
    """Fraction of the equal-weight book held outside BULL: the published base had half of its volatility."""


@dataclass(frozen=True, slots=True)
class Announcements:
    """Earnings announcements of a panel's stocks.

    Attributes
    ----------
    row : (E,) int64
        Panel row of the announcement's date, or of the next session.
    column : (E,) int64
    surprise : (E,) float64
        Actual minus estimate, over the price.
    """

    row: Int1D
    column: Int1D
    surprise: Float1D


@dataclass(frozen=True, slots=True)
class _Tape:
    """What every part of the engine reads, stocks only."""

    moves: Float2D
    listed: Bool2D
    equal: Float2D


def published_returns(
    panel: Panel,
    biases: Biases,
    params: LegacyParams | None = None,
    *,
    windows: tuple[tuple[np.datetime64, np.datetime64], ...] = (),
    announcements: Announcements | None = None,
    allow_lookahead: bool = False,
) -> Float1D:
    """Daily returns of the published engine from the panel's start session on.

    Parameters
    ----------
    panel : Panel
        Total-return closes; ``index`` and ``vix`` unless ``params.regime`` is off.
    biases : Biases
    params : LegacyParams, optional
    windows : tuple of (first, last) datetime64[D]
        In which ``windows_rerun`` starts anew.
    announcements : Announcements, optional
        Without them there is no drift overlay at all.
    allow_lookahead : bool
        Must be true where a switch is on.

    Returns
    -------
    (S - 1,) fractions
        Row i is earned from close i to close i + 1 of the sessions from the start session on.

    Raises
    ------
    LookaheadError
        A switch is on and ``allow_lookahead`` is not.
    MissingData
        The panel lacks a series.
    """
    if biases.on and not allow_lookahead:
        raise LookaheadError(
            f"legacy switches {', '.join(biases.on)} see the future or pay too little; they need "
            "allow_lookahead=True, and their results carry a stamp"
        )
    chosen = LegacyParams() if params is None else params
    tape = _tape(panel)
    daily = _tilted(_scores(panel, tape, biases, chosen), tape, chosen)
    if biases.windows_rerun:
        daily = _restarted(panel, tape, daily, windows)
    if announcements is not None:
        daily = _drifted(panel, tape, daily, announcements, biases)
    book = daily if biases.same_day_weights else _monthly(panel, daily)
    base = (chosen.outside if chosen.regime else 1.0) * _monthly(panel, tape.equal)
    overlay = _earned(book, tape.moves, biases.same_day_weights, chosen, biases)
    plain = _earned(base, tape.moves, False, chosen, biases)
    out = overlay if not chosen.regime else _switched(panel, overlay, plain, book, base, biases, chosen)
    out = out[panel.start_row + 1 :]
    if biases.assumed_costs:
        out = out - chosen.assumed_cost / SESSIONS_PER_YEAR
    if biases.ex_post_volatility:
        realised = float(np.std(out, ddof=1)) * np.sqrt(SESSIONS_PER_YEAR)
        out = out * (chosen.target_volatility / realised) if realised > 0 else out
    return np.asarray(out)


def _tape(panel: Panel) -> _Tape:
    columns = np.flatnonzero(panel.is_stock)
    close = panel.fields["close"][:, columns]
    bar = np.isfinite(close)
    latest = latest_bar(bar)
    shown = np.take_along_axis(close, np.maximum(latest, 0), axis=0)
    moves = np.zeros(close.shape)
    known = (latest[1:] >= 0) & (latest[:-1] >= 0)
    np.divide(shown[1:], shown[:-1], out=moves[1:], where=known)
    moves[1:][known] -= 1.0
    listed = bar & panel.member[:, columns]
    count = listed.sum(axis=1, keepdims=True)
    return _Tape(moves, listed, listed / np.maximum(count, 1))


def _window_sum(moves: Float2D, width: int) -> Float2D:
    total = np.cumsum(moves, axis=0)
    out = np.zeros(moves.shape)
    out[width:] = total[width:] - total[:-width]
    return out


def _momentum(moves: Float2D, short: int, long: int) -> Float2D:
    """Half of each arithmetic sum, the day's own return included; 0 until the longer one is full."""
    out = 0.5 * _window_sum(moves, short) + 0.5 * _window_sum(moves, long)
    out[:long] = 0.0
    return out


def _cross_z(x: Float2D, among: Bool2D) -> Float2D:
    """(T, N) z-scores within each row (ddof 0), 0 where nothing varies or is known."""
    has = among & np.isfinite(x)
    count = np.maximum(has.sum(axis=1, keepdims=True), 1)
    mean = np.where(has, x, 0.0).sum(axis=1, keepdims=True) / count
    gap = np.where(has, x - mean, 0.0)
    spread = np.sqrt((gap * gap).sum(axis=1, keepdims=True) / count)
    return np.asarray(np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 1e-8))


def _scores(panel: Panel, tape: _Tape, biases: Biases, params: LegacyParams) -> Float2D:
    trend = _cross_z(_momentum(tape.moves, 126, 252), tape.listed)
    quality = _cross_z(_quality(panel, tape, biases), tape.listed)
    return params.quality_weight * quality + (1.0 - params.quality_weight) * trend


def _quality(panel: Panel, tape: _Tape, biases: Biases) -> Float2D:
    """Return on equity, margin and leverage as the original weighed them; shorter momentum without fundamentals."""
    if biases.quality_unread or "roe" not in panel.fields:
        return _momentum(tape.moves, 63, 126)
    columns = np.flatnonzero(panel.is_stock)
    total = np.zeros(tape.moves.shape)
    for names, weight in (
        (("roe",), 0.5),
        (("ebitda_margin", "operating_margin"), 0.3),
        (("debt_to_equity",), -0.2),
    ):
        field = next((panel.fields[n][:, columns] for n in names if n in panel.fields), None)
        if field is not None:
            total += weight * _cross_z(_known(field, biases), tape.listed)
    return total


def _known(field: Float2D, biases: Biases) -> Float2D:
    """Return a fundamental field as the original dated it."""
    if biases.latest_fundamentals:
        latest = latest_bar(np.isfinite(field))[-1]
        rows = np.where(latest >= 0, field[np.maximum(latest, 0), np.arange(field.shape[1])], np.nan)
        return np.broadcast_to(rows, field.shape)
    if biases.restated_fundamentals:
        out = np.empty_like(field)
        out[:-REPORT_SESSIONS] = field[REPORT_SESSIONS:]
        out[-REPORT_SESSIONS:] = field[-1]
        return out
    return field


def _tilted(score: Float2D, tape: _Tape, params: LegacyParams) -> Float2D:
    """Equal weight, the best names up and the worst down by a fixed weight each; ties go with the threshold."""
    count = tape.listed.sum(axis=1)
    ordered = np.sort(np.where(tape.listed, score, np.nan), axis=1)
    rows = np.arange(len(score))
    top = np.maximum((count * params.top_frac).astype(int), 1)
    bottom = np.maximum((count * params.bottom_frac).astype(int), 1)
    some = count > 0
    high = np.where(some, ordered[rows, np.maximum(count - top, 0)], np.inf)[:, None]
    low = np.where(some, ordered[rows, np.minimum(bottom, np.maximum(count, 1)) - 1], -np.inf)[:, None]
    delta = np.where(score >= high, params.tilt, np.where(score <= low, -params.tilt, 0.0))
    book = np.where(tape.listed, np.maximum(tape.equal + delta, 0.0), 0.0)
    total = book.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(book, total, out=np.zeros_like(book), where=total > 0))


def _restarted(
    panel: Panel, tape: _Tape, daily: Float2D, windows: tuple[tuple[np.datetime64, np.datetime64], ...]
) -> Float2D:
    out = daily.copy()
    for first, last in windows:
        inside = np.flatnonzero((panel.dates >= first) & (panel.dates <= last))[:252]
        out[inside] = tape.equal[inside]
    return out


def _drifted(panel: Panel, tape: _Tape, daily: Float2D, events: Announcements, biases: Biases) -> Float2D:
    """Tilt the book after announcements: the best and the worst fifth, by rank."""
    rank = _ranks_within_day(events) if biases.within_day_pead else _ranks_trailing(events)
    # The original tilts from the announcement's own day on; a day later it is known for certain.
    first = events.row if biases.within_day_pead else events.row + 1
    place = np.cumsum(panel.is_stock) - 1
    tilt = np.zeros(daily.shape)
    for row, column, score in zip(first.tolist(), place[events.column].tolist(), rank.tolist(), strict=True):
        if score >= 0.8 or score <= 0.2:
            tilt[row : row + PEAD_SESSIONS, column] = PEAD_TILT if score >= 0.8 else -PEAD_TILT
    book = np.where(tape.listed, np.maximum(daily + tilt, 0.0), 0.0)
    total = book.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(book, total, out=np.zeros_like(book), where=total > 0))


def _ranks_within_day(events: Announcements) -> Float1D:
    """Share of the same day's events that an event is not below: a lone event ranks first."""
    out = np.empty(len(events.row))
    for row in np.unique(events.row):
        same = np.flatnonzero(events.row == row)
        values = events.surprise[same]
        out[same] = [(values <= value).mean() for value in values]
    return out


def _ranks_trailing(events: Announcements) -> Float1D:
    """Share of the events of the 63 sessions before that an event is above; none below 20 of them."""
    order = np.argsort(events.row, kind="stable")
    rows, values = events.row[order], events.surprise[order]
    out = np.full(len(rows), 0.5)
    for i, row in enumerate(rows.tolist()):
        before = slice(int(np.searchsorted(rows, row - 63)), int(np.searchsorted(rows, row)))
        if before.stop - before.start >= 20:
            out[i] = (values[before] < values[i]).mean()
    back = np.empty_like(out)
    back[order] = out
    return back


def _monthly(panel: Panel, daily: Float2D) -> Float2D:
    """Hold the rows of the latest month end."""
    rows = month_end_rows(panel)
    latest = np.searchsorted(rows, np.arange(len(daily)), side="right") - 1
    out: Float2D = daily[rows[np.maximum(latest, 0)]] if len(rows) else np.zeros_like(daily)
    out[latest < 0] = 0.0
    return out


def _earned(book: Float2D, moves: Float2D, same_day: bool, params: LegacyParams, biases: Biases) -> Float1D:
    """(T,) returns of target rows, net of costs at target weights unless costs are assumed."""
    out = np.zeros(len(book))
    change = np.abs(np.diff(book, axis=0, prepend=book[:1])).sum(axis=1) * (params.cost_bps / 1e4)
    if same_day:
        out[:] = (book * moves).sum(axis=1) - (0.0 if biases.assumed_costs else change)
        return out
    out[1:] = (book[:-1] * moves[1:]).sum(axis=1)
    if not biases.assumed_costs:
        out[1:] -= change[:-1]
    return out


def _switched(
    panel: Panel,
    overlay: Float1D,
    plain: Float1D,
    book: Float2D,
    base: Float2D,
    biases: Biases,
    params: LegacyParams,
) -> Float1D:
    """Earn the overlay's return in BULL and the base's otherwise."""
    bull = _bull(panel, plain, biases)
    used = bull if biases.same_day_vix else np.concatenate([[False], bull[:-1]])
    out = np.where(used, overlay, plain)
    if not (biases.free_switches or biases.assumed_costs):
        gap = np.abs(book - base).sum(axis=1) * (params.cost_bps / 1e4)
        out[1:] -= np.where(used[1:] != used[:-1], gap[1:], 0.0)
    return np.asarray(out)


def _bull(panel: Panel, plain: Float1D, biases: Biases) -> Bool1D:
    for name in ("index", "vix"):
        if name not in panel.series:
            raise MissingData(
                f"the published engine reads {name}, which the panel lacks; set regime to false"
            )
    own = np.asarray(100.0 * np.cumprod(1.0 + plain), dtype=np.float64)
    price = own if biases.own_equity_regime else panel.series["index"]
    labels = raw_labels(price, panel.series["vix"])
    return np.asarray(labels == Regime.BULL)
