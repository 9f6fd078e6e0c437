"""Read one CSV or Parquet table strictly: typed columns, or one error that names file, column, row and value.

Nothing is guessed: an unknown date format, a time zone, a short row or a word in a number column is an error.
An empty CSV cell (also ``NaN``, ``nan``, ``NaT``) is a missing value; ``NA`` is a ticker symbol.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray
from ares7.errors import ConfigError, DataError, MissingData

SUFFIXES = (".parquet", ".csv")
MISSING = ("", "NaN", "nan", "NaT")
FLAGS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
# pandas 3.1 parses every digit exactly by itself and deprecates the argument that asked older ones to.
_NEW = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
_EXACT: dict[str, Any] = {} if _NEW else {"float_precision": "round_trip"}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


class _Malformed(Exception):
    """One column cannot be read; `read_table` gathers these and raises a `DataError`."""


def find_table(folder: Path, stem: str) -> Path | None:
    """Return ``stem.parquet`` or ``stem.csv`` in a folder, or None.

    Raises
    ------
    DataError
        When both exist: which of the two is meant cannot be known.
    """
    found = [path for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}; keep one of them")
    return found[0] if found else None


def place(index: int) -> str:
    """Name a row in messages: counted from 1, the header of a CSV not counted."""
    return f"data row {index + 1}"


def read_table(
    path: Path,
    required: Sequence[str],
    dates: Sequence[str] = (),
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> pd.DataFrame:
    """Read the named columns of a table.

    Parameters
    ----------
    path : Path
        A file that ends in ``.csv`` (UTF-8, comma, one header row, ISO dates) or ``.parquet``.
    required : sequence of str
        Columns that must be there; read as text unless a later argument gives their type.
    dates, text, numbers, flags : sequence of str
        Columns by type, read where the file has them; every other column is ignored.

    Returns
    -------
    DataFrame
        Columns in the order of ``required, dates, text, numbers, flags``; rows in file order, index 0..n-1.
        Dates are naive datetime64[s] at midnight, NaT where empty; text is ``object`` holding str, ``""``
        where empty; numbers are float64, NaN where empty (infinities are kept); flags are bool.

    Raises
    ------
    MissingData
        No such file, or columns are missing.
    DataError
        Empty, unreadable or ragged file; a value that is no number, no date, or carries a time or time zone.
    ConfigError
        A Parquet file without pyarrow installed.
    """
    kinds: dict[str, Callable[[AnyArray], AnyArray]] = dict.fromkeys(required, _to_text)
    for names, reader in ((dates, _to_dates), (text, _to_text), (numbers, _to_numbers), (flags, _to_flags)):
        kinds |= dict.fromkeys(names, reader)
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{path} is neither .csv nor .parquet; convert it or choose its layout in data.layout"
        )
    if not path.exists():
        raise MissingData(f"file {path} does not exist; add it or correct the path")
    read = _read_csv if path.suffix == ".csv" else _read_parquet
    raw = read(path, required, list(kinds), frozenset(numbers))
    return _typed(path, raw, kinds)


def _typed(
    path: Path, raw: dict[str, AnyArray], kinds: dict[str, Callable[[AnyArray], AnyArray]]
) -> pd.DataFrame:
    """Give each column its type; the error names the first bad row of every bad column."""
    columns, problems = {}, []
    for name in (name for name in kinds if name in raw):
        try:
            columns[name] = pd.Series(values := kinds[name](raw[name]), dtype=values.dtype)
        except _Malformed as error:
            problems.append(f"column {name!r} {error}")
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}")
    return pd.DataFrame(columns)


def _check_header(path: Path, present: Sequence[str], required: Sequence[str]) -> None:
    repeated = sorted({name for name in present if list(present).count(name) > 1})
    if repeated:
        raise DataError(f"{path} has the columns {repeated} more than once; keep one of each")
    missing = [name for name in required if name not in present]
    if missing:
        raise MissingData(
            f"{path} lacks the columns {missing}; it has {list(present)[:40]}; add or rename the columns"
        )


def _read_csv(
    path: Path, required: Sequence[str], wanted: Sequence[str], numbers: frozenset[str]
) -> dict[str, AnyArray]:
    content = _csv_text(path)
    header = _check_shape(path, content)
    _check_header(path, header, required)
    use = [name for name in wanted if name in header]
    as_numbers = [name for name in use if name in numbers]
    as_words = [name for name in use if name not in numbers]
    try:
        raw = _parse_csv(content, as_words, as_numbers)
        if not any(np.isin(raw[name], (0.0, 1.0)).all() for name in as_numbers):
            return raw
        # All 0 and 1: pandas reads the words True and False as such numbers too.
    except ValueError:
        # Some number column holds words.
        pass
    try:
        # Read again as words, so that the row and the value can be named.
        return _parse_csv(content, use, [])
    except ValueError as error:
        raise DataError(
            f"{path} is no readable CSV ({' '.join(str(error).split())}); replace the file"
        ) from None


def _csv_text(path: Path) -> str:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; correct the file or its permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8 or replace the file"
        ) from None
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    content = content.strip("\n")
    if "\0" in content:
        raise DataError(f"{path} holds NUL bytes, so it is damaged or no CSV; replace the file")
    if not content:
        raise DataError(f"{path} is empty; replace the file")
    if "\n" not in content:
        raise DataError(f"{path} has a header and no rows; replace the file")
    return content


def _check_shape(path: Path, content: str) -> list[str]:
    """Return the header; refuse ragged rows, which pandas would fill with NaN or shift by one column."""
    if '"' not in content:
        lines = content.split("\n")
        header, counts = lines[0].split(","), [line.count(",") + 1 for line in lines]
    else:
        try:
            rows = list(csv.reader(io.StringIO(content), strict=True))
        except csv.Error as error:
            raise DataError(f"{path} has a damaged quoted field ({error}); replace the file") from None
        header, counts = rows[0], [len(row) for row in rows]
    for index, count in enumerate(counts):
        if count != len(header):
            raise DataError(
                f"{path} {place(index - 1)} has {count} fields and the header {len(header)}; "
                "correct or remove the row"
            )
    return header


def _parse_csv(content: str, words: list[str], numbers: list[str]) -> dict[str, AnyArray]:
    frame = pd.read_csv(
        io.StringIO(content),
        usecols=[*words, *numbers],
        dtype={**dict.fromkeys(words, "str"), **dict.fromkeys(numbers, "float64")},
        na_values={name: list(MISSING) for name in numbers},
        keep_default_na=False,
        **_EXACT,
        skip_blank_lines=False,
    )
    raw: dict[str, AnyArray] = {name: frame[name].to_numpy() for name in numbers}
    return raw | {name: frame[name].to_numpy(dtype=object) for name in words}


def _read_parquet(
    path: Path, required: Sequence[str], wanted: Sequence[str], numbers: frozenset[str]
) -> dict[str, AnyArray]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            f"{path}: reading Parquet needs pyarrow; run: pip install 'pyarrow>=18', or use CSV"
        ) from None
    try:
        present = pyarrow.parquet.read_schema(path).names
        _check_header(path, present, required)
        table = pyarrow.parquet.read_table(path, columns=[name for name in wanted if name in present])
        if table.num_rows == 0:
            raise DataError(f"{path} has no rows; replace the file")
        return {name: _arrow_values(table.column(name)) for name in table.column_names}
    except (pyarrow.ArrowException, OSError, MemoryError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is no readable Parquet file ({first_line[:200]}); replace the file"
        ) from None


def _arrow_values(column: Any) -> AnyArray:
    """One Parquet column as numpy: datetime64 for dates, else whatever numpy type fits it."""
    import pyarrow.types as types

    kind = column.type
    if types.is_timestamp(kind) and kind.tz is not None:
        # Kept as text, so that the reader of dates names the time zone.
        return np.array([None if v is None else v.isoformat() for v in column.to_pylist()], dtype=object)
    if types.is_decimal(kind):
        column = column.cast("float64")
    elif types.is_date(kind):
        column = column.cast("timestamp[s]") if types.is_date32(kind) else column.cast("timestamp[ms]")
    values: AnyArray = column.to_numpy()
    return values


def _first_bad(values: AnyArray, bad: AnyArray) -> str:
    index = int(np.flatnonzero(bad)[0])
    return f"{place(index)} holds {repr(values[index])[:80]}"


def _distinct(values: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Codes (n,) and distinct values of an object array, None and NaN kept as a value."""
    codes, levels = pd.factorize(values, use_na_sentinel=False)
    return codes, np.asarray(levels, dtype=object)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or value in MISSING


def _convert(values: AnyArray, dtype: str, missing: Any, one: Callable[[Any], Any], rule: str) -> AnyArray:
    """Convert an object array value by distinct value; ``one`` returns None for what it refuses."""
    codes, levels = _distinct(values)
    converted = [missing if _is_missing(level) else one(level) for level in levels]
    refused = np.array([value is None for value in converted], dtype=bool)
    if refused.any():
        raise _Malformed(f"{_first_bad(values, refused[codes])}, {rule}")
    return np.array(converted, dtype=dtype)[codes]


def _one_date(value: Any) -> np.datetime64 | None:
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return None
    try:
        return np.datetime64(value, "s")
    except ValueError:
        return None


def _to_dates(values: AnyArray) -> AnyArray:
    if values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
        bad = (days != values) & ~np.isnat(values)
        if bad.any():
            raise _Malformed(
                f"{_first_bad(values, bad)}, a time of day; a date must be at midnight, without zone"
            )
        return days.astype("datetime64[s]")
    if values.dtype.kind != "O":
        raise _Malformed(
            f"holds {values.dtype} values; dates must be timestamps at midnight or YYYY-MM-DD text"
        )
    zoned = [v for v in _distinct(values)[1] if isinstance(v, str) and _ISO_TIME.fullmatch(v)]
    rule = "not a date; write YYYY-MM-DD"
    if zoned:
        rule = "a time of day or a time zone; write the exchange's session date as YYYY-MM-DD"
    return _convert(values, "datetime64[s]", np.datetime64("NaT", "s"), _one_date, rule)


def _to_text(values: AnyArray) -> AnyArray:
    if values.dtype.kind not in "OUT":
        raise _Malformed(f"holds {values.dtype} values; it must hold text")
    codes, levels = _distinct(values)
    words = ["" if level is None or level != level else level for level in levels]
    strange = np.array([not isinstance(word, str) for word in words], dtype=bool)
    if strange.any():
        raise _Malformed(f"{_first_bad(values, strange[codes])}; it must hold text")
    return np.array([*words, None], dtype=object)[:-1][codes]


def _one_number(value: Any) -> float | None:
    if not isinstance(value, str) or "_" in value or not value.isascii():
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _to_numbers(values: AnyArray) -> AnyArray:
    if values.dtype.kind in "iuf":
        return np.ascontiguousarray(values, dtype=np.float64)
    if values.dtype.kind != "O":
        raise _Malformed(f"holds {values.dtype} values; it must hold numbers")
    return _convert(
        values, "float64", np.nan, _one_number, "not a number; correct the value or leave it empty"
    )


def _to_flags(values: AnyArray) -> AnyArray:
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "iuf":
        values = np.array([format(v, "g") for v in values], dtype=object)
    codes, levels = _distinct(values)
    found = [level if isinstance(level, bool) else FLAGS.get(level) for level in levels]
    refused = np.array([value is None for value in found], dtype=bool)
    if refused.any():
        raise _Malformed(f"{_first_bad(values, refused[codes])}, not a flag; write true or false")
    return np.array(found, dtype=bool)[codes]
