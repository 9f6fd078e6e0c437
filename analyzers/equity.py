"""The recorder of NAV, cash and exposure that the other analyzers read, and their base class."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

import backtrader as bt
import numpy as np

from ares7.activity import from_the_start
from ares7.arrays import AnyArray, Dates, Float1D
from ares7.errors import DataError

EPOCH = dt.date(1970, 1, 1).toordinal()
Recorder = TypeVar("Recorder", bound=bt.Analyzer)

Dated = Mapping[Any, float] | tuple[AnyArray, AnyArray]
"""A series by session: a mapping of date to value, or the pair (dates, values)."""


def session_dates(strategy: bt.Strategy, stamps: list[float]) -> Dates:
    """(B,) datetime64[D] from Backtrader's float dates, in the strategy's time zone (UTC without one)."""
    zone = strategy.lines.datetime._tz
    if zone is not None:
        return np.array([bt.num2date(stamp, zone).date() for stamp in stamps], dtype="datetime64[D]")
    return (np.array(stamps, dtype=np.float64).astype(np.int64) - EPOCH).astype("datetime64[D]")


def aligned(series: Dated, dates: Dates, what: str) -> AnyArray:
    """Values of ``series`` in the rows of ``dates``.

    Raises
    ------
    DataError
        A session has no value: nothing is filled in.
    """
    pair = series if isinstance(series, tuple) else (list(series.keys()), list(series.values()))
    known, values = np.asarray(pair[0], dtype="datetime64[D]"), np.asarray(pair[1])
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known, dates, sorter=order)
    found = place < len(known)
    found[found] = known[order[place[found]]] == dates[found]
    if not found.all():
        raise DataError(
            f"{what} has no value for session {dates[~found][0]} ({np.count_nonzero(~found)} of {len(dates)} "
            "sessions); give one for every session of the run"
        )
    return np.asarray(values[order[place]])


def shared(owner: bt.Analyzer, kind: type[Recorder]) -> Recorder:
    """Return the strategy's recorder of this kind, or a new child of ``owner``. Call it from ``__init__``.

    Only recorders made earlier are found, so that they also stop earlier.
    """
    pending = [owner, *owner.strategy.analyzers]
    while pending:
        analyzer = pending.pop()
        if isinstance(analyzer, kind):
            break
        pending += analyzer._children
    else:
        analyzer = kind()  # Backtrader registers it with the analyzer whose __init__ is running
    found: Recorder = analyzer
    return found


class Equity(bt.Analyzer):
    """NAV, cash and exposure at each session close, under any broker.

    A session with several bars counts once, at its last bar. Row 0 is the starting value: the first session
    when nothing was held at its close, else a row dated the day before it. A broker with a ``history``
    (``dates nav cash gross names``, as below) is read at the end instead of at every bar. Deposits count as
    return, as they do in Backtrader outside its fund mode.

    Attributes
    ----------
    dates : (T,) datetime64[D]
    nav, cash : (T,) USD
    gross : (T,) fraction of NAV
        Sum of absolute position values, contract multipliers included.
    names : (T,) float64
        Number of open positions.
    bars : slice
        Rows that are sessions of the run: all, or all but an added row 0.
    """

    dates: Dates
    nav: Float1D
    cash: Float1D
    gross: Float1D
    names: Float1D
    bars: slice

    def start(self) -> None:
        """Note the starting value."""
        broker = self.strategy.broker
        self._starting = float(broker.getvalue())
        self.reads_history = hasattr(broker, "history")
        self._rows: list[tuple[float, float, float, float, int]] = []

    def next(self) -> None:
        """Record one bar; Backtrader calls it on every bar, those before the minimum period included."""
        if self.reads_history:
            return
        broker = self.strategy.broker
        value, count = 0.0, 0
        for data, position in self._positions():
            if position.size:
                multiplier = broker.getcommissioninfo(data).p.mult
                value += abs(position.size) * data.close[0] * multiplier
                count += 1
        stamp = self.strategy.lines.datetime[0]
        self._rows.append((stamp, broker.getvalue(), broker.getcash(), value, count))

    def _positions(self) -> Any:
        broker = self.strategy.broker
        held = getattr(broker, "positions", None)
        if held is not None:
            # Asking Backtrader's broker for a position adds it, empty, to those it values at each bar.
            return held.items()
        return [(data, broker.getposition(data)) for data in self.datas]

    def stop(self) -> None:
        """Turn the rows into arrays, and make sure that row 0 is the starting value."""
        dates, table = self._from_history() if self.reads_history else self._from_bars()
        self.dates, table = from_the_start(dates, table, self._starting)
        self.bars = slice(len(self.dates) - len(dates), None)
        self.nav, self.cash, self.gross, self.names = np.ascontiguousarray(table.T)

    def _from_history(self) -> tuple[Dates, AnyArray]:
        history = self.strategy.broker.history
        return history.dates, np.column_stack([history.nav, history.cash, history.gross, history.names])

    def _from_bars(self) -> tuple[Dates, AnyArray]:
        days = session_dates(self.strategy, [row[0] for row in self._rows])
        last = np.flatnonzero(np.append(days[1:] != days[:-1], True)) if len(days) else np.zeros(0, np.int64)
        table = np.array([self._rows[i][1:] for i in last.tolist()], dtype=np.float64).reshape(-1, 4)
        table[:, 2] /= np.where(table[:, 0] > 0, table[:, 0], np.nan)
        return days[last], table

    def get_analysis(self) -> dict[str, Any]:
        """Lists of equal length under ``dates`` (ISO), ``nav``, ``cash``, ``gross``, ``names``."""
        series = {name: getattr(self, name).tolist() for name in ("nav", "cash", "gross", "names")}
        return {"dates": self.dates.astype(str).tolist(), **series}


class EquityFigures(bt.Analyzer):
    """Base of the analyzers whose figures are computed once, at the end, from `Equity`."""

    def __init__(self) -> None:
        self.equity = shared(self, Equity)

    def figures(self) -> dict[str, Any]:
        """Return what `get_analysis` returns."""
        raise NotImplementedError

    def stop(self) -> None:
        """Compute the figures."""
        self.rets = self.figures()
