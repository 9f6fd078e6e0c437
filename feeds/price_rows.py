"""Daily bars in the canonical long layout as arrays, and their place on the sessions x symbols grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Dates, Float1D, Float2D, Int1D
from feeds.tables import read_table

NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
COLUMNS = ("date", "symbol", *NUMBERS)


@dataclass(frozen=True, slots=True)
class PriceRows:
    """Rows of a long price table.

    Attributes
    ----------
    source : str
        File, for messages.
    days : (n,) datetime64[D]
        Session dates; NaT where the file has none.
    codes : (n,) int64
        Position of each row's symbol in ``symbols``.
    symbols : tuple of str
        Sorted.
    values : mapping of str to (n,) float64
        ``open high low close`` in split-adjusted USD, ``adj_close`` also dividend-adjusted, ``volume`` in
        shares; NaN where the file has none.
    numbers : (n,) int64
        Number of the row in the file, from 0.
    """

    source: str
    days: Dates
    codes: Int1D
    symbols: tuple[str, ...]
    values: Mapping[str, Float1D]
    numbers: Int1D

    def take(self, index: Bool1D | Int1D) -> PriceRows:
        """Rows at ``index``, symbols unchanged."""
        return replace(
            self,
            days=self.days[index],
            codes=self.codes[index],
            values={name: values[index] for name, values in self.values.items()},
            numbers=self.numbers[index],
        )

    def only(self, symbols: Collection[str]) -> PriceRows:
        """Rows of some symbols."""
        if set(self.symbols) <= set(symbols):
            return self
        wanted = np.array([symbol in symbols for symbol in self.symbols], dtype=bool)
        kept = tuple(symbol for symbol in self.symbols if symbol in symbols)
        part = self.take(wanted[self.codes])
        return replace(part, symbols=kept, codes=(np.cumsum(wanted) - 1)[part.codes])

    def ordered(self) -> PriceRows:
        """Rows by symbol, then date."""
        return self.take(np.lexsort((self.days, self.codes)))


def rows_from_frame(frame: pd.DataFrame, source: str) -> PriceRows:
    """Arrays from a table with the canonical columns; number columns that it lacks are NaN."""
    codes, symbols = pd.factorize(frame["symbol"].to_numpy(dtype=object), sort=True)
    nothing = np.full(len(frame), np.nan)
    return PriceRows(
        source=source,
        days=frame["date"].to_numpy().astype("datetime64[D]"),
        codes=codes.astype(np.int64),
        symbols=tuple(str(symbol) for symbol in symbols),
        values={
            name: np.ascontiguousarray(frame[name], dtype=np.float64) if name in frame else nothing
            for name in NUMBERS
        },
        numbers=np.arange(len(frame), dtype=np.int64),
    )


def read_rows(path: Path) -> PriceRows:
    """Read a canonical price table; every column of `COLUMNS` must be there.

    Raises
    ------
    DataError
        From `read_table`.
    """
    return rows_from_frame(read_table(path, COLUMNS, ["date"], ["symbol"], NUMBERS), str(path))


def place_on_grid(
    tables: Sequence[PriceRows], sessions: Dates, symbols: tuple[str, ...]
) -> dict[str, Float2D]:
    """Put rows on the grid and make total-return prices (rulings 1).

    Parameters
    ----------
    tables : sequence of PriceRows
        Checked rows, a symbol in one table only; dates that are not in ``sessions`` are left out.
    sessions : (T,) datetime64[D]
    symbols : tuple of N str
        Columns; they hold every symbol of the tables.

    Returns
    -------
    dict of str to (T, N) float64
        ``open high low`` times ``adj_close / close``; ``close``, which is ``adj_close``; ``price``, which is
        the split-adjusted close; ``volume``. NaN without a bar.
    """
    position = {symbol: i for i, symbol in enumerate(symbols)}
    names = ("open", "high", "low", "close", "price", "volume")
    grid = {name: np.full((len(sessions), len(symbols)), np.nan) for name in names}
    for table in tables:
        good = table.take(np.isin(table.days, sessions))
        row = np.searchsorted(sessions, good.days)
        column = np.array([position[symbol] for symbol in good.symbols], dtype=np.int64)[good.codes]
        values = good.values
        for name in ("open", "high", "low"):
            grid[name][row, column] = values[name] * values["adj_close"] / values["close"]
        for name, source in (("close", "adj_close"), ("price", "close"), ("volume", "volume")):
            grid[name][row, column] = values[source]
    return grid
