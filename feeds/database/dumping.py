"""The database as a canonical folder of Parquet files."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from ares7.errors import DataError
from feeds.database.bars import Bars, read_bars
from feeds.database.files import MORE
from feeds.database.layout import DOCUMENT, LAYOUTS, Layout
from feeds.database.migrate import Content, content_of
from feeds.database.records import read_records
from feeds.database.server import Server
from feeds.database.tables import DATA, contents, documents
from feeds.price_rows import NUMBERS

FORM = 1
"""Raise it whenever the files of a dump change."""


def dump_folder(server: Server, folder: Path) -> Content:
    """Write every table of a database as files; the folder appears when it is whole.

    Parameters
    ----------
    server : Server
    folder : Path
        Must not exist, or be empty.

    Returns
    -------
    Content
        What was dumped.

    Raises
    ------
    DataError
        The folder holds something or cannot be written, or the database holds nothing.
    ServiceUnavailable, ConfigError
        The server does not give it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty; name a new folder")
    partial = folder.with_name(f".{folder.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        partial.mkdir(parents=True)
        with server.reading() as connection:
            content = content_of(server, connection)
            write_tables(connection, partial)
        partial.replace(folder)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}); free space, or name another folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return content


def write_tables(connection: sa.Connection, folder: Path) -> None:
    """Write what the connection sees into a folder that is there."""
    known = {row.name: row for row in connection.execute(sa.select(contents))}
    for layout in LAYOUTS:
        if layout.name not in known:
            continue
        path, columns = folder / f"{known[layout.name].stem}.parquet", known[layout.name].columns
        if layout.bars:
            _write_bars(path, read_bars(connection, DATA[layout.name]), columns)
        else:
            _write_records(path, layout, read_records(connection, layout, DATA[layout.name]), columns)
    for row in connection.execute(sa.select(documents).where(documents.c.name == DOCUMENT)):
        (folder / DOCUMENT).write_text(row.content, encoding="utf-8")


def _write(path: Path, columns: dict[str, Any], dictionary: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Without the schema of Arrow the words of a dictionary are read back as words.
    table = pa.table(columns)
    pq.write_table(table, path, use_dictionary=dictionary, compression="snappy", store_schema=False)


def _write_bars(path: Path, bars: Bars, columns: Sequence[str]) -> None:
    import pyarrow as pa

    words = pa.array(bars.symbols, type=pa.string())
    found: dict[str, Any] = {
        "date": pa.array(bars.days.astype(np.int32), type=pa.date32()),
        "symbol": pa.DictionaryArray.from_arrays(pa.array(bars.codes.astype(np.int32)), words),
    }
    for place, name in enumerate(NUMBERS):
        found[name] = pa.array(np.ascontiguousarray(bars.values[:, place]), from_pandas=True)
    _write(path, {name: found[name] for name in ("date", "symbol", *NUMBERS) if name in columns}, ["symbol"])


def _write_records(path: Path, layout: Layout, rows: pd.DataFrame, columns: Sequence[str]) -> None:
    import pyarrow as pa

    types = {"date": pa.date32(), "text": pa.string(), "number": pa.float64(), "flag": pa.bool_()}
    found: dict[str, Any] = {}
    for name, kind in layout.kinds.items():
        if name not in columns:
            continue
        values: Any = rows[name].to_numpy()
        if kind == "date":
            values = values.astype("datetime64[D]")
        elif kind == "flag":
            values = np.array([bool(v) for v in values], dtype=bool)
        elif kind == "text":
            values = [v or None for v in values]
        found[name] = pa.array(values, type=types[kind], from_pandas=kind != "text")
    if layout.more:
        found |= _further(rows[MORE].tolist())
    _write(path, found, [name for name, kind in layout.kinds.items() if kind == "text"])


def _further(texts: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    objects = [json.loads(text) if text else {} for text in texts]
    names = dict.fromkeys(name for one in objects for name in one)
    found = {}
    for name in names:
        values = [one.get(name) for one in objects]
        try:
            found[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            found[name] = pa.array([None if v is None else str(v) for v in values])
    return found
