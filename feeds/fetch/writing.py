"""Tables as files, and what is said about each of them."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from feeds.fetch.pieces import to_parquet

_DAY = {
    "fundamentals": "filing_date",
    "earnings": "announce_date",
    "symbols": "last_date",
}


def written(rows: pd.DataFrame) -> bytes:
    """Rows as the bytes of a Parquet file."""
    return to_parquet(rows)


def told_of(table: str, rows: pd.DataFrame, content: bytes) -> dict[str, Any]:
    """Rows, symbols, first and last day, and hash of a table."""
    days = rows[_DAY.get(table, "date")].dropna()
    return {
        "file": f"{table}.parquet",
        "rows": len(rows),
        "symbols": int(rows["symbol"].nunique()),
        "first": f"{days.min():%Y-%m-%d}" if len(days) else None,
        "last": f"{days.max():%Y-%m-%d}" if len(days) else None,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
