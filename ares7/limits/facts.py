"""What the limits read of each security, taken out of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from ares7.arrays import Bool1D, Float1D, Float2D
from ares7.limits.view import Name
from ares7.panel import Panel
from ares7.signals.windows import latest_bar

LOOKBACK = 252
"""Rows in which a last close is looked for; a name without one for a year has none."""


def _mean_volume(volume: Float2D, rows: int) -> Float1D:
    """(N,) mean over the rows of (rows, N) that are there; NaN where fewer than half of ``rows`` are."""
    there = np.isfinite(volume)
    count = there.sum(axis=0)
    total = np.where(there, volume, 0.0).sum(axis=0)
    mean: Float1D = np.divide(total, count, out=np.full(len(count), np.nan), where=2 * count >= rows)
    return mean


def name_facts(
    panel: Panel,
    row: int,
    *,
    volume_sessions: int,
    sectors: Mapping[str, str] | None = None,
    prices: Literal["close", "price"] = "close",
    of: Bool1D | None = None,
) -> dict[str, Name]:
    """Facts of a panel's names at the close of a row.

    Parameters
    ----------
    panel : Panel
    row : int
        Nothing after it is read.
    volume_sessions : int
        Rows of the mean volume; a name with fewer than half of them has none.
    sectors : mapping of symbol to str, optional
    prices : str
        ``close`` counts shares in total-return units, as a backtest does (rulings 1), ``price`` in traded ones, as
        live trading does.
    of : (N,) bool, optional
        Names wanted; all by default.

    Returns
    -------
    dict of symbol to Name
        A name without a close in the last `LOOKBACK` rows has NaN for one.

    Raises
    ------
    MissingData
        The panel has no field ``price``.
    """
    first = max(0, row + 1 - LOOKBACK)
    window = slice(first, row + 1)
    close = panel.field(prices)[window]
    last = latest_bar(np.isfinite(close))[-1]
    columns = np.flatnonzero(np.ones(len(last), dtype=bool) if of is None else of)
    known = last >= 0
    at = (np.maximum(last, 0), np.arange(len(last)))
    latest = np.where(known, close[at], np.nan)
    age = np.where(known, len(close) - 1 - last, np.nan)
    volume = np.full(len(last), np.nan)
    if "volume" in panel.fields:
        shares = panel.fields["volume"][max(0, row + 1 - volume_sessions) : row + 1]
        # A share of the total-return series is as many traded ones as its close is traded prices.
        volume = _mean_volume(shares, volume_sessions) * (_traded_price(panel, prices, window)[at] / latest)
    named = sectors or {}
    return {
        panel.symbols[i]: Name(
            float(latest[i]),
            float(age[i]),
            float(volume[i]),
            named.get(panel.symbols[i], ""),
            not panel.is_stock[i],
        )
        for i in columns.tolist()
    }


def _traded_price(panel: Panel, prices: str, window: slice) -> Float2D:
    """(L, N) USD: the traded price where shares are counted in others."""
    if prices == "close" and "price" in panel.fields:
        return panel.fields["price"][window]
    return panel.field(prices)[window]
