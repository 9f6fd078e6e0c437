"""Tables of fewer rows, each with its place in the file: read, compared and written as a whole."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from feeds.database.changes import Change
from feeds.database.files import MORE
from feeds.database.layout import Layout
from feeds.database.server import driver

_NOT_A_TIME = np.datetime64("NaT", "s")


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What happens to one of these tables.

    Attributes
    ----------
    change : Change
    table : DataFrame
        All its rows afterwards, in their order.
    """

    change: Change
    table: pd.DataFrame


def read_records(connection: sa.Connection, layout: Layout, table: sa.Table) -> pd.DataFrame:
    """Read every row: dates as datetime64[s], text with "" for none, numbers as float64, flags as bool or None."""
    names = [*layout.kinds, *([MORE] if layout.more else [])]
    columns = [sa.cast(table.c[name], sa.Text) if name == MORE else table.c[name] for name in names]
    rows = connection.execute(sa.select(*columns).order_by(table.c.row)).all()
    found: dict[str, Any] = {}
    for place, name in enumerate(names):
        found[name] = _column([row[place] for row in rows], layout.kinds.get(name, "text"))
    return pd.DataFrame(found)


def _column(values: list[Any], kind: str) -> Any:
    if kind == "date":
        return np.array([_NOT_A_TIME if v is None else v for v in values], dtype="datetime64[s]")
    if kind == "number":
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    if kind == "flag":
        return pd.Series(values, dtype=object)
    return pd.Series(["" if v is None else v for v in values], dtype=object)


def write_records(connection: sa.Connection, layout: Layout, table: sa.Table, rows: pd.DataFrame) -> None:
    """Put rows in the place of all that a table has."""
    from psycopg import sql

    connection.execute(table.delete())
    names = [*layout.kinds, *([MORE] if layout.more else [])]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(str(table.schema), table.name),
        sql.SQL(", ").join(map(sql.Identifier, ("row", *names))),
    )
    columns = [_cells(rows[name], layout.kinds.get(name, "text")) for name in names]
    with driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for row in enumerate(zip(*columns, strict=True)):
            copy.write_row((row[0], *row[1]))


def _cells(values: pd.Series[Any], kind: str) -> list[Any]:
    if kind == "date":
        days = values.to_numpy().astype("datetime64[D]")
        return [None if day is None else day for day in days.tolist()]
    if kind == "number":
        return [None if v != v else v for v in values.to_numpy(dtype=np.float64).tolist()]
    return [None if v is None or v == "" or v != v else v for v in values.tolist()]


def complete(layout: Layout, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that a file lacks, empty."""
    out = rows.copy()
    for name in (*layout.kinds, *([MORE] if layout.more else [])):
        if name not in out:
            out[name] = _column([None] * len(out), layout.kinds.get(name, "text"))
    return out[[*layout.kinds, *([MORE] if layout.more else [])]]


def compare_records(layout: Layout, old: pd.DataFrame, new: pd.DataFrame) -> RecordChange:
    """Compare the rows of a file with those of the database.

    Parameters
    ----------
    layout : Layout
    old : DataFrame
        As `read_records`.
    new : DataFrame
        Columns that the file has; what it has not stays as it is.
    """
    file = complete(layout, new)
    before = _positions(layout, old)
    change = Change(layout.name, rows=len(file))
    symbols = file[layout.key[0]].tolist()
    matched = np.array([before.get(key, -1) for key in _keys(layout, file)], dtype=np.int64)
    known = matched >= 0
    change.added = int((~known).sum())
    changed, filled = np.zeros(len(file), dtype=bool), np.zeros(len(file), dtype=bool)
    for name in file.columns:
        theirs = old[name].to_numpy()[matched[known]]
        if name not in new:
            _set(file, name, known, theirs)
            continue
        mine = file[name].to_numpy()[known]
        differs = ~_equal(mine, theirs)
        grows = _empty(theirs) if name in layout.grows else np.zeros(len(mine), dtype=bool)
        if layout.more:
            grows = np.ones(len(mine), dtype=bool)
        filled[known] |= differs & grows
        changed[known] |= differs & ~grows
    change.filled = int((filled & ~changed).sum())
    change.changed = Counter(symbols[i] for i in np.flatnonzero(changed))
    lacking = np.ones(len(old), dtype=bool)
    lacking[matched[known]] = False
    removed = lacking & _spoken_for(layout, old, file)
    change.kept = int((lacking & ~removed).sum())
    change.removed = Counter(old[layout.key[0]].to_numpy()[removed].tolist())
    change.first = _first(layout, file, changed) or _first(layout, old, removed)
    table = (
        pd.concat([file, old[lacking & ~removed]], ignore_index=True) if (lacking & ~removed).any() else file
    )
    return RecordChange(change, table)


def _set(frame: pd.DataFrame, name: str, rows: Any, values: Any) -> None:
    column = frame[name].to_numpy().copy()
    column[rows] = values
    frame[name] = pd.Series(column, index=frame.index, dtype=column.dtype)


def _keys(layout: Layout, rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Key of each row, and which of those with the same key it is."""
    columns = [
        rows[name].to_numpy().astype("datetime64[D]").astype(np.int64).tolist()
        if layout.kinds[name] == "date"
        else rows[name].tolist()
        for name in layout.key
    ]
    seen: Counter[tuple[Any, ...]] = Counter()
    keys = []
    for key in zip(*columns, strict=True):
        keys.append((*key, seen[key]))
        seen[key] += 1
    return keys


def _positions(layout: Layout, rows: pd.DataFrame) -> dict[tuple[Any, ...], int]:
    return {key: place for place, key in enumerate(_keys(layout, rows))}


def _empty(values: Any) -> Any:
    if values.dtype.kind in "Mf":
        return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    return np.array([v is None or v == "" for v in values], dtype=bool)


def _equal(a: Any, b: Any) -> Any:
    return np.asarray((a == b) | (_empty(a) & _empty(b)), dtype=bool)


def _spoken_for(layout: Layout, old: pd.DataFrame, file: pd.DataFrame) -> Any:
    """(n,) rows of the database between the first and the last day that the file has of their symbol."""
    if not layout.day:
        return np.zeros(len(old), dtype=bool)
    symbol = layout.key[0]
    spans = file.groupby(symbol)[layout.day].agg(["min", "max"])
    first = old[symbol].map(spans["min"]).to_numpy().astype("datetime64[s]")
    last = old[symbol].map(spans["max"]).to_numpy().astype("datetime64[s]")
    day = old[layout.day].to_numpy()
    return (day >= first) & (day <= last)


def _first(layout: Layout, rows: pd.DataFrame, marked: Any) -> str:
    if not marked.any():
        return ""
    row = rows.iloc[int(np.argmax(marked))]
    parts = [row[name] for name in layout.key if not pd.isna(row[name]) and row[name] != ""]
    return ", ".join(str(p.date()) if isinstance(p, dt.datetime) else str(p) for p in parts)
