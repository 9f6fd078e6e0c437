"""Backtrader feeds whose line buffers are filled at once from a panel."""

from __future__ import annotations

import array
import datetime as dt
import math
from typing import Any

import backtrader as bt
import numpy as np

from ares7.arrays import AnyArray, Float1D
from ares7.bars import EngineBars
from ares7.errors import ConfigError
from ares7.panel import PRICE_FIELDS, Panel
from feeds.cheap_feeds import twin

EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
FUNDAMENTAL_LINES = ("roe", "ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity")


def _buffer(values: AnyArray, extension: int = 0) -> array.array[float]:
    """Copy a column into what a line keeps its values in."""
    buffer = array.array("d")
    buffer.frombytes(np.ascontiguousarray(values, dtype=np.float64).data.cast("B"))
    buffer.extend([float("nan")] * extension)
    return buffer


class ArrayData(bt.feed.DataBase):
    """A feed over arrays: one float64 column a line.

    Parameters
    ----------
    columns : mapping of line name to (S,) float64
        ``datetime`` in Backtrader's date numbers, strictly increasing; every line of the feed must be there,
        ``openinterest`` excepted.

    Notes
    -----
    Works in any Cerebro. Whole buffers are handed to the lines when Cerebro preloads and no filter, time zone
    or date limit has to look at single bars; otherwise bars are read one by one through Backtrader's own code.
    """

    params: Any = (("columns", None),)

    def start(self) -> None:
        """Check the columns; called by Cerebro."""
        super().start()
        self._next_row, self._rows = 0, self._open()

    def _open(self) -> int:
        """Check the columns; returns how many rows they have."""
        self._columns = dict(self.p.columns)
        rows = len(self._columns["datetime"])
        self._columns.setdefault("openinterest", np.zeros(rows))
        missing = [name for name in self.getlinealiases() if name not in self._columns]
        if missing:
            raise ConfigError(f"feed {self._name!r} has no column for line(s) {missing}")
        return rows

    def column_of(self, name: str) -> AnyArray:
        """Return the values of one line, a row each."""
        values: AnyArray = self._columns[name]
        return values

    def _load(self) -> bool:
        if self._next_row >= self._rows:
            return False
        for name in self.getlinealiases():
            getattr(self.lines, name)[0] = float(self.column_of(name)[self._next_row])
        self._next_row += 1
        return True

    def _bulk(self) -> bool:
        unbounded = self.fromdate == float("-inf") and self.todate == float("inf")
        plain = all(line.mode == line.UnBounded for line in self.lines.lines)
        return unbounded and plain and not self._filters and not self._ffilters and self._tzinput is None

    def preload(self) -> None:
        """Fill every line at once, or bar by bar where something must look at single bars."""
        if not self._bulk():
            super().preload()
            return
        self._fill()
        self._next_row = self._rows

    def _fill(self) -> None:
        for name, line in zip(self.getlinealiases(), self.lines.lines, strict=True):
            line.array = _buffer(self.column_of(name), line.extension)


class PanelData(ArrayData):
    """One symbol's own bars, as any Backtrader strategy expects them: no row where the name has no bar."""


class FundamentalData(ArrayData):
    """Like `PanelData`, with point-in-time fundamentals as lines; NaN where no value is visible."""

    lines: Any = FUNDAMENTAL_LINES


class MarketData(ArrayData):
    """The index as prices, with ``vix`` and ``regime`` (`ares7.signals.regime.Regime`) as lines.

    Not tradable: open, high, low and close are the index close.
    """

    lines: Any = ("vix", "regime")


def _ordinals(panel: Panel) -> Float1D:
    return panel.dates.astype(np.int64).astype(np.float64) + EPOCH_ORDINAL


def _own_bars(panel: Panel, symbol: str, names: tuple[str, ...]) -> dict[str, Float1D]:
    if symbol not in panel.symbols:
        raise ConfigError(f"symbol {symbol!r} is not in the panel of {len(panel.symbols)} symbols")
    column = panel.symbols.index(symbol)
    there = panel.bar[:, column]
    columns = {name: panel.field(name)[there, column] for name in names}
    columns["datetime"] = _ordinals(panel)[there]
    return columns


def price_feed(panel: Panel, symbol: str, **kwargs: Any) -> PanelData:
    """Return a feed of one symbol's total-return bars; ``kwargs`` are Backtrader's (``fromdate``, ``tz``, ...)."""
    return PanelData(columns=_own_bars(panel, symbol, (*PRICE_FIELDS, "volume")), name=symbol, **kwargs)


def fundamental_feed(panel: Panel, symbol: str, **kwargs: Any) -> FundamentalData:
    """Return a feed of one symbol's total-return bars and visible fundamentals."""
    names = (*PRICE_FIELDS, "volume", *FUNDAMENTAL_LINES)
    return FundamentalData(columns=_own_bars(panel, symbol, names), name=symbol, **kwargs)


def market_feed(panel: Panel, labels: Any, name: str = "market", **kwargs: Any) -> MarketData:
    """Return a feed of index, VIX and held regime labels.

    Parameters
    ----------
    panel : Panel
    labels : (T,) int8
        For example ``strategies.quality_momentum.labels(panel, RegimeParams()).held``.
    name : str
    """
    index, vix = panel.signal("index"), panel.signal("vix")
    there = np.isfinite(index) & np.isfinite(vix)
    columns = dict.fromkeys(PRICE_FIELDS, index[there]) | {
        "datetime": _ordinals(panel)[there],
        "volume": np.zeros(int(there.sum())),
        "vix": vix[there],
        "regime": np.asarray(labels, dtype=np.float64)[there],
    }
    return MarketData(columns=columns, name=name, **kwargs)


class Clock:
    """One position for all feeds of a panel; ``row`` is None while Backtrader moves each feed itself."""

    __slots__ = ("row",)

    def __init__(self) -> None:
        self.row: int | None = None


class ClockLine(bt.LineBuffer):
    """A line that reads its position from the shared clock while it runs, and its values when asked for any.

    Strategies that trade baskets read the panel and no line at all, so a column is copied at its first use.
    """

    clock: Clock
    listed: int = 0
    """Engine row of the feed's first bar: the line has no value before it."""
    alias: str
    """Which line of the feed it is."""

    def __getattr__(self, name: str) -> Any:
        if name != "array":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self.array = _buffer(self._owner.column_of(self.alias))
        return self.array

    def buflen(self) -> int:
        """Rows that the buffer holds, whether copied yet or not."""
        return int(super().buflen() if "array" in self.__dict__ else self._owner.rows)

    def __getitem__(self, ago: int) -> float:
        row = self.clock.row
        place = (self._idx if row is None else row - self.listed) + ago
        # A negative place would count from the end of the buffer, which lies in the future.
        value: float = self.array[place] if place >= 0 else math.nan
        return value

    def _get_position(self) -> int:
        row = self.clock.row
        return self._idx if row is None else row - self.listed

    def _set_position(self, value: int) -> None:
        self.set_idx(value)

    idx = property(_get_position, _set_position)

    def _get_count(self) -> int:
        row = self.clock.row
        if row is None:
            return self._count
        count = row + 1 - self.listed
        return count if count > 0 else 0

    def _set_count(self, value: int) -> None:
        self._count = value

    lencount = property(_get_count, _set_count)

    __len__ = _get_count


class AlignedData(ArrayData):
    """One column of `EngineBars`: a row in every session from its first bar on, so that all feeds share one clock.

    Before that bar the feed has no row and length 0, as Backtrader's own feeds: nobody sees a later price early.

    Adds the line ``bar``: 1 where the name really traded. ``engine_bars`` and ``column`` tell our broker and
    strategies where the numbers come from.
    """

    lines: Any = ("bar",)
    params: Any = (("engine_bars", None), ("column", 0), ("listed", 0), ("clock", None))

    def __init__(self, **_: Any) -> None:
        super().__init__()
        clock = self.p.clock or Clock()
        for name, line in zip(self.getlinealiases(), self.lines.lines, strict=True):
            # Backtrader has just made these lines; making each a second time is a third of a feed's cost.
            line.__class__ = ClockLine
            line.clock, line.listed, line.alias, line._count = clock, self.p.listed, name, 0
        self._tick_nullify()

    def _open(self) -> int:
        return self.rows

    @property
    def rows(self) -> int:
        """Sessions from the first bar on."""
        bars = self.engine_bars
        return int(bars.stop - bars.first - self.p.listed)

    def column_of(self, name: str) -> AnyArray:
        """Return the values of one line, a row a session."""
        bars, column, listed = self.engine_bars, self.p.column, self.p.listed
        if name == "datetime":
            values: AnyArray = bars.ordinals[listed:]
        elif name == "bar":
            values = bars.bar[listed:, column]
        elif name == "openinterest":
            values = np.zeros(self.rows)
        else:
            values = bars.prices[name][listed:, column]
        return values

    def _unbounded(self) -> bool:
        line = self.lines.lines[0]
        return bool(line.mode == line.UnBounded)

    def reset(self) -> None:
        """Stand before the first row, without values."""
        if not self._unbounded():
            super().reset()
            return
        self.home()
        for line in self.lines.lines:
            line.array, line.extension, line.useislice = array.array("d"), 0, False

    def home(self) -> None:
        """Stand before the first row."""
        if self._unbounded():
            self.stand_at(self.p.listed - 1)
        else:
            super().home()

    def stand_at(self, row: int) -> None:
        """Stand at a row of the engine's, where the feed stays when the clock is gone."""
        place = row - self.p.listed
        count = max(place + 1, 0)
        for line in self.lines.lines:
            line._idx, line._count = place, count

    def _getlinealias(self, number: int) -> str:
        # Backtrader asks for every line of every feed, and looks for this method in two other places first.
        return _ALIGNED_LINES[number] if number < len(_ALIGNED_LINES) else ""

    def extend(self, value: float = math.nan, size: int = 0) -> None:
        """Make room for ``size`` rows beyond the last."""
        if size:
            super().extend(value, size)

    def _fill(self) -> None:
        for line in self.lines.lines:
            if line.extension:
                super()._fill()
                return
            # The line takes its values when somebody reads one.
            del line.array

    @property
    def engine_bars(self) -> EngineBars:
        """The prepared rows of the whole panel."""
        bars: EngineBars = self.p.engine_bars
        return bars

    @property
    def unlisted(self) -> bool:
        """The run has begun and this name has had no bar yet."""
        return bool(self.p.listed) and len(self) == 0 and any(len(feed) for feed in self._env.datas)

    @property
    def column(self) -> int:
        """Column of the panel that this feed shows."""
        return int(self.p.column)


_ALIGNED_LINES: tuple[str, ...] = AlignedData.lines._getlines()


def aligned_feeds(bars: EngineBars, clock: Clock | None = None) -> list[AlignedData]:
    """Return one feed a column that ever has a bar in the rows that are run, in column order."""
    sessions = bars.stop - bars.first
    feeds: list[AlignedData] = []
    for column, listed in enumerate(bars.listed.tolist()):
        if listed == sessions:
            continue
        name = bars.panel.symbols[column]
        if not feeds:
            feeds.append(AlignedData(engine_bars=bars, column=column, listed=listed, clock=clock, name=name))
            continue
        feed = twin(feeds[0], name, column=column, listed=listed)
        for line in feed.lines.lines:
            line.listed = listed
        feeds.append(feed)
    return feeds
