"""Positions that are marked to market in one step, to the last bit as Backtrader adds them up."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from backtrader.position import Position
from backtrader.utils import num2date

from ares7.arrays import Float2D
from ares7.bars import EngineBars

_FEWEST, _MOST = 8, 64


class Marks:
    """Sizes and prices of all positions as arrays, and their value at a session's close.

    Backtrader adds positions one by one, in the order in which they were first asked for: of a long one its cost
    and then its gain, of a short one its value. Any other order gives other last bits, and a whole-share target
    computed from them can then differ by one share.

    Parameters
    ----------
    bars : EngineBars
    """

    def __init__(self, bars: EngineBars) -> None:
        self.bars = bars
        self.close: Float2D = bars.prices["close"]
        self._ordinals = bars.ordinals
        self._positions: list[Any] = []
        self._column = np.zeros(0, dtype=np.int64)
        self._size, self._price = np.zeros((0, 1)), np.zeros((0, 1))
        self._ahead, self._first = _FEWEST, 0
        self._values: list[float] = []
        self._gross: list[float] = []
        self._held = 0
        self.row: int | None = None
        """Session at whose close the positions were last marked; None while Backtrader does it itself."""

    def add(self, position: MarkedPosition) -> None:
        """Take a new position as the last of the sum."""
        self._positions.append(position)
        self.changed()

    def changed(self) -> None:
        """Forget what was marked: a position is not what it was."""
        self._values, self._ahead = [], _FEWEST

    def value(self, row: int) -> float:
        """Value of all positions at a session's close, USD."""
        if not self._first <= row < self._first + len(self._values):
            self._look_ahead(row)
        return self._values[row - self._first]

    def gross(self, row: int) -> tuple[float, int]:
        """Sum of the positions' absolute values at a session's close, USD, and how many are open."""
        self.value(row)
        return self._gross[row - self._first], self._held

    def unlevered(self, row: int) -> tuple[float, float]:
        """Market value without the split into cost and gain, and the gain not yet realised, USD."""
        value, gain = self._mark(row, row + 1)
        return _total(value)[0], _total(gain)[0]

    def _mark(self, first: int, stop: int) -> tuple[Float2D, Float2D]:
        """(positions, sessions) values and gains."""
        close = np.ascontiguousarray(self.close[first:stop, self._column].T)
        return self._size * close, self._size * (close - self._price)

    def _look_ahead(self, row: int) -> None:
        # Positions rest for weeks: marking many sessions at once costs little more than marking one.
        if not self._values:
            self._gather()
        value, gain = self._mark(row, row + self._ahead)
        long = value > 0
        parts = np.empty((2 * len(value), value.shape[1]))
        parts[0::2] = np.where(long, value - gain, value)
        parts[1::2] = np.where(long, gain, 0.0)
        self._values, self._gross = _total(parts), _total(np.abs(value))
        self._first, self._ahead = row, min(2 * self._ahead, _MOST)
        self._held = int(np.count_nonzero(self._size))

    def _gather(self) -> None:
        held = self._positions
        self._column = np.array([p.column for p in held], dtype=np.int64)
        self._size = np.array([p.size for p in held], dtype=np.float64)[:, None]
        self._price = np.array([p.price for p in held], dtype=np.float64)[:, None]

    def time(self, row: int) -> Any:
        """A session's time as ``datetime.datetime``."""
        return num2date(self._ordinals[row])


def _total(parts: Float2D) -> list[float]:
    # Strictly from left to right, beginning with 0.0 as Backtrader does; np.sum would add in pairs.
    out: list[float] = np.add.accumulate(np.vstack([np.zeros((1, parts.shape[1])), parts]), axis=0)[
        -1
    ].tolist()
    return out


class MarkedPosition(Position):
    """A position of Backtrader's that knows its place in `Marks`.

    ``datetime`` and ``adjbase`` (time and close of the last mark), which Backtrader's broker writes into each open
    position in every session, are looked up when somebody reads them.
    """

    def __init__(self, marks: Marks, column: int) -> None:
        self.marks, self.column, self.filled = marks, column, -1
        super().__init__()
        marks.add(self)

    def _marked(self) -> bool:
        return bool(self.size) and self.marks.row is not None

    def _get_adjbase(self) -> Any:
        if self._marked():
            return float(self.marks.close[self.marks.row, self.column])
        return self._adjbase

    def _set_adjbase(self, value: Any) -> None:
        self._adjbase = value

    adjbase = property(
        _get_adjbase, _set_adjbase, doc="Close at the last mark, USD a share; what it was then once closed."
    )

    def _get_datetime(self) -> Any:
        if self._marked():
            return self.marks.time(self.marks.row)  # type: ignore[arg-type]
        stamp = self._datetime
        return num2date(stamp) if isinstance(stamp, float) else stamp

    def _set_datetime(self, value: Any) -> None:
        self._datetime = value

    datetime = property(
        _get_datetime, _set_datetime, doc="Time of the last mark while open, of the last fill otherwise."
    )

    def settle(self) -> None:
        """Write the looked-up values down: the position is about to change, or Backtrader takes over."""
        if self._marked() and self.filled != self.marks.row + 1:  # type: ignore[operator]
            self._adjbase, self._datetime = self.adjbase, self.datetime

    def mirror(self, row: int) -> None:
        """Tell `Marks` of a fill in session ``row``."""
        self.filled = row
        self.marks.changed()

    def fill(self, row: int, now: float, size: float, price: float, opened: float) -> None:
        """Trade ``size`` shares, ``opened`` of them to open, in session ``row`` at time ``now``."""
        if self.filled != row and self._marked():
            self._adjbase = self.adjbase
        if opened:
            self._adjbase = price
        self.update(size, price, now)
        self.mirror(row)


class MarkedPositions(defaultdict[Any, Any]):
    """Feed -> position, made on first use like Backtrader's own mapping."""

    def __init__(self, marks: Marks) -> None:
        super().__init__(Position)
        self._marks = marks

    def __missing__(self, data: Any) -> Any:
        own = getattr(data, "engine_bars", None) is self._marks.bars
        position = MarkedPosition(self._marks, data.column) if own else Position()
        self[data] = position
        return position


def split(old: float, size: float) -> tuple[float, float]:
    """What of ``size`` shares opens and what closes a position of ``old`` shares (`Position.update`)."""
    new = old + size
    if not new:
        return 0, size
    if not old or (old > 0) == (size > 0):
        return size, 0
    if (old > 0) == (new > 0):
        return 0, size
    return new, -old


def average(old: float, cost: float, size: float, price: float) -> float:
    """Average price in USD of a position after ``size`` shares at ``price`` (`Position.update`)."""
    new = old + size
    if not new:
        return 0.0
    if not old:
        return price
    if (old > 0) == (size > 0):
        return (cost * old + size * price) / new
    return cost if (old > 0) == (new > 0) else price
