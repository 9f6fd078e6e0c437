"""How vendors write headers and days: New York sessions as dates, UTC stamps or nanoseconds."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray
from ares7.errors import DataError, MissingData
from feeds.tables import place

_PLAIN = re.compile(r"\d{4}-\d{2}-\d{2}")
_NEW_YORK_MIDNIGHT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]00:00:00-0[45]:00")
_UTC = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\+00:00)?")
_NANOSECONDS = re.compile(r"\d{18,19}")
_FIELDS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
}


def header_of(path: Path) -> list[str]:
    """Return the first row of a CSV file.

    Raises
    ------
    MissingData
        No such file.
    DataError
        Not readable as text, or empty.
    """
    text = _text(path)
    rows = list(csv.reader(io.StringIO(text.split("\n", 1)[0])))
    if not rows or not any(rows[0]):
        raise DataError(f"{path} is empty; replace the file")
    return rows[0]


def _text(path: Path) -> str:
    if not path.is_file():
        raise MissingData(f"file {path} does not exist; add it or correct the path")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text ({error}); replace the file") from None


def session_days(texts: pd.Series[str], path: Path) -> AnyArray:
    """Days written as ``YYYY-MM-DD``, or all as New York midnights with their offset (-05:00 or -04:00).

    Returns
    -------
    (n,) datetime64[s]
        Midnight of the session date, without zone.

    Raises
    ------
    DataError
        Another form, both forms in one file, or an impossible date.
    """
    codes, levels = pd.factorize(texts)
    plain = [bool(_PLAIN.fullmatch(level)) for level in levels]
    stamped = [bool(_NEW_YORK_MIDNIGHT.fullmatch(level)) for level in levels]
    if any(plain) and any(stamped):
        other = levels[stamped.index(True)]
        raise DataError(
            f"{path}: {texts.name!r} mixes plain dates and time stamps with a zone (such as {other!r}); write one form"
        )
    strange = [not (a or b) for a, b in zip(plain, stamped, strict=True)]
    if any(strange):
        row = int(np.flatnonzero(np.array(strange)[codes])[0])
        raise DataError(
            f"{path} {place(row)}: {texts.name!r} holds {texts.iloc[row]!r}, neither YYYY-MM-DD nor midnight in New "
            "York with its offset; correct it"
        )
    return _days([level[:10] for level in levels], codes, texts, path)


def new_york_days_from_utc(texts: pd.Series[str], path: Path) -> AnyArray:
    """Days from UTC stamps of New York midnights: 05:00 in winter, 04:00 in summer.

    Writers that ignore daylight saving put 05:00 all year; in summer that is 01:00 of the same New York day and
    is accepted. 04:00 in winter is 23:00 of the day before, so which day is meant is unknown: an error.

    Returns
    -------
    (n,) datetime64[s]

    Raises
    ------
    DataError
        Another form, or an hour that is not the start of a New York day.
    """
    codes, levels = pd.factorize(texts)
    strange = [not _UTC.fullmatch(level) for level in levels]
    if any(strange):
        row = int(np.flatnonzero(np.array(strange)[codes])[0])
        raise DataError(
            f"{path} {place(row)}: {texts.name!r} holds {texts.iloc[row]!r}, not a UTC time stamp YYYY-MM-DD "
            "HH:MM:SS; correct it or data.layout"
        )
    instants = _days([level[:19].replace(" ", "T") for level in levels], codes, texts, path)
    return _day_starts(instants, np.timedelta64(1, "h"), texts, path)


def new_york_days_from_ns(texts: pd.Series[str], path: Path) -> AnyArray:
    """Days from nanoseconds since 1970 UTC that lie on New York midnights.

    Returns
    -------
    (n,) datetime64[s]

    Raises
    ------
    DataError
        Not whole nanoseconds, or not New York's midnight.
    """
    bad = ~texts.str.fullmatch(_NANOSECONDS).to_numpy(dtype=bool)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path} {place(row)}: {texts.name!r} holds {texts.iloc[row]!r}, not nanoseconds since 1970 UTC; correct it"
        )
    instants = texts.astype("int64").to_numpy().astype("datetime64[ns]")
    return _day_starts(instants, np.timedelta64(0, "h"), texts, path)


def _days(words: list[str], codes: AnyArray, texts: pd.Series[str], path: Path) -> AnyArray:
    parsed = pd.to_datetime(pd.Series(words, dtype=object), format="ISO8601", errors="coerce")
    values = parsed.to_numpy().astype("datetime64[s]")[codes]
    bad = np.isnat(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path} {place(row)}: {texts.name!r} holds the impossible date {texts.iloc[row]!r}; correct it"
        )
    return values


def _day_starts(instants: AnyArray, slack: np.timedelta64, texts: pd.Series[str], path: Path) -> AnyArray:
    """New York days of UTC instants, each at the day's midnight or exactly ``slack`` after it."""
    local = pd.DatetimeIndex(instants, tz="UTC").tz_convert("America/New_York").tz_localize(None).to_numpy()
    days = local.astype("datetime64[D]")
    bad = (local != days) & (local != days + slack)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path} {place(row)}: {texts.name!r} holds {texts.iloc[row]!r}, which is {local[row]!s:.19} in New York; "
            "a day starts at its midnight, 05:00 UTC in winter and 04:00 UTC in summer; correct the stamps"
        )
    return days.astype("datetime64[s]")


def read_three_headers(path: Path) -> pd.DataFrame:
    """Read the yfinance layout of many symbols: rows ``Price``, ``Ticker``, ``Date``, then one row a session.

    Returns
    -------
    DataFrame
        ``date symbol`` and the canonical names of the file's fields; a session on which a symbol has no number at
        all is no row.

    Raises
    ------
    DataError
        Other headers, a ragged row, or a cell that is no number.
    """
    lines = _text(path).strip("\n").split("\n")
    head = list(csv.reader(lines[:3]))
    width = len(head[0])
    if (
        len(head) < 3
        or [row[:1] for row in head] != [["Price"], ["Ticker"], ["Date"]]
        or len(head[1]) != width
    ):
        raise DataError(
            f"{path} is not in layout yfinance_multi: expected header rows starting with Price, Ticker, Date, found "
            f"{', '.join(row[0] if row else '' for row in head)}; download it with group_by='column'"
        )
    for index, line in enumerate(lines[3:]):
        if line.count(",") + 1 != width:
            raise DataError(
                f"{path} {place(index)} has {line.count(',') + 1} fields and the header {width}; correct the row"
            )
    if len(lines) == 3:
        raise DataError(f"{path} has headers and no rows; replace the file")
    fields, symbols = _wide_columns(path, head)
    body = pd.read_csv(io.StringIO("\n".join(lines[3:])), header=None, dtype=str, keep_default_na=False)
    values = _wide_numbers(path, body, head)
    days = session_days(body[0].rename("Date"), path)
    parts = []
    for symbol in dict.fromkeys(symbols):
        columns = {fields[k]: values[:, k] for k in range(len(fields)) if symbols[k] == symbol}
        rows = pd.DataFrame({"date": days, "symbol": symbol} | columns)
        parts.append(rows.dropna(how="all", subset=list(columns)))
    return pd.concat(parts, ignore_index=True)


def _wide_columns(path: Path, head: list[list[str]]) -> tuple[list[str], list[str]]:
    pairs = list(zip(head[0][1:], head[1][1:], strict=True))
    unknown = [field for field, _ in pairs if field not in _FIELDS]
    repeated = sorted({f"{field} {symbol}" for field, symbol in pairs if pairs.count((field, symbol)) > 1})
    needed = [field for field in _FIELDS if field != "Adj Close"]
    present = set(pairs)
    extra = {"Adj Close"} & {field for field, _ in pairs}
    missing = [
        f"{field} {symbol}"
        for symbol in dict.fromkeys(symbol for _, symbol in pairs)
        for field in [*needed, *extra]
        if (field, symbol) not in present
    ]
    for names, what in ((unknown, "has the unknown field"), (repeated, "repeats"), (missing, "lacks")):
        if names:
            raise DataError(
                f"{path} {what} {', '.join(names[:5])}; expected {', '.join(_FIELDS)} of every symbol"
            )
    return [_FIELDS[field] for field, _ in pairs], [symbol for _, symbol in pairs]


def _wide_numbers(path: Path, body: pd.DataFrame, head: list[list[str]]) -> AnyArray:
    texts = body.iloc[:, 1:].to_numpy(dtype=object)
    empty = texts == ""
    values = np.full(texts.shape, np.nan)
    values[~empty] = pd.to_numeric(pd.Series(texts[~empty], dtype=object), errors="coerce").to_numpy()
    bad = np.isnan(values) & ~empty
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{path} {place(row)}: {head[0][column + 1]} of {head[1][column + 1]} holds {texts[row, column]!r}, not a "
            "number; correct it or leave it empty"
        )
    return values
