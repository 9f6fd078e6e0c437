"""Tables of a folder as they go into the database: typed, and with a key that names each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.arrays import Dates
from ares7.errors import DataError
from feeds.database.bars import EARLIEST, LATEST, Bars
from feeds.database.layout import Layout
from feeds.price_rows import NUMBERS, rows_from_frame
from feeds.tables import place, read_table

MORE = "more"
"""Column that holds the further ones of a row, as JSON."""


def read_file(layout: Layout, path: Path) -> pd.DataFrame:
    """Read the columns of a table that belong to its layout.

    Raises
    ------
    DataError
        It cannot be read, or a row lacks its key.
    """
    frame = read_table(
        path,
        layout.required,
        dates=layout.of_kind("date"),
        text=layout.of_kind("text"),
        numbers=layout.of_kind("number"),
        flags=layout.of_kind("flag"),
    )
    for name in layout.of_kind("date"):
        if name in frame:
            _check_days(path, name, frame[name].to_numpy().astype("datetime64[D]"))
    for name in layout.key[:2]:
        empty = np.asarray(frame[name].isna() | frame[name].eq("").to_numpy(dtype=bool))
        if empty.any():
            raise DataError(
                f"{path} {place(int(np.argmax(empty)))} has no {name}, by which the row would be known again; add it "
                "or remove the row"
            )
    return frame


def _check_days(path: Path, name: str, days: Dates) -> None:
    with np.errstate(invalid="ignore"):
        bad = (days < EARLIEST) | (days > LATEST)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{path} {place(row)}: {name} {days[row]} is no date of a calendar; correct it")


def bars_of(layout: Layout, path: Path) -> tuple[Bars, list[str]]:
    """Bars of a file, and the columns that it has.

    Raises
    ------
    DataError
        As `read_file`, or one bar twice.
    """
    frame = read_file(layout, path)
    rows = rows_from_frame(frame, str(path)).ordered()
    again = np.flatnonzero((np.diff(rows.codes) == 0) & (np.diff(rows.days) == np.timedelta64(0, "D")))
    if len(again):
        at = int(again[0])
        raise DataError(
            f"{path}: {len(again)} bars are given twice, the first is {rows.symbols[rows.codes[at]]!r} on "
            f"{rows.days[at]} ({place(int(rows.numbers[at + 1]))}); keep one row each"
        )
    values = np.stack([rows.values[name] for name in NUMBERS], axis=1)
    return Bars(rows.symbols, rows.codes, rows.days, values), [str(name) for name in frame.columns]


def further_columns(layout: Layout, path: Path, rows: int) -> pd.Series[Any]:
    """Whatever other columns a file has, a JSON object a row; dates are ISO text in it.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({' '.join(str(error).split())[:200]}); replace it") from None
    if len(frame) != rows:
        raise DataError(f"{path} has empty lines; remove them")
    frame = frame[[name for name in frame.columns if name not in layout.kinds]]
    return pd.Series(
        [json.dumps({str(k): _plain(v) for k, v in row.items()}) for row in frame.to_dict("records")],
        dtype=object,
    )


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if value == value.normalize() else value.isoformat()
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)


def read_document(folder: Path, name: str) -> str | None:
    """Text of a JSON file of a folder, None without it.

    Raises
    ------
    DataError
        It is no JSON object.
    """
    from feeds.inputs import read_source

    if not (folder / name).is_file():
        return None
    read_source(folder)
    return (folder / name).read_text(encoding="utf-8")
