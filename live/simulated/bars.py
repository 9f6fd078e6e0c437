"""A data folder that grows by a session a day: its traded bars, and histories as a gateway would serve them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ares7.arrays import AnyArray, Dates, Float1D, Int1D
from ares7.config import DataConfig
from ares7.errors import ConfigError, DataError, MissingData
from feeds.load import check_path
from feeds.tables import find_table
from live.client.history import DailyBars
from live.double.history import PRICES, Basis, History, from_folder

TABLES = ("prices", "market")


def with_folder(data: DataConfig) -> DataConfig:
    """Name the folder of the synthetic market where no data folder is configured.

    Raises
    ------
    ConfigError
        The layout is not the canonical one, or the synthetic market has nowhere to lie.
    MissingData, DataError
        The folder is not there.
    """
    if data.layout != "canonical":
        raise ConfigError(
            f"data.layout is {data.layout}; a simulated account reads canonical folders only; name one with --data"
        )
    if data.path is not None:
        check_path(data, data.path)
        return data
    if data.cache is None:
        raise ConfigError("trading the synthetic market needs data.cache; set it, or data.path")
    from feeds.synthetic import ensure

    return data.model_copy(update={"path": ensure(data.synthetic, data.cache, data.calendar)})


class GrowingFolder:
    """Prices of a canonical data folder, read anew whenever its files change.

    ``read_count`` tells how often.

    Parameters
    ----------
    data : DataConfig
        With a folder (`with_folder`).
    basis : {"traded", "total_return"}
        What trades are made at (`live.double.history.from_folder`).

    Raises
    ------
    MissingData, DataError
        The folder has no prices, or they cannot be read.
    """

    def __init__(self, data: DataConfig, basis: Basis) -> None:
        if data.path is None:
            raise MissingData("a simulated account needs a data folder; name one with --data")
        self.folder: Path = data.path
        self.basis, self._data, self._indices = basis, data, (data.index, data.vix)
        self.read_count = 0
        self._read(self._signature())

    def _signature(self) -> tuple[tuple[str, int, int], ...]:
        """Name, size and time of the price files."""
        try:
            paths = [path for name in TABLES if (path := find_table(self.folder, name)) is not None]
            stats = [(path.name, path.stat()) for path in paths]
        except OSError as error:
            raise DataError(f"{self.folder} cannot be read: {error.strerror or error}; try again") from None
        return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)

    def _read(self, signature: tuple[tuple[str, int, int], ...]) -> None:
        self.history: History = from_folder(self.folder, self._indices, self.basis)
        self._known = signature
        self._column = {symbol: i for i, symbol in enumerate(self.history.symbols)}
        traded = [i for i, name in enumerate(self.history.symbols) if name not in self._indices]
        there = np.isfinite(self.history.close[traded]).any(axis=0)
        if not there.any():
            raise MissingData(f"{self.folder} has no price of any name; load prices")
        self._sessions = self.history.dates[there]
        self.read_count += 1

    def renewed(self) -> bool:
        """Read the files again if they changed; True if they did.

        Raises
        ------
        MissingData, DataError
            They cannot be read now; what was read before stays.
        """
        check_path(self._data, self.folder)
        signature = self._signature()
        if signature == self._known:
            return False
        self._known = signature
        self._read(signature)
        return True

    @property
    def first(self) -> dt.date:
        """The oldest session with a bar of a stock or a fund."""
        found: dt.date = self._sessions[0].item()
        return found

    @property
    def latest(self) -> dt.date:
        """The newest session with a bar of a stock or a fund."""
        found: dt.date = self._sessions[-1].item()
        return found

    def has(self, session: dt.date) -> bool:
        """Whether any stock or fund has a bar of a session."""
        day = np.datetime64(session, "D")
        row = int(np.searchsorted(self._sessions, day))
        return row < len(self._sessions) and bool(self._sessions[row] == day)

    def traded_on(self, session: dt.date) -> frozenset[str]:
        """Symbols with a value of a session, indices included."""
        row = self._row(session)
        if row is None:
            return frozenset()
        there = np.flatnonzero(np.isfinite(self.history.close[:, row]))
        return frozenset(self.history.symbols[i] for i in there.tolist())

    def bar(self, symbol: str, session: dt.date) -> tuple[float, float, float, float, float] | None:
        """Open, high, low, close in USD and volume in shares, as traded; None without a bar."""
        row, column = self._row(session), self._column.get(symbol)
        if row is None or column is None:
            return None
        history = self.history
        found = [float(getattr(history, name)[column, row]) for name in (*PRICES, "volume")]
        return (found[0], found[1], found[2], found[3], found[4]) if np.isfinite(found[3]) else None

    def last_bar(self, symbol: str, session: dt.date) -> dt.date | None:
        """The latest session up to this one with a bar of a name."""
        column = self._column.get(symbol)
        if column is None:
            return None
        stop = int(np.searchsorted(self.history.dates, np.datetime64(session, "D"), side="right"))
        known = np.flatnonzero(np.isfinite(self.history.close[column, :stop]))
        found: dt.date | None = self.history.dates[known[-1]].item() if len(known) else None
        return found

    def value(self, field: str, symbol: str, session: dt.date) -> float:
        """One number of `History` (``open``, ``close``, ``ratio``); NaN where there is none."""
        row, column = self._row(session), self._column.get(symbol)
        return (
            float("nan")
            if row is None or column is None
            else float(getattr(self.history, field)[column, row])
        )

    def _row(self, session: dt.date) -> int | None:
        dates, day = self.history.dates, np.datetime64(session, "D")
        row = int(np.searchsorted(dates, day))
        return row if row < len(dates) and dates[row] == day else None

    def histories(self, symbols: Sequence[tuple[str, str, int]], dates: Dates) -> list[DailyBars]:
        """Histories as of the last of some sessions, a row for each of them; NaN without a bar.

        Stocks and funds are adjusted for dividends, so that their latest close is the traded one; indices are as
        they are in the files.

        Parameters
        ----------
        symbols : sequence of (symbol, kind, contract id)
            ``kind`` is STK or IND.
        dates : (W,) datetime64[D]
            Sessions.
        """
        known, rows, places = np.intersect1d(self.history.dates, dates, return_indices=True)
        del known
        return [
            self._history_of(symbol, kind, con_id, dates, rows, places) for symbol, kind, con_id in symbols
        ]

    def _history_of(
        self, symbol: str, kind: str, con_id: int, dates: Dates, rows: Int1D, places: Int1D
    ) -> DailyBars:
        column, history = self._column.get(symbol), self.history

        def placed(values: AnyArray) -> Float1D:
            out = np.full(len(dates), np.nan)
            if column is not None:
                out[places] = values[column, rows]
            return out

        prices = {name: placed(getattr(history, name)) for name in PRICES}
        if kind == "STK":
            by = _factors(placed(history.ratio))
            prices = {name: values / by for name, values in prices.items()}
        what = "ADJUSTED_LAST" if kind == "STK" else "TRADES"
        return DailyBars(con_id, symbol, what, dates, **prices, volume=placed(history.volume))


def _factors(ratio: Float1D) -> Float1D:
    """(W,) what traded prices are divided by, so that they are adjusted for dividends up to the last bar."""
    known = np.flatnonzero(np.isfinite(ratio))
    # The order of the operations is that of the gateway's double, so that the prices are the same bits.
    return 1.0 / (ratio / ratio[known[-1]]) if len(known) else ratio
