"""A daily return series from one file, strictly: columns ``date`` and ``ret``, or ``date`` and ``nav``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.audit.returns_only import checked_series, require_dates
from ares7.errors import DataError, MissingData
from feeds.tables import place, read_table

RETURN, NAV = "ret", "nav"


@dataclass(frozen=True, slots=True)
class ReturnSeries:
    """Daily returns.

    Attributes
    ----------
    dates : (R,) datetime64[D]
        Day on which each return was earned, increasing.
    returns : (R,) fractions
    """

    dates: Dates
    returns: Float1D


def read_returns(path: Path, column: str | None = None) -> ReturnSeries:
    """Read a series.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet`` with a column ``date`` and one of ``ret`` (fractions) and ``nav`` (values; their
        changes are the returns, so that the first row gives none).
    column : str, optional
        Column to read instead; ``nav`` holds values, every other name returns.

    Returns
    -------
    ReturnSeries

    Raises
    ------
    MissingData
        No such file, no ``date``, or neither of the two columns.
    DataError
        Unreadable; both columns; unsorted or repeated dates; a missing value; values that look like percentages; a
        NAV that is not positive.
    """
    if column is not None:
        table = read_table(path, ("date", column), dates=("date",), numbers=(column,))
    else:
        table = read_table(path, ("date",), dates=("date",), numbers=(RETURN, NAV))
        column = _only_column(path, [name for name in (RETURN, NAV) if name in table])
    dates = table["date"].to_numpy().astype("datetime64[D]")
    values = table[column].to_numpy(dtype=np.float64)
    require_dates(dates, str(path))
    if column == NAV:
        dates, values = dates[1:], _changes(path, values)
    return ReturnSeries(*checked_series(dates, values, str(path)))


def _only_column(path: Path, present: list[str]) -> str:
    if not present:
        raise MissingData(
            f"{path} has neither the column {RETURN!r} (daily returns, fractions) nor {NAV!r} (values); "
            "rename one or name it with --column"
        )
    if len(present) == 2:
        raise DataError(
            f"{path} has both {RETURN!r} and {NAV!r}; say which is meant with --column {RETURN} or --column {NAV}"
        )
    return present[0]


def _changes(path: Path, nav: Float1D) -> Float1D:
    """(R - 1,) returns of (R,) values."""
    wrong = np.flatnonzero(~(np.isfinite(nav) & (nav > 0)))
    if len(wrong):
        raise DataError(
            f"{path}: nav in {place(int(wrong[0]))} is {nav[wrong[0]]} ({len(wrong)} of {len(nav)} rows); values must "
            "be there and positive; correct or remove the rows"
        )
    return np.asarray(nav[1:] / nav[:-1] - 1.0)
