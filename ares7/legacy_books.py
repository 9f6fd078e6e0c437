"""What the published engine computes day by day: scores, tilts and the returns of a book.

Written from its definition, mistakes included; `ares7.legacy` puts the parts together. Arrays are (T, N) of a
panel's sessions and its N stocks (funds are left out); weights are fractions of NAV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D
from ares7.book import month_end_rows
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.panel import Panel
from ares7.signals.windows import latest_bar

REPORT_SESSIONS = 90
"""How much earlier a restated row is dated than the day on which it was known: quarter end, 40 days and 90."""
PEAD_SESSIONS = 21
PEAD_TILT = 0.015


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
class Tape:
    """What every part of the engine reads, stocks only.

    Attributes
    ----------
    moves : (T, N) fractions
        Return of each session on the latest close before it; 0 without a bar.
    listed : (T, N) bool
        Has a bar, and is a member.
    equal : (T, N)
        Equal weight over the listed names.
    """

    moves: Float2D
    listed: Bool2D
    equal: Float2D


def tape_of(panel: Panel) -> Tape:
    """Return a panel's stocks as the engine reads them."""
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
    return Tape(moves, listed, listed / np.maximum(count, 1))


def _window_sum(moves: Float2D, width: int) -> Float2D:
    total = np.cumsum(moves, axis=0)
    out = np.zeros(moves.shape)
    out[width:] = total[width:] - total[:-width]
    return out


def momentum(moves: Float2D, short: int, long: int) -> Float2D:
    """Half of each arithmetic sum, the day's own return included; 0 until the longer one is full."""
    out = 0.5 * _window_sum(moves, short) + 0.5 * _window_sum(moves, long)
    out[:long] = 0.0
    return out


def cross_z(x: Float2D, among: Bool2D) -> Float2D:
    """(T, N) z-scores within each row (ddof 0), 0 where nothing varies or is known."""
    has = among & np.isfinite(x)
    count = np.maximum(has.sum(axis=1, keepdims=True), 1)
    mean = np.where(has, x, 0.0).sum(axis=1, keepdims=True) / count
    gap = np.where(has, x - mean, 0.0)
    spread = np.sqrt((gap * gap).sum(axis=1, keepdims=True) / count)
    return np.asarray(np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 1e-8))


def quality_leg(panel: Panel, tape: Tape, source: str) -> Float2D:
    """Return on equity, margin and leverage as the original weighed them; shorter momentum without fundamentals.

    Parameters
    ----------
    source : str
        ``quality_unread``, ``latest_fundamentals``, ``restated_fundamentals``, or ``filed``: as the panel has them.
    """
    if source == "quality_unread" or "roe" not in panel.fields:
        return momentum(tape.moves, 63, 126)
    columns = np.flatnonzero(panel.is_stock)
    total = np.zeros(tape.moves.shape)
    for names, weight in (
        (("roe",), 0.5),
        (("ebitda_margin", "operating_margin"), 0.3),
        (("debt_to_equity",), -0.2),
    ):
        field = next((panel.fields[n][:, columns] for n in names if n in panel.fields), None)
        if field is not None:
            total += weight * cross_z(dated_by(field, source), tape.listed)
    return total


def dated_by(field: Float2D, source: str) -> Float2D:
    """Return a fundamental field as the original dated it."""
    if source == "latest_fundamentals":
        latest = latest_bar(np.isfinite(field))[-1]
        rows = np.where(latest >= 0, field[np.maximum(latest, 0), np.arange(field.shape[1])], np.nan)
        return np.broadcast_to(rows, field.shape)
    if source == "restated_fundamentals":
        out = np.empty_like(field)
        out[:-REPORT_SESSIONS] = field[REPORT_SESSIONS:]
        out[-REPORT_SESSIONS:] = field[-1]
        return out
    return field


def tilted(score: Float2D, tape: Tape, tilt: float, top_frac: float, bottom_frac: float) -> Float2D:
    """Equal weight, the best names up and the worst down by a fixed weight each; ties go with the threshold."""
    count = tape.listed.sum(axis=1)
    ordered = np.sort(np.where(tape.listed, score, np.nan), axis=1)
    rows = np.arange(len(score))
    top = np.maximum((count * top_frac).astype(int), 1)
    bottom = np.maximum((count * bottom_frac).astype(int), 1)
    some = count > 0
    high = np.where(some, ordered[rows, np.maximum(count - top, 0)], np.inf)[:, None]
    low = np.where(some, ordered[rows, np.minimum(bottom, np.maximum(count, 1)) - 1], -np.inf)[:, None]
    delta = np.where(score >= high, tilt, np.where(score <= low, -tilt, 0.0))
    book = np.where(tape.listed, np.maximum(tape.equal + delta, 0.0), 0.0)
    total = book.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(book, total, out=np.zeros_like(book), where=total > 0))


def restarted(
    panel: Panel, book: Float2D, equal: Float2D, windows: tuple[tuple[np.datetime64, np.datetime64], ...]
) -> Float2D:
    """Hold equal weight in the first year of each window: there the new run's signals are not full yet."""
    out = book.copy()
    for first, last in windows:
        inside = np.flatnonzero((panel.dates >= first) & (panel.dates <= last))[:SESSIONS_PER_YEAR]
        out[inside] = equal[inside]
    return out


def drifted(
    panel: Panel, tape: Tape, book: Float2D, events: Announcements, rank: Float1D, first: Int1D
) -> Float2D:
    """Tilt the book from the row ``first`` of each announcement on: the best and the worst fifth, by rank."""
    place = np.cumsum(panel.is_stock) - 1
    tilt = np.zeros(book.shape)
    for row, column, score in zip(first.tolist(), place[events.column].tolist(), rank.tolist(), strict=True):
        if score >= 0.8 or score <= 0.2:
            tilt[max(row, 0) : row + PEAD_SESSIONS, column] = PEAD_TILT if score >= 0.8 else -PEAD_TILT
    moved = np.where(tape.listed, np.maximum(book + tilt, 0.0), 0.0)
    held = book.sum(axis=1, keepdims=True) > 0
    total = moved.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(moved, total, out=np.zeros_like(moved), where=held & (total > 0)))


def ranks_within_day(events: Announcements) -> Float1D:
    """Share of the same day's events that an event is not below: a lone event ranks first."""
    out = np.empty(len(events.row))
    for row in np.unique(events.row):
        same = np.flatnonzero(events.row == row)
        values = events.surprise[same]
        out[same] = [(values <= value).mean() for value in values]
    return out


def ranks_trailing(events: Announcements) -> Float1D:
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


def monthly(panel: Panel, daily: Float2D) -> Float2D:
    """Hold the rows of the latest month end."""
    rows = month_end_rows(panel)
    latest = np.searchsorted(rows, np.arange(len(daily)), side="right") - 1
    out: Float2D = daily[rows[np.maximum(latest, 0)]] if len(rows) else np.zeros_like(daily)
    out[latest < 0] = 0.0
    return out


def earned(book: Float2D, moves: Float2D, same_day: bool, cost: float) -> Float1D:
    """(T,) returns of target rows, net of ``cost`` a traded USD at target weights.

    Parameters
    ----------
    same_day : bool
        Row t earns day t; else row t, decided at its close, earns day t + 1.
    """
    out = np.zeros(len(book))
    change = np.abs(np.diff(book, axis=0, prepend=book[:1])).sum(axis=1) * cost
    if same_day:
        out[:] = (book * moves).sum(axis=1) - change
        return out
    out[1:] = (book[:-1] * moves[1:]).sum(axis=1) - change[:-1]
    return out
