"""The as-of join: on each session, the latest figure whose filing was already public.

A row is visible at the first session strictly after ``filing_date + delay`` calendar days, and while the
session is at most ``filing_date + max_age`` (rulings 18, contract C6). A field's value is the latest
finite one among the rows visible so far: by report period, then a quarterly row before an annual one,
then filing date, then ``lastupdated``. When that latest value is too old the field is missing; an older period
never takes its place.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares7.arrays import Dates, Float1D, Float2D, Int1D
from feeds.filings import FIELDS


def latest_visible(
    rows: pd.DataFrame, dates: Dates, symbols: tuple[str, ...], delay_days: int, max_age_days: int
) -> dict[str, Float2D]:
    """Place every field of the filings on the sessions on which it was the latest one known.

    Parameters
    ----------
    rows : DataFrame
        Filings of listed symbols: ``symbol report_period filing_date lastupdated annual``, each of `FIELDS`.
    dates : (T,) datetime64[D]
        Exchange sessions, strictly increasing.
    symbols : tuple of N str
        Column names.
    delay_days, max_age_days : int
        Calendar days after the filing date.

    Returns
    -------
    dict of str to (T, N) float64
        Each of `FIELDS`; row t may be used at close t; NaN where nothing is known.
    """
    column_of = {symbol: column for column, symbol in enumerate(symbols)}
    column = np.array([column_of[symbol] for symbol in rows["symbol"]], dtype=np.int64)
    filed = rows["filing_date"].to_numpy().astype("datetime64[D]")
    updated = rows["lastupdated"].to_numpy().astype("datetime64[D]").astype(np.int64)
    quarterly = ~rows["annual"].to_numpy(dtype=bool)
    # Row k outranks every earlier row of its symbol.
    rank = np.lexsort((updated, filed, quarterly, rows["report_period"].to_numpy(), column))
    column, filed = column[rank], filed[rank]
    visible = _first_after(dates, filed, delay_days)
    expired = _first_after(dates, filed, max_age_days)
    shape = (len(symbols), len(dates))
    return {
        name: _place(rows[name].to_numpy(dtype=np.float64)[rank], column, visible, expired, shape)
        for name in FIELDS
    }


def _first_after(dates: Dates, filed: Dates, days: int) -> Int1D:
    after = np.searchsorted(dates, filed + np.timedelta64(days, "D"), side="right")
    return np.asarray(after, dtype=np.int64)


def _place(values: Float1D, column: Int1D, visible: Int1D, expired: Int1D, shape: tuple[int, int]) -> Float2D:
    """Write each value on the sessions on which it is the highest-ranked one known.

    Parameters
    ----------
    values, column, visible, expired : (R,)
        Rows by rising rank within a rising column; a row shows from ``visible`` to ``expired`` (exclusive).
    shape : tuple of int
        (N, T).

    Returns
    -------
    (T, N) float64
    """
    known = np.flatnonzero(np.isfinite(values) & (visible < shape[1]))
    known = known[np.lexsort((visible[known], column[known]))]
    # Ranks of a later column are all higher, so one running maximum serves every column.
    best = np.maximum.accumulate(known)
    start, stop = visible[known], np.full(len(known), shape[1])
    same = column[known[1:]] == column[known[:-1]]
    stop[:-1][same] = start[1:][same]
    stop = np.minimum(stop, expired[best])
    out = np.full(shape, np.nan)
    for k in np.flatnonzero(start < stop):
        out[column[known[k]], start[k] : stop[k]] = values[best[k]]
    return np.ascontiguousarray(out.T)
