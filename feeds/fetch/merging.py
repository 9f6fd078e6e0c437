"""Fetched rows and those that are there become one table; what is left out or has changed is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.arrays import Dates, Int1D
from feeds.fetch.answers import usable_bars
from feeds.fetch.source import COLUMNS, Kind, Note
from feeds.tables import find_table, read_table

_DATES: dict[Kind, tuple[str, ...]] = {
    "bars": ("date",),
    "filings": ("report_period", "filing_date"),
    "earnings": ("announce_date",),
    "names": ("first_date", "last_date"),
}
_NUMBERS: dict[Kind, tuple[str, ...]] = {
    "bars": COLUMNS["bars"][2:],
    "filings": COLUMNS["filings"][3:9],
    "earnings": ("eps_actual", "eps_estimate"),
    "names": (),
}
_FLAGS: dict[Kind, tuple[str, ...]] = {
    "bars": (),
    "filings": ("late_filing",),
    "earnings": (),
    "names": ("delisted",),
}
KEYS: dict[Kind, tuple[str, ...]] = {
    "bars": ("symbol", "date"),
    "filings": ("symbol", "report_period", "filing_date"),
    "earnings": ("symbol", "announce_date"),
    "names": ("symbol",),
}
"""What a row of a kind is of; tables are sorted by it."""


def empty(kind: Kind) -> pd.DataFrame:
    """No rows, with the columns of a kind."""
    kinds = dict.fromkeys(_DATES[kind], "datetime64[s]")
    kinds |= dict.fromkeys(_NUMBERS[kind], "float64") | dict.fromkeys(_FLAGS[kind], "bool")
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "object")) for name in COLUMNS[kind]})


def read_kind(folder: Path, table: str, kind: Kind) -> pd.DataFrame:
    """Rows of a table of the folder, in the columns of a kind; none where there is no file.

    Raises
    ------
    DataError
    """
    path = find_table(folder, table)
    if path is None:
        return empty(kind)
    required = [name for name in COLUMNS[kind] if name in KEYS[kind]]
    others = [n for n in COLUMNS[kind] if n not in (*_DATES[kind], *_NUMBERS[kind], *_FLAGS[kind])]
    rows = read_table(path, required, _DATES[kind], others, _NUMBERS[kind], _FLAGS[kind])
    return rows.reindex(columns=[*COLUMNS[kind]])


def clean_bars(
    rows: pd.DataFrame, roles: Mapping[str, str], sessions: Dates
) -> tuple[pd.DataFrame, list[Note]]:
    """Bars of known symbols on exchange sessions with usable numbers; of an index only the close counts."""
    rows = rows[rows["symbol"].isin(list(roles))]
    on = np.isin(rows["date"].to_numpy().astype("datetime64[D]"), sessions)
    notes = [
        Note(
            "off-session",
            str(symbol),
            f"{len(part)} rows on days without a session were left out, the first of {part['date'].min():%Y-%m-%d}",
        )
        for symbol, part in rows[~on].groupby("symbol", sort=True)
    ]
    rows = rows[on]
    index = (rows["symbol"].map(roles) == "index").to_numpy(dtype=bool)
    stocks, told = usable_bars(rows[~index])
    closes = rows[index]
    with np.errstate(invalid="ignore"):
        closes = closes[(closes["close"] > 0).to_numpy()]
    return joined([stocks, closes], "bars"), [*notes, *told]


def joined(parts: list[pd.DataFrame], kind: Kind) -> pd.DataFrame:
    """Rows of several tables under each other."""
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else empty(kind)


def ordered(rows: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Rows by their key, each once; the first of equal keys stays."""
    # By numbers: sorting a million symbols as text takes longer than the rest of a fetch.
    keys = [_ranks(rows[name]) for name in KEYS[kind]]
    order = np.lexsort(keys[::-1])
    same = np.ones(len(order), dtype=bool)
    same[:1] = False
    for key in keys:
        same[1:] &= key[order[1:]] == key[order[:-1]]
    return rows[[*COLUMNS[kind]]].take(order[~same]).reset_index(drop=True)


def _ranks(column: pd.Series[Any]) -> Int1D:
    """(n,) int64 that sort as the column does."""
    if column.dtype.kind == "M":
        days: Int1D = column.to_numpy().astype("datetime64[D]").astype(np.int64)
        return days
    codes, _ = pd.factorize(column.to_numpy(dtype=object), sort=True)
    return codes.astype(np.int64)


def restated(old: pd.DataFrame, new: pd.DataFrame, kind: Kind) -> list[Note]:
    """Rows that the source now gives with other figures under the same key: a correction in place."""
    numbers = [*_NUMBERS[kind]]
    if old.empty or new.empty or not numbers:
        return []
    both = old.merge(new, on=[*KEYS[kind]], suffixes=("_old", "_new"))
    before = both[[f"{name}_old" for name in numbers]].to_numpy(dtype=np.float64)
    after = both[[f"{name}_new" for name in numbers]].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs(after - before) > 1e-6 * np.maximum(np.abs(before), np.abs(after))
    off |= np.isnan(before) != np.isnan(after)
    notes = []
    for symbol, part in both[off.any(axis=1)].groupby("symbol", sort=True):
        day = f"{part[KEYS[kind][1]].min():%Y-%m-%d}"
        text = f"{len(part)} rows have other figures than before, the first of {day}; the new ones were taken"
        notes.append(Note("revision", str(symbol), text))
    return notes
