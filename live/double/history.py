"""Daily bars that the gateway replays: from a canonical data folder, from the synthetic market, or from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ares7.arrays import AnyArray, Dates, Float1D, Float2D
from ares7.errors import ConfigError, MissingData

if TYPE_CHECKING:
    from ares7.config import DataConfig
    from feeds.price_rows import PriceRows

PRICES = ("open", "high", "low", "close")
Basis = Literal["traded", "total_return"]


@dataclass(frozen=True, slots=True)
class History:
    """Daily bars by symbol; a row of an array is a symbol, a column a session.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        Sessions, strictly increasing.
    symbols : tuple of N str
        As in the data files (``BRK-B``).
    open, high, low, close : (N, T) float64
        What trades are made at, USD; NaN without a bar.
    ratio : (N, T) float64
        Factor from traded to total-return prices; 1 where nothing was paid since.
    volume : (N, T) float64
        Shares.
    indices : frozenset of str
        Symbols that are index values and cannot be traded.
    synthetic : bool
        Its prices were generated; whoever shows them says so (C7).
    """

    dates: Dates
    symbols: tuple[str, ...]
    open: Float2D
    high: Float2D
    low: Float2D
    close: Float2D
    ratio: Float2D
    volume: Float2D
    indices: frozenset[str]
    synthetic: bool = False


def from_closes(
    start: str, closes: Mapping[str, Sequence[float]], indices: Sequence[str] = (), *, opens: Any = None
) -> History:
    """History for small tests: each session opens at its previous close unless ``opens`` says otherwise.

    Parameters
    ----------
    start : str
        First session.
    closes : mapping of symbol to sequence of USD
        One close a session, the same number for each symbol.
    opens : mapping of symbol to sequence of USD, optional
    """
    from ares7.sessions import sessions

    count = len(next(iter(closes.values())))
    first = np.datetime64(start, "D")
    dates = sessions(first, first + np.timedelta64(2 * count + 20, "D"))[:count]
    close = np.array([list(closes[name]) for name in closes], dtype=np.float64)
    opened = np.hstack([close[:, :1], close[:, :-1]])
    for i, name in enumerate(closes):
        if opens is not None and name in opens:
            opened[i] = opens[name]
    return History(
        dates=dates,
        symbols=tuple(closes),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        ratio=np.ones_like(close),
        volume=np.full_like(close, 1_000_000.0),
        indices=frozenset(indices),
    )


def from_folder(folder: Path, indices: Sequence[str] = ("SPX", "VIX"), basis: Basis = "traded") -> History:
    """Read ``prices`` and ``market`` of a canonical data folder.

    Parameters
    ----------
    folder : Path
    indices : sequence of str
        Symbols of the market file that are index values.
    basis : {"traded", "total_return"}
        ``traded``: trades are made at the prices of the files, which are adjusted for splits, and adjusted bars
        are the total-return ones. ``total_return``: trades are made at total-return prices too, so that an account
        that is paid no dividends earns what a backtest does (rulings 1).

    Raises
    ------
    MissingData
        The folder has neither table.
    DataError
        A table cannot be read.
    """
    from feeds.inputs import read_source
    from feeds.market import read_market
    from feeds.price_rows import read_rows
    from feeds.tables import find_table

    if not folder.is_dir():
        raise MissingData(f"data folder {folder} does not exist; correct --data")
    readers = {"prices": read_rows, "market": read_market}
    found = {name: path for name in readers if (path := find_table(folder, name)) is not None}
    if not found:
        raise MissingData(
            f"{folder} has no prices.parquet or prices.csv; name a folder in the canonical layout"
        )
    tables = [readers[name](path).ordered() for name, path in found.items()]
    history = _from_tables(tables, frozenset(indices), basis)
    return replace(history, synthetic=bool(read_source(folder).get("synthetic", False)))


def from_config(config: DataConfig, basis: Basis = "traded") -> History:
    """History of the configured data: a canonical folder, or the same synthetic market that a backtest sees.

    Raises
    ------
    ConfigError
        Another layout than the canonical one.
    """
    from feeds.load import check_path, local_config, synthetic_home
    from feeds.synthetic import ensure

    indices = (config.index, config.vix)
    if config.path is None:
        with synthetic_home(config) as home:
            return from_folder(ensure(config.synthetic, home, config.calendar), indices, basis)
    if config.layout != "canonical":
        raise ConfigError(
            f"data.layout is {config.layout}; the gateway replays canonical folders only; name one with --data"
        )
    folder = local_config(config).path or config.path
    check_path(config, folder)
    return from_folder(folder, indices, basis)


def _from_tables(tables: list[PriceRows], indices: frozenset[str], basis: Basis) -> History:
    symbols = tuple(sorted({symbol for table in tables for symbol in table.symbols}))
    dates = np.unique(np.concatenate([table.days for table in tables]))
    dates = dates[~np.isnat(dates)]
    place = {symbol: i for i, symbol in enumerate(symbols)}
    names = (*PRICES, "adj_close", "volume")
    grid = {name: np.full((len(symbols), len(dates)), np.nan) for name in names}
    for table in tables:
        good = table.take(~np.isnat(table.days))
        row = np.array([place[symbol] for symbol in good.symbols], dtype=np.int64)[good.codes]
        column = np.searchsorted(dates, good.days)
        for name in names:
            grid[name][row, column] = good.values[name]
    return _history(dates, symbols, grid, indices, basis)


def _history(
    dates: Dates, symbols: tuple[str, ...], grid: dict[str, AnyArray], indices: frozenset[str], basis: Basis
) -> History:
    close, adjusted = grid["close"], grid["adj_close"]
    # An index may come as closes only.
    filled = {name: np.where(np.isnan(grid[name]), close, grid[name]) for name in PRICES}
    adjusted = np.where(np.isnan(adjusted), close, adjusted)
    ratio = adjusted / close
    if basis == "total_return":
        # The order of the operations is that of the panel, so that the prices are the same bits.
        filled = {name: filled[name] * adjusted / close for name in PRICES if name != "close"}
        filled["close"], ratio = adjusted, np.ones_like(ratio)
    volume = np.where(np.isnan(grid["volume"]) & np.isfinite(close), 0.0, grid["volume"])
    return History(
        dates=dates,
        symbols=symbols,
        open=filled["open"],
        high=filled["high"],
        low=filled["low"],
        close=filled["close"],
        ratio=ratio,
        volume=volume,
        indices=indices,
    )


def path_knots(opened: float, high: float, low: float, close: float) -> tuple[Float1D, Float1D]:
    """Times, as fractions of the session, and prices between which a day's price moves in straight lines.

    A day that closes at or above its open visits its low first, any other its high.
    """
    turns = (low, high) if close >= opened else (high, low)
    return np.array([0.0, 1 / 3, 2 / 3, 1.0]), np.array([opened, *turns, close])
