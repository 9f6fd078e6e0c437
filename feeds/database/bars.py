"""Bars as arrays, and their way into and out of PostgreSQL by binary COPY."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from ares7.arrays import AnyArray, Bool1D, Dates, Float2D, Int1D
from feeds.database.server import driver
from feeds.price_rows import NUMBERS

EPOCH = np.datetime64("2000-01-01", "D")
"""Day 0 of PostgreSQL."""
EARLIEST, LATEST = np.datetime64("-4712-01-01", "D"), np.datetime64("9999-12-31", "D")
CHUNK = 200_000
"""Rows packed at once."""
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars by symbol, then day.

    Attributes
    ----------
    symbols : tuple of str
        Sorted by code point.
    codes : (n,) int64
        Into ``symbols``.
    days : (n,) datetime64[D]
    values : (n, 6) float64
        Columns of `NUMBERS`; NaN where there is none.
    """

    symbols: tuple[str, ...]
    codes: Int1D
    days: Dates
    values: Float2D

    def take(self, rows: Bool1D | Int1D) -> Bars:
        """Some rows, the symbols unchanged."""
        return replace(self, codes=self.codes[rows], days=self.days[rows], values=self.values[rows])


NOTHING = Bars((), np.zeros(0, np.int64), np.zeros(0, "datetime64[D]"), np.zeros((0, len(NUMBERS))))


def read_bars(connection: sa.Connection, table: sa.Table) -> Bars:
    """Read every bar of a table: a row a symbol, and each column of it as one string of numbers in network order."""
    from psycopg import sql

    parts: list[sql.Composable] = [sql.SQL("string_agg(date_send(date), '')")]
    # A number that is not there comes as NaN.
    one = sql.SQL("string_agg(float8send(COALESCE({}, 'NaN')), '')")
    parts += [one.format(sql.Identifier(name)) for name in NUMBERS]
    statement = sql.SQL(
        "SELECT symbol, {} FROM (SELECT * FROM {} ORDER BY symbol, date) AS bars GROUP BY symbol"
    ).format(sql.SQL(", ").join(parts), sql.Identifier(str(table.schema), table.name))
    connection.exec_driver_sql("SET LOCAL work_mem = '64MB'")
    with driver(connection).cursor(binary=True) as cursor:
        found = [(name, *map(bytes, columns)) for name, *columns in cursor.stream(statement)]
    if not found:
        return NOTHING
    found.sort(key=lambda row: str(row[0]))
    counts = np.array([len(row[1]) // 4 for row in found], dtype=np.int64)
    values = np.empty((int(counts.sum()), len(NUMBERS)))
    for place in range(len(NUMBERS)):
        values[:, place] = np.frombuffer(b"".join(row[2 + place] for row in found), dtype=">f8")
    days = EPOCH + np.frombuffer(b"".join(row[1] for row in found), dtype=">i4").astype("timedelta64[D]")
    bars = Bars(tuple(row[0] for row in found), np.repeat(np.arange(len(found)), counts), days, values)
    # A server may add up a group in another order than it was given.
    late = (np.diff(days) <= np.timedelta64(0, "D")) & (np.diff(bars.codes) == 0)
    return bars.take(np.lexsort((days, bars.codes))) if late.any() else bars


def write_bars(connection: sa.Connection, table: str, schema: str | None, bars: Bars) -> None:
    """Add bars to a table."""
    from psycopg import sql

    columns = sql.SQL(", ").join(map(sql.Identifier, ("date", "symbol", *NUMBERS)))
    place = sql.Identifier(table) if schema is None else sql.Identifier(schema, table)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(place, columns)
    names = [symbol.encode() for symbol in bars.symbols]
    with driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        for begin in range(0, len(bars.days), CHUNK):
            copy.write(_packed(names, bars.take(np.arange(begin, min(begin + CHUNK, len(bars.days))))))
        copy.write(END)


def _packed(names: list[bytes], bars: Bars) -> bytes:
    """Rows in the binary form of COPY: a number of fields, then the length of each field and its bytes."""
    lengths = np.array([len(name) for name in names], dtype=np.int64)
    there = ~np.isnan(bars.values)
    sizes = 2 + (4 + 4) + 4 + lengths[bars.codes] + 4 * len(NUMBERS) + 8 * there.sum(axis=1)
    at = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    out = np.zeros(int(sizes.sum()), dtype=np.uint8)
    days = (bars.days - EPOCH).astype(np.int64)
    at = _put(out, at, np.full(len(at), 2 + len(NUMBERS)), ">i2")
    at = _put(out, at, np.full(len(at), 4), ">i4")
    at = _put(out, at, days, ">i4")
    at = _put(out, at, lengths[bars.codes], ">i4")
    at = _put_text(out, at, names, lengths, bars.codes)
    for place in range(len(NUMBERS)):
        known = there[:, place]
        at = _put(out, at, np.where(known, 8, -1), ">i4")
        at[known] = _put(out, at[known], bars.values[known, place], ">f8")
    return out.tobytes()


def _put(out: AnyArray, at: Int1D, values: AnyArray, form: str) -> Any:
    """Write a value a row; return where the next begins."""
    raw = np.ascontiguousarray(values, dtype=form).view(np.uint8).reshape(len(values), -1)
    for place in range(raw.shape[1]):
        out[at + place] = raw[:, place]
    return at + raw.shape[1]


def _put_text(out: AnyArray, at: Int1D, names: list[bytes], lengths: Int1D, codes: Int1D) -> Any:
    own = lengths[codes]
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    total = int(own.sum())
    # 0, 1, 2, ... within each row.
    within = np.arange(total) - np.repeat(np.cumsum(own) - own, own)
    source = np.frombuffer(b"".join(names), dtype=np.uint8)
    out[np.repeat(at, own) + within] = source[np.repeat(begins[codes], own) + within]
    return at + own
