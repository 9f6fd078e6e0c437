"""Prices as an engine shows them: finite in every session, with a mask that says where a bar is real."""

from __future__ import annotations

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
    prices: dict[str, Float2D]
    bar: Bool2D
    gap: Int2D

    @property
    def listed(self) -> Int1D:
        """(N,) engine row from which a name has had a bar; S where it never has one."""
        known = self.gap < UNLISTED
        return np.where(known.any(axis=0), np.argmax(known, axis=0), len(known)).astype(np.int64)

    @property
    def exits(self) -> dict[int, Int1D]:
        """Engine row -> columns whose fifth session without a bar it is (rulings 5)."""
        rows, columns = np.nonzero(self.gap == FRESH_SESSIONS)
        return {int(r): columns[rows == r] for r in np.unique(rows)}

    @property
    def ordinals(self) -> Any:
        """(S,) float64 session dates as Backtrader numbers, midnight."""
        epoch = 719163  # datetime.date(1970, 1, 1).toordinal()
        return self.panel.dates[self.first : self.stop].astype(np.int64).astype(np.float64) + epoch


def _require_whole(panel: Panel, bar: Bool2D, first: int, stop: int) -> None:
    for name in PRICE_FIELDS:
        whole = np.isfinite(panel.fields[name][first:stop])
        if whole.all():
            continue
        for row, column in np.argwhere(bar[first:stop] & ~whole)[:1]:
            raise MissingData(
                f"{panel.symbols[column]} has a close but no {name} on {panel.dates[first + row]}; "
                "a bar needs all four prices: supply it or remove the bar"
            )


def _volume(panel: Panel, first: int, stop: int) -> Float2D:
    volume = panel.fields.get("volume")
    shape = (stop - first, len(panel.symbols))
    return np.zeros(shape) if volume is None else np.nan_to_num(volume[first:stop])


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
    bar = panel.bar
    _require_whole(panel, bar, first, stop)
    if bar[first:stop].all():
        # No hole anywhere: the panel's own arrays, not copies.
        whole = {name: panel.fields[name][first:stop] for name in PRICE_FIELDS}
        whole["volume"] = _volume(panel, first, stop)
        return EngineBars(
            panel, first, stop, whole, bar[first:stop], np.zeros_like(bar[first:stop], np.int64)
        )
    latest = latest_bar(bar)
    close = panel.fields["close"]
    listed = latest >= 0
    first_bar = np.argmax(bar, axis=0)
    shown = np.take_along_axis(close, np.where(listed, latest, first_bar[None, :]), axis=0)
    shown = np.where(np.isfinite(shown), shown, 1.0)
    prices = {}
    for name in PRICE_FIELDS:
        prices[name] = np.where(bar, panel.fields[name], shown)[first:stop]
    prices["close"] = shown[first:stop]
    prices["volume"] = _volume(panel, first, stop)
    gap = np.where(listed, np.arange(len(close))[:, None] - latest, UNLISTED)
    return EngineBars(
        panel,
        first,
        stop,
        {k: np.ascontiguousarray(v) for k, v in prices.items()},
        bar[first:stop],
        gap[first:stop],
    )
