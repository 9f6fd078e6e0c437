"""Yahoo Finance through the library yfinance, the only way in: Yahoo has no documented interface.

Prices are split-adjusted, ``Adj Close`` for dividends as well (``auto_adjust=False``). What downloads is handed in, so
that nothing but `library_download` knows the library.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray
from ares7.errors import ConfigError, DataError
from ares7.fetch_config import SourceSettings
from feeds.earnings import read_yfinance_earnings
from feeds.fetch.answers import CHANGED, read_body, require_columns
from feeds.fetch.patience import Patience, Transient
from feeds.fetch.source import BARS, EARNINGS, Got, Kind, NoData, OneByOne, Origin, Piece

Download = Callable[[str, dt.date, dt.date], pd.DataFrame]
"""``download(ticker, first, last)``: daily bars, both days inclusive, in the library's layout."""
Announcements = Callable[[str], pd.DataFrame]
LAYOUT = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
}
ANNOUNCED = ("EPS Estimate", "Reported EPS")
PLACES = {
    "bars": "https://query2.finance.yahoo.com/v8/finance/chart/",
    "earnings": "https://finance.yahoo.com/calendar/earnings/",
}
"""Where the library asks, for the record."""


class YFinance(OneByOne):
    """One symbol a piece.

    Parameters
    ----------
    settings : SourceSettings
        ``names``: Yahoo's names of indices.
    patience : Patience
    download, announcements : callable
        Raise `Transient` for what may pass, `NoData` for an unknown name.
    """

    name = "yfinance"
    kinds: tuple[Kind, ...] = ("bars", "earnings")
    usual = 1
    adjustment: Mapping[str, str] = {
        "open high low close": "split",
        "adj_close": "total_return",
        "volume": "split",
    }

    def __init__(
        self,
        settings: SourceSettings,
        patience: Patience,
        download: Download,
        announcements: Announcements,
    ) -> None:
        self._names, self._patience = settings.names, patience
        self._download, self._announcements = download, announcements

    def has(self, symbol: str, role: str) -> bool:
        """Stocks and funds; indices whose name is known."""
        return role != "index" or symbol in self._names

    def fetch(self, piece: Piece) -> Got:
        """Fetch a symbol's bars or announcements."""
        (symbol,) = piece.symbols
        ticker = self._names.get(symbol, symbol.replace(".", "-"))
        if piece.kind == "bars":
            frame = self._patience.ask(lambda: self._download(ticker, piece.first, piece.last))
            rows = _bars(frame, symbol, ticker)
        else:
            frame = self._patience.ask(lambda: self._announcements(ticker))
            rows = _announced(frame, symbol, ticker)
        return Got(rows, (_origin(rows, PLACES[piece.kind] + ticker),))


def _origin(rows: pd.DataFrame, where: str) -> Origin:
    text = rows.to_csv(index=False).encode()
    stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Origin(where, hashlib.sha256(text).hexdigest(), len(text), stamp)


def _bars(frame: pd.DataFrame, symbol: str, ticker: str) -> pd.DataFrame:
    if frame.empty:
        raise NoData(f"yfinance has no bars of {ticker}; correct the symbol, or fetch.yfinance.names")
    where = f"yfinance, {ticker}"
    require_columns([str(name) for name in frame.columns], [*LAYOUT], where)
    rows = frame[[*LAYOUT]].rename(columns=LAYOUT)
    # A row without any price is no bar: Yahoo has such rows for sessions that it knows nothing of.
    days, some = _days(frame, where), rows.iloc[:, :5].notna().any(axis=1).to_numpy()
    columns: dict[str, Any] = {"date": days[some], "symbol": np.full(int(some.sum()), symbol, dtype=object)}
    for name in LAYOUT.values():
        try:
            columns[name] = rows[name].to_numpy(dtype=np.float64)[some]
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{where}: {name} holds something that is no number ({error}); {CHANGED}"
            ) from None
    return pd.DataFrame(columns)[[*BARS]]


def _days(frame: pd.DataFrame, where: str) -> AnyArray:
    """Session dates of the index: midnights, of the exchange's zone or without one."""
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"{where}: the index holds {index.dtype}, not dates; {CHANGED}")
    local = index.tz_localize(None) if index.tz is not None else index
    values: AnyArray = local.to_numpy()
    days: AnyArray = values.astype("datetime64[D]")
    if (values != days).any():
        raise DataError(f"{where}: the index holds times of day; daily bars begin at midnight; {CHANGED}")
    return days.astype("datetime64[s]")


def _announced(frame: pd.DataFrame, symbol: str, ticker: str) -> pd.DataFrame:
    if frame.empty:
        raise NoData(f"yfinance has no announcements of {ticker}")
    where = f"yfinance, announcements of {ticker}"
    require_columns([str(name) for name in frame.columns], ANNOUNCED, where)
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is None:
        raise DataError(f"{where}: the times carry no zone; {CHANGED}")
    named = frame[[*ANNOUNCED]].rename_axis("Earnings Date")
    named = named[~named.index.duplicated(keep="first")]
    body = named.to_csv(date_format="%Y-%m-%d %H:%M:%S%z").encode()

    def read(path: Path) -> pd.DataFrame:
        # Written as the library writes it, so that one reader serves both.
        text = path.read_text(encoding="utf-8")
        lines = [text.split("\n", 1)[0], *(_colon(line) for line in text.split("\n")[1:] if line)]
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_yfinance_earnings(path, symbol)

    rows = read_body(body, where, read)
    return rows.drop_duplicates(["symbol", "announce_date"], keep="last").reindex(columns=[*EARNINGS])


def _colon(line: str) -> str:
    """``...-0500,`` as ``...-05:00,``."""
    stamp, comma, rest = line.partition(",")
    return f"{stamp[:-2]}:{stamp[-2:]}{comma}{rest}"


def _library() -> Any:
    try:
        import yfinance
    except ImportError:
        raise ConfigError(
            "--source yfinance needs the library yfinance; run: pip install -e '.[data]', or choose another source"
        ) from None
    # Failures are raised, and not logged and taken for an empty answer.
    yfinance.config.debug.hide_exceptions = False
    return yfinance


def _passing(library: Any, error: Exception, ticker: str) -> Exception:
    """What an exception of the library means to us."""
    known = library.exceptions
    if isinstance(error, known.YFRateLimitError):
        return Transient(f"Yahoo refuses {ticker} for now: too many requests")
    if isinstance(error, known.YFTickerMissingError):
        return NoData(f"yfinance: {error}")
    if type(error).__module__.partition(".")[0] in ("curl_cffi", "requests", "urllib3") or isinstance(
        error, OSError
    ):
        return Transient(f"Yahoo cannot be reached for {ticker} ({type(error).__name__}: {str(error)[:120]})")
    return DataError(
        f"yfinance cannot read Yahoo's answer for {ticker} ({type(error).__name__}: {str(error)[:120]}); Yahoo changes "
        "without notice: run pip install -U yfinance, or choose another source"
    )


def library_download() -> Download:
    """Daily bars by the library.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    library = _library()

    def download(ticker: str, first: dt.date, last: dt.date) -> pd.DataFrame:
        try:
            found: pd.DataFrame = library.Ticker(ticker).history(
                start=first.isoformat(),
                end=(last + dt.timedelta(days=1)).isoformat(),
                auto_adjust=False,
                actions=False,
            )
        except Exception as error:  # the library raises what it meets; every kind becomes one of ours
            raise _passing(library, error, ticker) from None
        return found

    return download


def library_earnings() -> Announcements:
    """Announcements by the library; the latest hundred."""
    library = _library()

    def announcements(ticker: str) -> pd.DataFrame:
        try:
            found = library.Ticker(ticker).get_earnings_dates(limit=100)
        except Exception as error:  # as above
            raise _passing(library, error, ticker) from None
        return pd.DataFrame() if found is None else found

    return announcements
