"""A small market in numbers made by rule, and its layouts as vendors write them."""

from __future__ import annotations

import datetime as dt
import zlib

import numpy as np
import pandas as pd

from ares7.sessions import sessions

NOW = dt.datetime(2024, 3, 9, 12, tzinfo=dt.UTC)
"""A Saturday: the latest session that has closed is Friday, 2024-03-08."""
FIRST, LAST = dt.date(2022, 1, 3), dt.date(2024, 3, 8)
STOCKS = ("AAPL", "BRK-B", "JPM", "MSFT", "XOM")
FUNDS = ("SPY", "TLT", "IEF", "SHY", "BIL", "GLD")


def days(first=FIRST, last=LAST):
    return sessions(np.datetime64(first, "D"), np.datetime64(last, "D"))


def bars(symbol, first=FIRST, last=LAST, *, split=1.0, dividends=()):
    """Bars of a name. ``split`` is applied to all; each dividend (day, fraction) lowers adj_close before it."""
    known = days(dt.date(2021, 1, 4), LAST)
    rng = np.random.default_rng(zlib.crc32(symbol.encode()))
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.012, len(known)))) / split
    spread = 1 + np.abs(rng.normal(0, 0.004, len(known)))
    adjusted = close.copy()
    for day, fraction in dividends:
        adjusted[known < np.datetime64(day, "D")] *= 1 - fraction
    frame = pd.DataFrame(
        {
            "date": known.astype("datetime64[s]"),
            "open": np.round(close / np.sqrt(spread), 6),
            "high": np.round(close * spread, 6),
            "low": np.round(close / spread, 6),
            "close": np.round(close, 6),
            "adj_close": np.round(adjusted, 6),
            "volume": np.round(rng.integers(1_000_000, 9_000_000, len(known)) * split),
        }
    )
    inside = (known >= np.datetime64(first, "D")) & (known <= np.datetime64(last, "D"))
    return frame[inside].reset_index(drop=True)


def vix(first=FIRST, last=LAST):
    known = days(dt.date(2021, 1, 4), LAST)
    rng = np.random.default_rng(11)
    values = np.round(16 + 3 * np.sin(np.arange(len(known)) / 40) + rng.normal(0, 0.6, len(known)), 2)
    inside = (known >= np.datetime64(first, "D")) & (known <= np.datetime64(last, "D"))
    return known[inside], values[inside]


def yahoo_frame(rows, *, zone="America/New_York"):
    """The library's layout of one symbol with ``auto_adjust=False``."""
    names = {"adj_close": "Adj Close", "close": "Close", "high": "High", "low": "Low", "open": "Open"}
    names["volume"] = "Volume"
    frame = rows.set_index(pd.DatetimeIndex(rows["date"], name="Date").tz_localize(zone))
    return frame[[*names]].rename(columns=names)


def fred_csv(series="VIXCLS", first=FIRST, last=LAST, values=None):
    known, closes = vix(first, last)
    closes = closes if values is None else values
    lines = [f"observation_date,{series}"]
    for day, close in zip(known.tolist(), closes.tolist(), strict=True):
        lines.append(f"{day},{close}")
        if day.month == 7 and day.day == 3:
            lines.append(f"{day.year}-07-04,.")
    return "\n".join(lines) + "\n"


def cboe_csv():
    known, closes = vix(dt.date(2021, 1, 4), LAST)
    lines = ["DATE,OPEN,HIGH,LOW,CLOSE"]
    lines += [
        f"{d:%m/%d/%Y},{c},{c + 1},{c - 1},{c}" for d, c in zip(known.tolist(), closes.tolist(), strict=True)
    ]
    return "\n".join(lines) + "\n"
