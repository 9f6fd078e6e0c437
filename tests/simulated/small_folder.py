"""A data folder of a few names, written by hand: listings, ends, dividends and splits where a test wants them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares7.sessions import sessions

START = "2023-11-01"


class SmallFolder:
    """Prices that wander a little, the same in every test.

    Parameters
    ----------
    folder : Path
    names : sequence of str
    last : str
        Last session of the market; the files may end earlier (`write`).
    """

    def __init__(self, folder, names=("AAA", "BBB", "CCC", "DDD", "EEE"), last="2024-03-28"):
        self.folder = folder
        self.dates = sessions(np.datetime64(START), np.datetime64(last))
        rng = np.random.default_rng(7)
        moves = rng.normal(0.0, 0.01, (len(self.dates), len(names)))
        self.close = pd.DataFrame(
            np.round(50 * np.exp(np.cumsum(moves, axis=0)), 2), index=self.dates.astype(str), columns=names
        )
        gaps = rng.normal(0.0, 0.004, self.close.shape)
        self.open = (self.close.shift(1).fillna(50.0) * np.exp(gaps)).round(2)
        self.paid = pd.DataFrame(0.0, index=self.close.index, columns=names)
        self.splits = {}

    def ends(self, name, day):
        """The name has no bar after a day."""
        self.close.loc[self.close.index > day, name] = np.nan

    def pauses(self, name, day):
        """The name has no bar on a day."""
        self.close.loc[day, name] = np.nan

    def pays(self, name, day, usd):
        """A dividend goes ex on a day; the price falls by it."""
        later = self.close.index >= day
        self.close.loc[later, name] -= usd
        self.open.loc[later, name] -= usd
        self.paid.loc[day, name] = usd

    def divides(self, name, day, ratio):
        """A split on a day: files written from then on show earlier prices divided by the ratio."""
        self.splits[name] = (day, ratio)

    def write(self, until=None):
        """Write the folder as somebody downloads it after the close of a day, atomically."""
        rows = []
        for name in self.close:
            close, opened = self.close[name].loc[:until], self.open[name].loc[:until]
            if name in self.splits and (until is None or until >= self.splits[name][0]):
                close, opened = close / self.splits[name][1], opened / self.splits[name][1]
            before = self.close[name].ffill().shift(1)
            kept = (1 - self.paid[name] / before).loc[:until].fillna(1.0)
            # The product of what is kept by every dividend after a day.
            factor = kept[::-1].cumprod()[::-1].shift(-1).fillna(1.0)
            frame = pd.DataFrame(
                {
                    "date": pd.to_datetime(close.index),
                    "symbol": name,
                    "open": opened,
                    "high": np.maximum(opened, close) + 0.1,
                    "low": np.minimum(opened, close) - 0.1,
                    "close": close,
                    "adj_close": close * factor,
                    "volume": 1_000_000.0,
                }
            )
            rows.append(frame[close.notna().to_numpy()])
        table = pd.concat(rows, ignore_index=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / ".prices.new"
        table.to_parquet(fresh, index=False)
        fresh.replace(self.folder / "prices.parquet")
        return self.folder
