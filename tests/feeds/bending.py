"""Ways to spoil the small folder: its tables before they are written, or its files after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.feeds.small_folder import Tables, bars, tables, typed


def cell(table: str, row: int, **values: str) -> Callable[[Tables], object]:
    def bend(content: Tables) -> None:
        for name, value in values.items():
            content[table].loc[row, name] = value

    return bend


def without(table: str, *columns: str) -> Callable[[Tables], object]:
    return lambda content: content.update({table: content[table].drop(columns=list(columns))})


def rows(table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Tables], object]:
    return lambda content: content.update({table: change(content[table])})


def no_symbol(table: str, symbol: str) -> Callable[[Tables], object]:
    return rows(table, lambda frame: frame[frame["symbol"] != symbol])


def removed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def bytes_of(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def edited(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(change((folder / name).read_text()))


def swap(frame: pd.DataFrame) -> pd.DataFrame:
    order = list(range(len(frame)))
    order[4], order[5] = order[5], order[4]
    return frame.iloc[order]


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.iloc[:8], frame.iloc[7:]])


def aware(folder: Path) -> None:
    frame = typed(tables()["prices"])
    frame["date"] = frame["date"].dt.tz_localize("America/New_York")
    (folder / "prices.csv").unlink()
    frame.to_parquet(folder / "prices.parquet")


def at_noon(folder: Path) -> None:
    frame = typed(tables()["prices"])
    hours = np.where(np.arange(len(frame)) == 3, 16, 0)
    frame["date"] += pd.to_timedelta(hours, unit="h")
    (folder / "prices.csv").unlink()
    frame.to_parquet(folder / "prices.parquet")


def cut_parquet(folder: Path) -> None:
    (folder / "prices.csv").unlink()
    typed(tables()["prices"]).to_parquet(folder / "prices.parquet")
    whole = (folder / "prices.parquet").read_bytes()
    (folder / "prices.parquet").write_bytes(whole[: len(whole) // 2])


def both_suffixes(folder: Path) -> None:
    typed(tables()["prices"]).to_parquet(folder / "prices.parquet")


def more_names() -> list[pd.DataFrame]:
    return [pd.DataFrame(bars(symbol, 12.0)) for symbol in ("X1", "X2", "X3")]
