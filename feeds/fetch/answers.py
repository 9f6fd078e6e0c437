"""Answers as tables: strict, and every error says which address sent what."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray
from ares7.errors import DataError, MissingData
from feeds.fetch.source import PRICES, Note
from feeds.fetch.web import Answer
from feeds.tables import read_table

T = TypeVar("T")
CHANGED = "the vendor may have changed its layout; nothing of this answer was used"


def json_of(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises
    ------
    DataError
    """
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise DataError(f"{answer.origin.url} sent no JSON ({error}); {CHANGED}") from None
    if not isinstance(found, dict):
        raise DataError(f"{answer.origin.url} sent {type(found).__name__}, not a JSON object; {CHANGED}")
    return found


def unpacked(body: bytes, where: str) -> bytes:
    """Return the one CSV file of a zip archive, or the body itself if it is none.

    Raises
    ------
    DataError
    """
    if not body.startswith(b"PK\x03\x04"):
        return body
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise DataError(f"{where} holds {len(names)} CSV files; exactly one is expected")
            return archive.read(names[0])
    except zipfile.BadZipFile as error:
        raise DataError(f"{where} is a damaged zip archive ({error}); download it again") from None


def read_body(body: bytes, where: str, read: Callable[[Path], T]) -> T:
    """Let a reader of files read bytes; its errors name ``where`` in place of the file.

    Raises
    ------
    DataError
    """
    with tempfile.TemporaryDirectory(prefix="ares7-") as folder:
        path = Path(folder) / "answer.csv"
        path.write_bytes(body)
        try:
            return read(path)
        except DataError as error:
            # What a reader of files tells to correct in the file, nobody can correct in an answer.
            text, _, remedy = str(error).replace(str(path), where).rpartition("; ")
            raise type(error)(f"{text or remedy}; {CHANGED}") from None


def table_of(
    body: bytes,
    where: str,
    required: Sequence[str],
    *,
    dates: Sequence[str] = (),
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> pd.DataFrame:
    """Typed columns of a CSV body, as `feeds.tables.read_table`."""
    return read_body(
        unpacked(body, where), where, lambda path: read_table(path, required, dates, text, numbers)
    )


def require_columns(present: Sequence[str], required: Sequence[str], where: str) -> None:
    """Raise if a column is not there.

    Raises
    ------
    MissingData
    """
    missing = [name for name in required if name not in present]
    if missing:
        raise MissingData(f"{where} lacks the columns {missing}; it has {list(present)[:20]}; {CHANGED}")


def numbers_of(values: Sequence[Any] | AnyArray, name: str, where: str) -> AnyArray:
    """(n,) float64; None is NaN.

    Raises
    ------
    DataError
        Something that is no number.
    """
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {name} holds {value!r}, not a number; {CHANGED}")
        found[row] = value
    return found


def usable_bars(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """Leave out what cannot be a bar: a price that is missing or not above 0, a missing volume. Told, not hidden."""
    prices = rows[[*PRICES]].to_numpy(dtype=np.float64)
    volume = rows["volume"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(prices).all(axis=1) & (prices > 0).all(axis=1) & (volume >= 0)
    notes = []
    for symbol, part in rows[~good].groupby("symbol", sort=True):
        first = f"{part['date'].min():%Y-%m-%d}"
        text = f"{len(part)} rows without a usable price or volume were left out, the first of {first}"
        notes.append(Note("unusable-bar", str(symbol), text))
    return rows[good].reset_index(drop=True), tuple(notes)
