"""Earnings surprises: the variants of one figure, and the place of an event among the recent ones.

Announcements of all names lie in arrays of length E, sorted by name, then by day, one a name and day. Every value
is computed from its own name's announcements up to that day, and from sessions before its effective session, so
that later announcements and later rows change no bit of it.
"""

from __future__ import annotations

import numpy as np

from ares7.arrays import Bool2D, Dates, Float1D, Float2D, Int1D

YEAR_AGO = (330, 400)
"""Days, both inclusive, in which the announcement of the same quarter of the year before is looked for."""
HISTORY, FEWEST = 8, 4
"""Earlier announcements whose seasonal differences give drift and spread, and how many must be defined."""
FLAT = 1e-9
"""A spread below it, in USD a share, is no spread: EPS are rounded to cents."""
PRICE_SESSIONS = 5
"""Sessions before the effective one in which the price is looked for."""
WINDOW, MIN_EVENTS = 63, 20
MIDDLE = 0.5
_FAR = 10**8
"""Days that no two announcements are apart."""


def _finite(values: Float1D) -> Float1D:
    return np.where(np.isfinite(values), values, np.nan)


def seasonal_difference(name: Int1D, day: Dates, eps: Float1D) -> Float1D:
    """EPS less the EPS of the same quarter a year before (rulings 22).

    Parameters
    ----------
    name : (E,) int64
        Column of the company.
    day : (E,) datetime64[D]
        Announcement, New York date.
    eps : (E,) USD a share, split-adjusted
        NaN where it is missing.

    Returns
    -------
    (E,) USD a share
        ``EPS(q) - EPS(q-4)``, where q-4 is the latest announcement of the name 330 to 400 days earlier. NaN where
        there is none, or where one of the two EPS is missing; an older announcement does not stand in.
    """
    place = name * _FAR + day.astype("datetime64[D]").astype(np.int64)
    at = np.searchsorted(place, place - YEAR_AGO[0], side="right") - 1
    there = (at >= 0) & (place[np.maximum(at, 0)] >= place - YEAR_AGO[1])
    with np.errstate(over="ignore", invalid="ignore"):
        return _finite(np.where(there, eps - eps[np.maximum(at, 0)], np.nan))


def sequential_difference(name: Int1D, eps: Float1D) -> Float1D:
    """EPS less the EPS of the announcement before: the published engine's surprise, for comparison only.

    It is dominated by the seasons of a business and has no scale.

    Returns
    -------
    (E,) USD a share
        NaN at a name's first announcement, and where one of the two EPS is missing.
    """
    out = np.full(len(eps), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        out[1:] = np.where(name[1:] == name[:-1], eps[1:] - eps[:-1], np.nan)
    return _finite(out)


def _earlier(name: Int1D, values: Float1D, back: int) -> Float1D:
    """Value of the same name ``back`` announcements before; NaN where there is none."""
    out = np.full(len(values), np.nan)
    out[back:] = np.where(name[back:] == name[:-back], values[:-back], np.nan)
    return out


def standardised_surprise(name: Int1D, difference: Float1D) -> Float1D:
    """SUE: the seasonal difference less its drift, over its spread (Foster, Olsen & Shevlin 1984; rulings 22).

    Parameters
    ----------
    name : (E,) int64
    difference : (E,) USD a share
        `seasonal_difference`.

    Returns
    -------
    (E,) float64
        ``(difference - drift) / sd``: mean and standard deviation (ddof 1) of the name's previous 8 announcements,
        the current one not among them. An undefined difference fills its place; at least 4 of the 8 must be
        defined, and the standard deviation at least 1e-9, else the surprise is NaN.
    """
    history = [_earlier(name, difference, back) for back in range(HISTORY, 0, -1)]
    count, total, squares = (np.zeros(len(difference)) for _ in range(3))
    with np.errstate(over="ignore", invalid="ignore"):
        for values in history:
            there = np.isfinite(values)
            count += there
            total += np.where(there, values, 0.0)
        drift = total / np.maximum(count, 1)
        for values in history:
            squares += np.where(np.isfinite(values), (values - drift) ** 2, 0.0)
        spread = np.sqrt(squares / np.maximum(count - 1, 1))
        defined = (count >= FEWEST) & (spread >= FLAT) & np.isfinite(spread)
        return _finite(np.where(defined, (difference - drift) / np.where(defined, spread, 1.0), np.nan))


def latest_before(values: Float2D, row: Int1D, name: Int1D, sessions: int = PRICE_SESSIONS) -> Float1D:
    """Latest value of a name in the sessions strictly before an event's.

    Parameters
    ----------
    values : (T, N)
        For example split-adjusted traded prices; NaN without a bar.
    row, name : (E,) int64
        Effective session (-1: none) and column of each event.
    sessions : int
        How far back it is looked for.

    Returns
    -------
    (E,)
        NaN where there is none.
    """
    out = np.full(len(row), np.nan)
    for back in range(sessions, 0, -1):
        value = _cell(values, row - back, name)
        out = np.where(np.isfinite(value), value, out)
    return out


def mean_before(values: Float2D, row: Int1D, name: Int1D, sessions: int, min_values: int) -> Float1D:
    """Mean of a name's values in the sessions strictly before an event's, oldest added first.

    Parameters are those of `latest_before`; with fewer than ``min_values`` values the mean is NaN.
    """
    count, total = np.zeros(len(row)), np.zeros(len(row))
    for back in range(sessions, 0, -1):
        value = _cell(values, row - back, name)
        there = np.isfinite(value)
        count += there
        total += np.where(there, value, 0.0)
    return np.where(count >= min_values, total / np.maximum(count, 1), np.nan)


def _cell(values: Float2D, row: Int1D, name: Int1D) -> Float1D:
    known = row >= 0
    return (
        np.where(known, values[np.maximum(row, 0), name], np.nan)
        if len(values)
        else np.full(len(row), np.nan)
    )


def scaled(amount: Float1D, scale: Float1D) -> Float1D:
    """``amount / scale`` of each event; NaN where one is missing or the scale is not positive.

    The seasonal difference, or actual less estimated EPS, over the price (Livnat & Mendenhall 2006).
    """
    sound = np.isfinite(amount) & (scale > 0)
    with np.errstate(over="ignore"):
        return _finite(np.where(sound, amount / np.where(sound, scale, 1.0), np.nan))


def on_sessions(values: Float1D, row: Int1D, name: Int1D, shape: tuple[int, int]) -> Float2D:
    """Place events on their effective sessions.

    Parameters
    ----------
    values : (E,)
        NaN where an event's value is undefined: such an event is not placed.
    row, name : (E,) int64
        Effective session and column; -1 means that the panel does not have it.
    shape : (T, N)

    Returns
    -------
    (T, N)
        NaN where there is no event. Of several of one name and session the latest that is defined stays.
    """
    out = np.full(shape, np.nan)
    placed = np.isfinite(values) & (row >= 0) & (name >= 0)
    # Days increase within a name, and of repeated indices numpy keeps the last.
    out[row[placed], name[placed]] = values[placed]
    return out


def event_ranks(
    surprise: Float2D, counts: Bool2D, window: int = WINDOW, min_events: int = MIN_EVENTS
) -> Float2D:
    """Mid-rank of each event among the events of the sessions before, never within its own (rulings 22).

    Parameters
    ----------
    surprise : (T, N)
        Value in the row of the event's effective session, NaN elsewhere.
    counts : (T, N) bool
        Cells whose events exist: members of the universe, stocks.
    window : int
        An event of row t is ranked among those of rows ``t - window .. t - 1``.
    min_events : int
        With fewer of them the event's rank is .5 exactly: a middling event, which tilts nothing but replaces what
        an earlier event of its name said.

    Returns
    -------
    (T, N) float64 in [0, 1]
        ``(smaller + equal / 2) / n`` for each defined event that counts; NaN where there is none. Row t depends on
        rows ``t - window .. t`` only; the first ``window`` rows see what there is.
    """
    out = np.full(surprise.shape, np.nan)
    row, name = np.nonzero(np.isfinite(surprise) & counts)
    values = surprise[row, name]
    if len(row) == 0:
        return out
    edges = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
    begin = np.searchsorted(row, row[edges] - window, side="left")
    ranks = np.full(len(row), MIDDLE)
    for first, stop, oldest in zip(edges, [*edges[1:], len(row)], begin, strict=True):
        if first - oldest >= max(min_events, 1):
            ranks[first:stop] = mid_ranks(values[first:stop], values[oldest:first])
    out[row, name] = ranks
    return out


def mid_ranks(values: Float1D, among: Float1D) -> Float1D:
    """``(smaller + equal / 2) / n`` of each of (E,) values among (n,) others, n > 0; all finite."""
    ordered = np.sort(among)
    smaller = np.searchsorted(ordered, values, side="left")
    not_larger = np.searchsorted(ordered, values, side="right")
    return np.asarray((smaller + (not_larger - smaller) / 2.0) / len(ordered))
