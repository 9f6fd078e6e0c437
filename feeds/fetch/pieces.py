"""Pieces that were fetched and are not yet in the tables: one file each, there whole or not at all.

These files are the journal of a fetch: what a killed run leaves is what the next one does not ask for again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from ares7.errors import ConfigError
from feeds.fetch.source import Got, Note, Origin, Piece

_TOLD = b"ares7"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it; it is on the disk when this returns.

    Raises
    ------
    ConfigError
        The folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}; correct the folder, or name another with --to"
        ) from None


def to_parquet(rows: pd.DataFrame, told: dict[bytes, bytes] | None = None) -> bytes:
    """Rows as a Parquet file; dates are timestamps in milliseconds."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = pa.Table.from_pandas(rows, preserve_index=False)
    for at, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(at, column.name, table.column(at).cast(pa.timestamp("ms")))
        elif pa.types.is_null(column.type):
            table = table.set_column(at, column.name, table.column(at).cast(pa.string()))
    sink = pa.BufferOutputStream()
    # The library's own description of the schema differs for equal tables; what is told needs it all the same.
    table = table.replace_schema_metadata(told)
    words = [column.name for column in table.schema if not pa.types.is_floating(column.type)]
    parquet.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=words,  # type: ignore[arg-type, unused-ignore]
        store_schema=told is not None,
    )
    return bytes(sink.getvalue())


class PieceStore:
    """The pieces of one source in one data folder.

    Parameters
    ----------
    folder : Path
        Made with the first piece.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, piece: Piece) -> Got | None:
        """What was fetched of a piece; None if it was not, is damaged, or is of another day and would not last."""
        import pyarrow
        import pyarrow.parquet as parquet

        try:
            table = parquet.read_table(self._path(piece))
            told: dict[str, Any] = json.loads(table.schema.metadata[_TOLD])
        except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError):
            return None
        origins = tuple(Origin(**origin) for origin in told["origins"])
        today = dt.datetime.now(dt.UTC).date().isoformat()
        if piece.perishable and any(origin.time[:10] != today for origin in origins):
            return None
        notes = tuple(Note(**note) for note in told["notes"])
        return Got(_frame(table), origins, notes)

    def write(self, piece: Piece, got: Got) -> None:
        """Keep a piece."""
        told = {
            "symbols": piece.symbols,
            "origins": [origin.to_dict() for origin in got.origins],
            "notes": [{"code": n.code, "symbol": n.symbol, "text": n.text} for n in got.notes],
        }
        write_atomically(self._path(piece), to_parquet(got.rows, {_TOLD: json.dumps(told).encode()}))

    def pinned_last(self) -> dt.date | None:
        """Last day of the fetch that was stopped, if one was that left pieces."""
        if not any(self._folder.glob("*.parquet")):
            return None
        try:
            return dt.date.fromisoformat((self._folder / "last").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def pin_last(self, last: dt.date) -> None:
        """Remember the last day, so that a fetch which is continued tomorrow finds its pieces."""
        write_atomically(self._folder / "last", last.isoformat().encode())

    def clear(self) -> None:
        """Forget all: the pieces are in the tables."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, piece: Piece) -> Path:
        return self._folder / f"{piece.key}.parquet"


def _frame(table: Any) -> pd.DataFrame:
    rows: pd.DataFrame = table.to_pandas()
    for name in rows:
        if rows[name].dtype.kind == "M":
            rows[name] = rows[name].astype("datetime64[s]")
        elif not pd.api.types.is_numeric_dtype(rows[name]) and rows[name].dtype.kind != "b":
            rows[name] = rows[name].astype(object)
    return rows
