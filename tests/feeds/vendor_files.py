"""Vendor files in small, and the tables that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ares7.config import DataConfig
from feeds.findings import Finding
from feeds.vendors import read_vendor

YF = "Date,Adj Close,Close,High,Low,Open,Volume\n"
YF_ROWS = "2020-02-03,75.1,77.2,78.4,75.6,76.1,1000\n2020-02-04,77.6,79.7,79.9,78.4,78.8,2000\n"
MULTI = (
    "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
    "Ticker,AAA,SPY,AAA,SPY,AAA,SPY,AAA,SPY,AAA,SPY\n"
    "Date,,,,,,,,,,\n"
    "2020-02-03,10,20,11,21,9,19,9.5,19.5,100,200\n"
    "2020-02-04,,21,,22,,20,,20.5,,201\n"
)
DAY = "ticker,volume,open,close,high,low,window_start,transactions\n"
WINTER, SUMMER = (
    1580706000000000000,
    1584331200000000000,
)  # New York midnights: 2020-02-03 05:00, 2020-03-16 04:00
FULL = "symbol,timestamp,open,high,low,close,volume\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def vendor(path: Path, layout: str, **config: Any) -> tuple[pd.DataFrame, pd.DataFrame | None, list[Finding]]:
    return read_vendor(DataConfig(path=path, layout=layout, **config))


def values(rows: pd.DataFrame, symbol: str, day: str) -> list[float]:
    chosen = rows[(rows["symbol"] == symbol) & (rows["date"] == day)]
    return [float(v) for v in chosen[["open", "high", "low", "close", "adj_close", "volume"]].iloc[0]]


def days(rows: pd.DataFrame) -> list[str]:
    return [str(d) for d in rows["date"].to_numpy().astype("datetime64[D]")]
