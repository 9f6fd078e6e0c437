"""Weekly returns, and the recorded trials that share their luck with a data set (`ares7.trials` says why)."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares7.arrays import AnyArray, Bool1D, Bool2D, Dates, Float1D, Float2D, Int1D
from ares7.errors import DataError

Float32 = NDArray[np.float32]
COVERAGE = 0.75
"""Share of the asked weeks that a trial must have to stand in `Family.weekly`; at least half remain common."""
_CHUNK = 1000
_TRIAL = np.dtype(
    [
        ("span", "i8"),
        ("id", "i8"),
        ("point", "i8"),
        ("sessions", "i8"),
        ("sharpe", "f8"),
        ("active_sharpe", "f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Family:
    """The trials that share their luck with a data set.

    A point that was evaluated more than once (in several train windows, again after a day was appended, with
    a later version of the code) is one entry: the trial whose dates overlap the asked ones most, then the one
    that exceeds them least, then the newest. Entries are ordered from the newest to the oldest.

    Attributes
    ----------
    count : int
        Trials C, repeated evaluations of a point included.
    distinct : int
        Points D, by strategy, parameters and engine settings.
    sharpes, active_sharpes : (D,) float64
        A session, of total and of active returns; NaN where not defined.
    sessions : (D,) int64
        Number of returns behind each.
    entries : (K,) int64
        Entry of each row of ``weekly``, ascending; the newest K that have `COVERAGE` of the asked weeks.
    weeks : (W,) datetime64[D]
        Mondays of the weeks inside the asked dates for which every row has a return.
    weekly : (K, W) float32
        Active returns of those weeks, fractions; at most ``limit`` rows, so 4 * limit * W bytes.
    """

    count: int
    distinct: int
    sharpes: Float1D
    active_sharpes: Float1D
    sessions: Int1D
    entries: Int1D
    weeks: Dates
    weekly: Float32


@dataclass(frozen=True, slots=True)
class Market:
    """What is recorded of one market.

    Attributes
    ----------
    data_sets : (S,) int64
        Ids of the data sets.
    universe : (S,) int64
        Their universe, as a row of ``related``.
    related : (U + 1, U + 1) bool
        Whether two universes share their luck; the last row is the asked one.
    """

    data_sets: Int1D
    universe: Int1D
    related: Bool2D

    @property
    def alike(self) -> list[int]:
        """Ids of the data sets whose universe shares its luck with the asked one."""
        return [int(i) for i in self.data_sets[self.related[-1, self.universe]]]


def recorded_market(connection: sqlite3.Connection, market: str, symbols: Sequence[str]) -> Market:
    """Read the data sets of a market, and compare their universes with each other and with ``symbols``."""
    found = connection.execute(
        "SELECT id, universe_key, symbols FROM data_sets WHERE market = ? ORDER BY id", (market,)
    ).fetchall()
    universes: dict[str, int] = {}
    sets: list[set[str]] = []
    for _, key, names in found:
        if universes.setdefault(key, len(sets)) == len(sets):
            sets.append(set(json.loads(names)))
    sets.append(set(symbols))
    return Market(
        np.array([row[0] for row in found], dtype=np.int64),
        np.array([universes[row[1]] for row in found], dtype=np.int64),
        related(sets),
    )


def related(sets: Sequence[set[str]]) -> Bool2D:
    """(U, U) bool: the smaller of two sets lies by more than half in the larger."""
    columns = {name: i for i, name in enumerate(sorted(set().union(*sets)))}
    holds = np.zeros((len(sets), len(columns)), dtype=np.float32)
    for row, names in enumerate(sets):
        holds[row, [columns[name] for name in names]] = 1.0
    sizes = holds.sum(axis=1)
    return np.asarray(holds @ holds.T > np.minimum(sizes[:, None], sizes[None, :]) / 2)


def family_of(
    connection: sqlite3.Connection, market: Market, first: np.datetime64, last: np.datetime64, limit: int
) -> Family:
    """Collect the family of the asked universe and dates; see `Family`."""
    conditions = connection.execute(
        "SELECT id, data_set, first_session, last_session, settings_hash FROM conditions "
        "WHERE data_set IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(market.data_sets.tolist()),),
    ).fetchall()
    start = np.array([row[2] for row in conditions], dtype="datetime64[D]")
    end = np.array([row[3] for row in conditions], dtype="datetime64[D]")
    place = np.searchsorted(market.data_sets, np.array([row[1] for row in conditions], dtype=np.int64))
    reached = _reached(market, market.universe[place], start, end, (first, last))
    trials = _trials(connection, [conditions[i] for i in np.flatnonzero(reached)])
    shared = np.minimum(end, last) - np.maximum(start, first)
    chosen = _one_a_point(trials, shared[reached].astype(np.int64))
    entries, weeks, weekly = _weekly_matrix(connection, chosen["id"], first, last, limit)
    return Family(
        count=len(trials),
        distinct=len(chosen),
        sharpes=chosen["sharpe"].copy(),
        active_sharpes=chosen["active_sharpe"].copy(),
        sessions=chosen["sessions"].copy(),
        entries=entries,
        weeks=weeks,
        weekly=weekly,
    )


def _reached(
    market: Market, universe: Int1D, start: Dates, end: Dates, asked: tuple[np.datetime64, np.datetime64]
) -> Bool1D:
    """Spans of dates that the asked one reaches by overlaps of names and dates, in any number of steps.

    Both ends of a span are sessions, so two spans that meet share a session.
    """
    reached = np.zeros(len(universe), dtype=np.bool_)
    ahead = [(len(market.related) - 1, *asked)]
    while ahead:
        names, first, last = ahead.pop()
        new = ~reached & market.related[names, universe] & (start <= last) & (end >= first)
        reached |= new
        ahead += [(int(universe[i]), start[i], end[i]) for i in np.flatnonzero(new)]
    return reached


def _trials(connection: sqlite3.Connection, conditions: Sequence[Any]) -> AnyArray:
    """(C,) records of `_TRIAL`; ``span`` is the place in ``conditions``, ``point`` numbers the points."""
    points: dict[tuple[int, str], int] = {}
    settings = [row[4] for row in conditions]
    found = connection.execute(
        "SELECT n.key, t.id, t.point, t.sessions, t.sharpe, t.active_sharpe "
        "FROM json_each(?) AS n CROSS JOIN trials AS t ON t.conditions = n.value",
        (json.dumps([row[0] for row in conditions]),),
    )

    def records() -> Iterator[tuple[int | float, ...]]:
        for span, trial, point, sessions, sharpe, active in found:
            place = points.setdefault((point, settings[span]), len(points))
            total = math.nan if sharpe is None else sharpe
            yield span, trial, place, sessions, total, math.nan if active is None else active

    return np.fromiter(records(), dtype=_TRIAL)


def _one_a_point(trials: AnyArray, shared: Int1D) -> AnyArray:
    """(D,) records, one a point, newest first; ``shared`` is each span's overlap with the asked dates, days."""
    order = np.lexsort((-trials["id"], trials["sessions"], -shared[trials["span"]], trials["point"]))
    ranked = trials[order]
    best = ranked[np.append(True, ranked["point"][1:] != ranked["point"][:-1])[: len(ranked)]]
    return np.asarray(best[np.argsort(-best["id"])])


def monday(dates: Dates) -> Dates:
    """Monday of the ISO week of each date, datetime64[D]."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    return np.asarray((days - (days + 3) % 7).astype("datetime64[D]"))  # 1970-01-01 was a Thursday


def weekly(dates: Dates, returns: Float1D | Float2D) -> tuple[Dates, Float1D | Float2D]:
    """Compound session returns within ISO weeks.

    Parameters
    ----------
    dates : (R,) datetime64[D]
        Session of each return, strictly rising.
    returns : (R,) or (P, R) float64
        Fractions. For active returns compound strategy and baseline, then subtract.

    Returns
    -------
    mondays : (W,) datetime64[D]
        Mondays from the first week to the last one, without a hole.
    values : (W,) or (P, W) float64
        Fractions; NaN for a week without a session, and where one of its returns is NaN. The first and the
        last week hold the sessions that are there.

    Raises
    ------
    DataError
        One return a date is not given, or the dates do not rise.
    """
    if returns.shape[-1] != len(dates):
        raise DataError(
            f"returns have {returns.shape[-1]} columns for {len(dates)} dates; give one a session"
        )
    falls = np.flatnonzero(dates[1:] <= dates[:-1])
    if len(falls):
        raise DataError(f"dates do not rise after {dates[falls[0]]}; sort them, one return a session")
    weeks = monday(dates)
    starts = np.flatnonzero(np.append(True, weeks[1:] != weeks[:-1])[: len(weeks)])
    if not len(starts):
        return weeks, returns[..., :0].copy()
    place = (weeks[starts] - weeks[0]).astype(np.int64) // 7
    values = np.full((*returns.shape[:-1], int(place[-1]) + 1), np.nan)
    values[..., place] = np.multiply.reduceat(1.0 + returns, starts, axis=-1) - 1.0
    return np.asarray(weeks[0] + 7 * np.arange(values.shape[-1])), values


def _weekly_matrix(
    connection: sqlite3.Connection, ids: Int1D, first: np.datetime64, last: np.datetime64, limit: int
) -> tuple[Int1D, Dates, Float32]:
    """Entries, weeks and rows of `Family.weekly`; ``ids`` are the entries' trials, newest first."""
    begin, final = monday(np.array([first, last])).astype(np.int64) // 7
    weeks = np.arange(begin, final + 1)
    matrix = np.full((min(limit, len(ids)), len(weeks)), np.nan, dtype=np.float32)
    entries = np.zeros(len(matrix), dtype=np.int64)
    filled = 0
    for row, first_week, active in _stored_weeks(connection, ids):
        if filled == len(matrix):
            break
        offset = int(np.datetime64(first_week, "D").astype(np.int64) // 7 - begin)
        values = np.frombuffer(active, dtype="<f4")[max(0, -offset) :]
        place = max(0, offset)
        line = matrix[filled]
        line[place : place + len(values)] = values[: max(0, len(weeks) - place)]
        if np.count_nonzero(np.isfinite(line)) >= COVERAGE * len(weeks):
            entries[filled] = row
            filled += 1
        else:
            line[:] = np.nan
    matrix = matrix[:filled]
    common = np.isfinite(matrix).all(axis=0)
    mondays = (weeks * 7 + 4).astype("datetime64[D]")
    return entries[:filled], mondays[common], np.ascontiguousarray(matrix[:, common])


def _stored_weeks(connection: sqlite3.Connection, ids: Int1D) -> Iterator[tuple[int, str, bytes]]:
    """Entry, first week and blob of each trial that has weekly returns; a thousand in memory at a time."""
    for begin in range(0, len(ids), _CHUNK):
        chunk = ids[begin : begin + _CHUNK].tolist()
        found = connection.execute(
            "SELECT trial, first_week, active FROM weekly_returns WHERE trial IN "
            "(SELECT value FROM json_each(?))",
            (json.dumps(chunk),),
        ).fetchall()
        by_trial = {row[0]: row[1:] for row in found}
        yield from ((begin + i, *by_trial[trial]) for i, trial in enumerate(chunk) if trial in by_trial)
