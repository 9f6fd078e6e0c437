"""Prices as an engine shows them: finite in every session, with a mask that says where a bar is real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Bool2D, Float2D, Int1D, Int2D
from ares7.book import FRESH_SESSIONS
from ares7.errors import ConfigError, MissingData
from ares7.panel import PRICE_FIELDS, Panel
from ares7.signals.windows import latest_bar

UNLISTED = np.iinfo(np.int64).max // 2
"""Gap of a name that has had no bar yet."""


@dataclass(frozen=True, slots=True)
class EngineBars:
    """Rows of a panel prepared for an event-driven engine.

    A session without a bar shows the last close in all four prices and volume 0 (rulings 5); before the first
    bar it shows the first close, because one NaN would make a Backtrader account NaN for ever. Nothing trades
    on such a row: ``bar`` is false there.

    Attributes
    ----------
    panel : Panel
        All rows, warm-up included.
    first, stop : int
        Rows that the engine runs.
    prices : mapping of open, high, low, close, volume to (S, N), S = stop - first
    bar : (S, N) bool
    gap : (S, N) int64
        Sessions since the last bar; 0 with a bar; a large number before the first one.
    """

    panel: Panel
    first: int
    stop: int
    prices: Mapping[str, Float2D]
    bar: Bool2D
    gap: Int2D

    @property
    def listed(self) -> Int1D:
        """(N,) engine row from which a name has had a bar; S where it never has one."""
        late = np.flatnonzero(self.gap[0] >= UNLISTED)
        out = np.zeros(self.gap.shape[1], dtype=np.int64)
        out[late] = (self.gap[:, late] >= UNLISTED).sum(axis=0)
        return out

    @property
    def exits(self) -> dict[int, Int1D]:
        """Engine row -> columns whose fifth session without a bar it is (rulings 5)."""
        # Flat, because two-dimensional searches are many times slower.
        rows, columns = np.divmod(np.flatnonzero(self.gap == FRESH_SESSIONS), self.gap.shape[1])
        return {int(r): columns[rows == r] for r in np.unique(rows)}

    @property
    def ordinals(self) -> Any:
        """(S,) float64 session dates as Backtrader numbers, midnight."""
        epoch = 719163  # datetime.date(1970, 1, 1).toordinal()
        return self.panel.dates[self.first : self.stop].astype(np.int64).astype(np.float64) + epoch


class ShownPrices(Mapping[str, Float2D]):
    """Open, high, low, close and volume as an engine shows them, (S, N) each, made when first asked for.

    Parameters
    ----------
    panel : Panel
    rows : slice
        The S rows that the engine runs.
    holed : (H,) int64
        Columns that miss a bar there; the others are the panel's own arrays.
    bar : (S, H) bool
    last : (S, H)
        The close that such a column shows where it has no bar, USD.
    """

    def __init__(self, panel: Panel, rows: slice, holed: Int1D, bar: Bool2D, last: Float2D) -> None:
        self._panel, self._rows, self._holed, self._bar, self._last = panel, rows, holed, bar, last
        self._made: dict[str, Float2D] = {}

    def __getitem__(self, name: str) -> Float2D:
        if name not in self._made:
            if name not in self:
                raise KeyError(name)
            self._made[name] = self._volume() if name == "volume" else self._price(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*PRICE_FIELDS, "volume"))

    def __len__(self) -> int:
        return len(PRICE_FIELDS) + 1

    def __contains__(self, name: object) -> bool:
        return name in PRICE_FIELDS or name == "volume"

    def _price(self, name: str) -> Float2D:
        own = self._panel.fields[name][self._rows]
        if not len(self._holed):
            return own
        shown = own.copy()
        shown[:, self._holed] = np.where(self._bar, own[:, self._holed], self._last)
        return shown

    def _volume(self) -> Float2D:
        volume = self._panel.fields.get("volume")
        shape = (len(self._last), len(self._panel.symbols))
        return np.zeros(shape) if volume is None else np.nan_to_num(volume[self._rows])


def _require_whole(panel: Panel, bar: Bool2D, rows: slice) -> None:
    for name in ("open", "high", "low"):
        broken = np.greater(bar, np.isfinite(panel.fields[name][rows]))
        if broken.any():
            row, column = np.argwhere(broken)[0]
            raise MissingData(
                f"{panel.symbols[column]} has a close but no {name} on {panel.dates[rows][row]}; "
                "a bar needs all four prices: supply it or remove the bar"
            )


def engine_bars(panel: Panel, first: int | None = None, stop: int | None = None) -> EngineBars:
    """Prepare the rows that an engine runs; by default from the panel's start session to its end.

    Raises
    ------
    ConfigError
        No rows are left.
    MissingData
        A bar lacks one of its prices.
    """
    first = panel.start_row if first is None else first
    stop = len(panel.dates) if stop is None else stop
    if stop - first < 1:
        raise ConfigError(
            f"no session to run: rows {first} to {stop} of {len(panel.dates)}; choose a period inside the data"
        )
    rows, every = slice(first, stop), panel.bar
    bar = every[rows]
    _require_whole(panel, bar, rows)
    holed = np.flatnonzero(~bar.all(axis=0))
    latest, first_bar = latest_bar(every[:, holed])[rows], np.argmax(every[:, holed], axis=0)
    listed = latest >= 0
    last = panel.fields["close"][np.where(listed, latest, first_bar), holed]
    last[~np.isfinite(last)] = 1.0
    gap = np.zeros(bar.shape, dtype=np.int64)
    gap[:, holed] = np.where(listed, np.arange(first, stop)[:, None] - latest, UNLISTED)
    return EngineBars(panel, first, stop, ShownPrices(panel, rows, holed, bar[:, holed], last), bar, gap)
