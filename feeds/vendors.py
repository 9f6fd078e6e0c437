"""Price files as vendors write them, read into the canonical columns. The layout is named, never guessed.

=================  ==========================================================================================
yfinance_single    ``<SYMBOL>.csv`` or a folder of them, ``auto_adjust=False``: split-adjusted, with Adj Close
yfinance_multi     one file, three header rows; ``auto_adjust=True`` unless it has Adj Close
polygon_day_aggs   a folder of day files; raw as downloaded, so the user adjusts for splits and says so
ares7_price_full   ``price_full.csv``, or a folder with it and, optionally, ``spy_tlt_price.csv`` (closes only)
=================  ==========================================================================================

Symbols stay as the vendor writes them (Polygon ``BRK.B``, Yahoo ``BRK-B``): other files must use the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray, Dates, Float1D
from ares7.config import DataConfig
from ares7.errors import ConfigError, DataError, MissingData
from feeds.findings import Finding, Input
from feeds.tables import place, read_table
from feeds.vendor_text import (
    header_of,
    new_york_days_from_ns,
    new_york_days_from_utc,
    read_three_headers,
    session_days,
)

CloseLayout = Literal["canonical", "fred", "cboe"]
NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
COLUMNS = ("date", "symbol", *NUMBERS)
"""Canonical price columns: days, text, then USD split-adjusted, USD total-return, shares."""

_HEADERS: dict[str, tuple[str, ...]] = {
    "yfinance_single": ("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"),
    "yfinance_multi": ("Price",),
    "polygon_day_aggs": ("ticker", "volume", "open", "close", "high", "low", "window_start"),
    "ares7_price_full": ("symbol", "timestamp", "open", "high", "low", "close", "volume"),
    "ares7_spy_tlt_price": ("symbol", "timestamp", "close"),
    "canonical prices": ("date", "symbol", "open", "high", "low", "close", "adj_close", "volume"),
    "fred": ("observation_date", "VIXCLS"),
    "cboe": ("DATE", "OPEN", "HIGH", "LOW", "CLOSE"),
    "canonical": ("date", "close"),
}
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,14}")
_CLOSES_ONLY = "spy_tlt_price.csv"


def read_vendor(config: DataConfig) -> tuple[pd.DataFrame, pd.DataFrame | None, list[Finding]]:
    """Read the vendor files that ``data.path`` and ``data.layout`` name.

    Parameters
    ----------
    config : DataConfig
        ``path``, ``layout``, ``adjustment``; ``etfs``, ``index`` and ``vix`` say which symbols go to the market
        table. ``index_file`` and ``vix_file`` are not read here; see `read_close_series`.

    Returns
    -------
    prices : DataFrame
        `COLUMNS`, sorted by symbol and date, index 0..n-1; ``date`` is the New York session date.
    market : DataFrame or None
        The same columns for funds, index and VIX; None when the files hold none of them.
    findings : list of Finding
        Rows given twice or with a hole are errors and left out; what the adjustment means is a warning.

    Raises
    ------
    ConfigError
        ``data.adjustment`` is missing or contradicts the layout.
    DataError
        A missing file, another layout than stated, or an unreadable value.
    """
    if config.path is None or config.layout not in _READERS:
        raise ConfigError(
            f"data.layout {config.layout} with data.path {config.path} names no vendor file; set data.path, and "
            f"data.layout to one of {', '.join(_READERS)}"
        )
    if not config.path.exists():
        raise MissingData(f"data.path {config.path} does not exist; add it or correct the path")
    rows = _READERS[config.layout](config.path, config)
    findings = _adjust(rows, config)
    rows = rows[[*COLUMNS]].sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    rows, found = _without_bad_rows(rows, config)
    findings += found
    aside = rows["symbol"].isin({*config.etfs, config.index, config.vix})
    market = rows[aside].reset_index(drop=True)
    return rows[~aside].reset_index(drop=True), (None if market.empty else market), findings


def read_close_series(
    path: Path, layout: CloseLayout, *, series: str = "VIXCLS", setting: str = "data.vix_layout"
) -> tuple[Dates, Float1D]:
    """Read the closes of one index.

    Parameters
    ----------
    path : Path
        CSV; also Parquet for ``canonical``.
    layout : {"canonical", "fred", "cboe"}
        ``date,close`` with ISO dates; FRED's ``observation_date,VIXCLS``, where ``.`` and an empty cell stand for
        a holiday; Cboe's ``DATE,OPEN,HIGH,LOW,CLOSE`` with MM/DD/YYYY.
    series : str
        FRED's name of the series, which is the name of its column.
    setting : str
        What an error tells to correct where the layout is another.

    Returns
    -------
    dates : (T,) datetime64[D]
        Strictly increasing; FRED's holidays are left out.
    closes : (T,) float64
        Positive and finite.

    Raises
    ------
    DataError
        Another layout, an unreadable value, dates that do not increase, or a close that is not positive.
    """
    date_name, close_name = {"canonical": ("date", "close"), "fred": ("observation_date", series)}.get(
        layout, ("DATE", "CLOSE")
    )
    if path.suffix != ".parquet" and series == "VIXCLS":
        _expect(path, layout, setting)
    if layout == "fred":
        raw = read_table(path, (date_name, close_name), dates=(date_name,))
        raw = raw[~raw[close_name].isin(("", "."))]
        closes = _numbers(raw[close_name], path)
    else:
        iso = (date_name,) if layout == "canonical" else ()
        raw = read_table(path, (date_name, close_name), dates=iso, numbers=(close_name,))
        closes = raw[close_name].to_numpy(dtype=np.float64)
    days = _american_days(raw[date_name], path) if layout == "cboe" else raw[date_name].to_numpy()
    dates = np.asarray(days, dtype="datetime64[D]")
    labels = raw.index.to_numpy()
    for bad, what in (
        (np.isnat(dates), "no date; add it"),
        (~(np.isfinite(closes) & (closes > 0)), "a close that is not a positive number; correct it"),
        (
            np.concatenate(([False], ~(dates[1:] > dates[:-1]))),
            "a date that is not after the row before; sort the file and keep one row a date",
        ),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"{path} {place(int(labels[first]))} ({dates[first]}, {closes[first]!s}) has {what}"
            )
    if len(dates) == 0:
        raise MissingData(f"{path} has no value at all; replace the file")
    return dates, closes


def _expect(path: Path, layout: str, setting: str = "data.layout") -> None:
    """Refuse a file whose header is another layout's, saying what was expected and what was found."""
    header = header_of(path)
    expected = _HEADERS[layout]
    missing = [name for name in expected if name not in header]
    if not missing:
        return
    fitting = [name for name, columns in _HEADERS.items() if set(columns) <= set(header)]
    remedy = (
        f"it looks like layout {fitting[0]}; set {setting}" if fitting else f"correct the file or {setting}"
    )
    raise DataError(
        f"{path} is not in layout {layout}: it lacks {', '.join(missing)}; expected {','.join(expected)}, found "
        f"{','.join(header[:12])}; {remedy}"
    )


def _csv_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    packed = sorted(path.glob("*.csv.gz"))
    if packed:
        raise DataError(f"{packed[0]} is compressed; unpack the {len(packed)} .csv.gz files of {path}")
    files = sorted(path.glob("*.csv"))
    if not files:
        raise MissingData(f"folder {path} holds no .csv file; add the vendor's files or correct data.path")
    return files


def _require_adjustment(config: DataConfig, allowed: Sequence[str | None], why: str) -> None:
    if config.adjustment not in allowed:
        stated = "not stated" if config.adjustment is None else config.adjustment
        named = [value for value in allowed if value is not None]
        raise ConfigError(
            f"data.adjustment is {stated} for layout {config.layout} ({config.path}): {why}; set data.adjustment: "
            f"{' or '.join(named)}" + (", or leave it out" if None in allowed else "")
        )


def _yfinance_single(path: Path, config: DataConfig) -> pd.DataFrame:
    why = "the prices are split-adjusted and Adj Close carries the dividends"
    _require_adjustment(config, (None, "split"), why)
    return pd.concat([_yfinance_file(file) for file in _csv_files(path)], ignore_index=True)


def _yfinance_file(path: Path) -> pd.DataFrame:
    if not _SYMBOL.fullmatch(path.stem):
        raise DataError(f"{path}: the file name must be the symbol, as in AAPL.csv; rename the file")
    _expect(path, "yfinance_single")
    names = _HEADERS["yfinance_single"]
    raw = read_table(path, names, numbers=names[1:])
    rows = raw.rename(columns=dict(zip(names, ("date", *NUMBERS), strict=True)))
    return rows.assign(date=session_days(raw["Date"], path), symbol=path.stem)


def _yfinance_multi(path: Path, config: DataConfig) -> pd.DataFrame:
    if path.is_dir():
        raise DataError(f"data.path {path} is a folder; layout yfinance_multi is one file; name it")
    _expect(path, "yfinance_multi")
    rows = read_three_headers(path)
    if "adj_close" in rows:
        _require_adjustment(config, (None, "split"), "the file has Adj Close, so auto_adjust was off")
    else:
        _require_adjustment(
            config, ("total_return",), "without Adj Close (auto_adjust=True) its prices include dividends"
        )
    return rows


def _polygon(path: Path, config: DataConfig) -> pd.DataFrame:
    why = "flat files hold raw prices and no dividends; adjust them for splits first"
    _require_adjustment(config, ("split",), why)
    wanted = None
    if isinstance(config.universe, tuple):
        # A day file lists the whole market, some ten thousand names.
        wanted = frozenset({*config.universe, *config.etfs, config.index, config.vix})
    return pd.concat([_polygon_day(file, wanted) for file in _csv_files(path)], ignore_index=True)


def _polygon_day(path: Path, wanted: frozenset[str] | None) -> pd.DataFrame:
    _expect(path, "polygon_day_aggs")
    names = _HEADERS["polygon_day_aggs"]
    raw = read_table(path, names, numbers=names[1:-1])
    days = new_york_days_from_ns(raw["window_start"], path)
    if len(set(days.tolist())) > 1:
        raise DataError(
            f"{path} holds several days, {days.min()} to {days.max()}; a day file holds one; split it"
        )
    rows = raw.rename(columns={"ticker": "symbol"}).assign(date=days)
    return rows if wanted is None else rows[rows["symbol"].isin(wanted)]


def _ares7(path: Path, config: DataConfig) -> pd.DataFrame:
    why = "the files do not say how their prices are adjusted"
    _require_adjustment(config, ("split", "total_return"), why)
    full = path / "price_full.csv" if path.is_dir() else path
    _expect(full, "ares7_price_full")
    names = _HEADERS["ares7_price_full"]
    raw = read_table(full, names, numbers=names[2:])
    rows = raw.assign(date=new_york_days_from_utc(raw["timestamp"], full))
    extra = path / _CLOSES_ONLY
    if not (path.is_dir() and extra.is_file()):
        return rows
    _expect(extra, "ares7_spy_tlt_price")
    closes = read_table(extra, ("symbol", "timestamp", "close"), numbers=("close",))
    # Their opens, highs, lows and volumes do not exist, and nothing stands in for them.
    holes = dict.fromkeys(("open", "high", "low", "volume"), np.nan)
    closes = closes.assign(date=session_days(closes["timestamp"], extra), **holes)
    return pd.concat([rows, closes], ignore_index=True)


_READERS: dict[str, Callable[[Path, DataConfig], pd.DataFrame]] = {
    "yfinance_single": _yfinance_single,
    "yfinance_multi": _yfinance_multi,
    "polygon_day_aggs": _polygon,
    "ares7_price_full": _ares7,
}


def _adjust(rows: pd.DataFrame, config: DataConfig) -> list[Finding]:
    """Add ``adj_close`` where the vendor gives none, and say what that means."""
    if "adj_close" in rows:
        return []
    rows["adj_close"] = rows["close"]
    if config.adjustment == "split":
        code, text = "no-dividends", "no adj_close: returns are price returns, without dividends"
    else:
        code, text = (
            "no-traded-price",
            "total-return prices only: 'price' equals the adjusted close, not the traded",
        )
    return [Finding("warning", "prices", code, f"{config.path} ({config.layout}) has {text}", len(rows))]


def _without_bad_rows(rows: pd.DataFrame, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    closes_only = rows[["open", "high", "low", "volume"]].isna().all(axis=1) & rows["close"].notna()
    if config.layout != "ares7_price_full":
        closes_only &= False
    hole = rows[[*NUMBERS]].isna().any(axis=1) & ~closes_only
    repeated = rows.duplicated(["symbol", "date"], keep=False)
    nameless = rows["symbol"].eq("")
    findings = [
        *_found(rows, nameless, config, "prices", "bad-symbol", "have no symbol; add it"),
        *_found(rows, repeated, config, "prices", "duplicate-row", "give a (date, symbol) twice; keep one"),
        *_found(rows, hole, config, "prices", "missing-value", "lack a number; add it or remove the row"),
        *_found(
            rows,
            closes_only,
            config,
            "etfs",
            "closes-only",
            f"({_CLOSES_ONLY}) have a close only, and orders fill at the open; give full bars to trade them",
        ),
    ]
    return rows[~(hole | repeated | nameless)], findings


def _found(
    rows: pd.DataFrame, bad: pd.Series[bool], config: DataConfig, name: Input, code: str, what: str
) -> list[Finding]:
    if not bad.any():
        return []
    first = rows[bad].iloc[0]
    empty = [column for column in NUMBERS if first[column] != first[column]]
    detail = f", {' '.join(empty)} empty" if empty else ""
    days: AnyArray = rows.loc[bad, "date"].to_numpy().astype("datetime64[D]")
    message = (
        f"{config.path} ({config.layout}): {bad.sum()} rows {what}; the first is {first['symbol']!r} on "
        f"{first['date']:%Y-%m-%d}{detail}"
    )
    kind = MissingData if code == "missing-value" else DataError
    return [Finding("error", name, code, message, int(bad.sum()), days.min(), days.max(), kind)]


def _numbers(texts: pd.Series[str], path: Path) -> Float1D:
    values = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.isnan(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path} {place(int(texts.index[row]))} holds {texts.iloc[row]!r} as a close, not a number; correct it "
            "or leave it empty"
        )
    return values


def _american_days(texts: pd.Series[str], path: Path) -> Dates:
    parsed = pd.to_datetime(texts, format="%m/%d/%Y", errors="coerce")
    written = texts.str.fullmatch(r"\d{2}/\d{2}/\d{4}")
    bad = (parsed.isna() | ~written).to_numpy(dtype=bool)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path} {place(row)} holds the date {texts.iloc[row]!r}; layout cboe writes MM/DD/YYYY; correct it"
        )
    return parsed.to_numpy().astype("datetime64[D]")
