"""A small valid folder in the canonical layout, as text, to be bent by tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.config import DataConfig
from ares7.panel import Panel
from ares7.sessions import sessions
from feeds.load import load_panel

FIRST, LAST = np.datetime64("2020-01-02"), np.datetime64("2020-02-28")
DAYS = sessions(FIRST, LAST)
TODAY = np.datetime64("2020-12-31")
STOCKS = ("AAA", "BBB", "NA")
FUNDS = ("SPY", "TLT")
ALL = frozenset({"etfs", "index", "vix"})
NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")

Tables = dict[str, pd.DataFrame]


def bars(symbol: str, level: float) -> list[dict[str, str]]:
    """One symbol's rows: a different wave for each symbol, adj_close at 90 % of close until a dividend."""
    rows = []
    for t, day in enumerate(DAYS):
        close = level * (1 + 0.05 * np.sin(0.7 * t + level))
        adjusted = close * (0.9 if t < 20 else 1.0)
        numbers = (close * 0.99, close * 1.02, close * 0.98, close, adjusted, 1000.0 + t)
        rows.append(
            {
                "date": str(day),
                "symbol": symbol,
                **dict(zip(NUMBERS, map(repr, map(float, numbers)), strict=True)),
            }
        )
    return rows


def tables() -> Tables:
    """Prices, market and membership as frames of text."""
    prices = [row for k, symbol in enumerate(STOCKS) for row in bars(symbol, 10.0 * (k + 1))]
    market = [row for k, symbol in enumerate((*FUNDS, "SPX", "VIX")) for row in bars(symbol, 15.0 + 20 * k)]
    members = [
        {"symbol": "AAA", "start_date": "1999-01-04", "end_date": ""},
        {"symbol": "BBB", "start_date": "2020-01-10", "end_date": "2020-02-14"},
        {"symbol": "NA", "start_date": "2020-01-02", "end_date": "2020-01-31"},
        {"symbol": "GONE", "start_date": "2001-01-02", "end_date": "2020-01-31"},
    ]
    return {
        "prices": pd.DataFrame(prices),
        "market": pd.DataFrame(market),
        "membership_x": pd.DataFrame(members),
    }


def write(folder: Path, content: Tables, suffix: str = ".csv") -> Path:
    """Write tables; Parquet gets typed columns."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in content.items():
        path = folder / f"{name}{suffix}"
        if suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            typed(frame).to_parquet(path)
    return folder


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as timestamps and numbers as float64."""
    frame = frame.copy()
    for name in frame:
        if "date" in str(name):
            frame[name] = pd.to_datetime(frame[name].replace("", None)).astype("datetime64[ms]")
        elif name in NUMBERS:
            frame[name] = frame[name].astype(float)
    return frame


def drop(content: Tables, symbol: str, rows: list[int] | slice) -> Tables:
    """Remove a market symbol's rows on the sessions ``rows``."""
    frame = content["market"]
    gone = (frame["symbol"] == symbol) & frame["date"].isin(DAYS[rows].astype(str))
    content["market"] = frame[~gone]
    return content


def column(content: Tables, table: str, symbol: str, name: str) -> np.ndarray:
    """One symbol's numbers of one column."""
    frame = content[table]
    return frame.loc[frame["symbol"] == symbol, name].astype(float).to_numpy()


def load(folder: Path, needs: frozenset[str] = ALL, **settings: Any) -> Panel:
    """Load a small folder as a run that reads everything in it."""
    return load_panel(config(folder, **settings), needs, today=TODAY)


def at(panel: Panel, field: str, symbol: str) -> np.ndarray:
    """(T,) values of one symbol's field."""
    return panel.field(field)[:, panel.symbols.index(symbol)]


def config(folder: Path, **settings: Any) -> DataConfig:
    """Settings that read the small folder, without a cache unless one is given."""
    return DataConfig(**({"path": folder, "cache": None, "etfs": FUNDS} | settings))
