"""One fundamentals file, whatever its layout, as rows of one form: a filing of one symbol for one period."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ares7.errors import DataError, MissingData
from feeds.tables import place, read_table

SLOTS = {
    "profitability": ("roe",),
    "margin": ("ebitda_margin", "operating_margin"),
    "leverage": ("debt_to_equity", "liabilities_to_equity"),
}
"""Quality slots and their source fields, the preferred one first (rulings 17)."""
FIELDS = tuple(name for sources in SLOTS.values() for name in sources)
FLAGS = ("late_filing", "filing_date_estimated")
"""Columns that mark rows whose filing date cannot be relied on (rulings 18)."""
DIMENSIONS = ("ARQ", "ART", "ARY", "MRQ", "MRT", "MRY")
"""Sharadar's dimensions: as reported or most recently restated; quarter, trailing year, fiscal year."""

_KEYS = ("symbol", "report_period", "filing_date")
_SF1_PARTS = {
    "roe": ("netinc", "equity"),
    "ebitda_margin": ("ebitda", "revenue"),
    "operating_margin": ("opinc", "revenue"),
    "debt_to_equity": ("debt", "equity"),
    "liabilities_to_equity": ("liabilities", "equity"),
}


def read_filings(path: Path, annual: bool) -> pd.DataFrame:
    """Read the canonical layout: ``symbol, report_period, filing_date`` and any of the fields.

    Parameters
    ----------
    path : Path
        CSV or Parquet; ratios as fractions, dates as ISO days.
    annual : bool
        Whether the rows are fiscal years; quarterly rows win over them.

    Returns
    -------
    DataFrame
        ``symbol report_period filing_date lastupdated``, each of `FIELDS`, ``equity revenue``, each of
        `FLAGS`, ``dimension annual file``. Columns that the file lacks are missing, false or empty.

    Raises
    ------
    DataError
        Unreadable file or value, missing key column, or none of the fields.
    """
    rows = read_table(
        path,
        _KEYS,
        dates=("report_period", "filing_date", "lastupdated"),
        text=("dimension",),
        numbers=(*FIELDS, "equity"),
        flags=FLAGS,
    )
    return _complete(path, rows, annual)


def read_sharadar_sf1(path: Path) -> pd.DataFrame:
    """Read Sharadar SF1, one dimension a file; a ratio that is no column is computed from its parts.

    ``report_period`` is ``reportperiod`` (``calendardate`` is rounded to a quarter end), ``filing_date`` is
    ``datekey``, in newer exports ``date``. Return on equity is computed for rows that span a year only. Debt
    over equity goes before ``de``: Sharadar's own ``de`` is liabilities over equity, other exporters' is debt
    over equity, and the parts leave no doubt.

    Returns
    -------
    DataFrame
        As `read_filings`; annual for the ``*Y`` dimensions.

    Raises
    ------
    DataError
        Unreadable file or value, a missing column, or an ambiguous filing date.
    """
    rows = read_table(
        path,
        ("ticker", "dimension", "reportperiod"),
        dates=("reportperiod", "datekey", "date", "lastupdated"),
        numbers=("roe", "ebitdamargin", "de", *dict.fromkeys(sum(_SF1_PARTS.values(), ()))),
    )
    nameless = rows["dimension"].eq("").to_numpy(dtype=bool)
    if nameless.any():
        row = place(int(np.flatnonzero(nameless)[0]))
        raise DataError(f"{path} {row} has no dimension; write one of {', '.join(DIMENSIONS)}")
    filed = [name for name in ("datekey", "date") if name in rows]
    if len(filed) != 1:
        raise MissingData(
            f"{path} has {filed or 'neither'} of the columns 'datekey' and 'date'; exactly one must give the "
            "filing date; add or remove one"
        )
    names = {"ticker": "symbol", "reportperiod": "report_period", filed[0]: "filing_date"}
    if not {"debt", "equity"} <= set(rows):
        names["de"] = "debt_to_equity"
    rows = rows.rename(columns=names | {"ebitdamargin": "ebitda_margin"})
    spans_year = bool(rows["dimension"].str.endswith(("T", "Y")).all())
    for name, (above, below) in _SF1_PARTS.items():
        if name not in rows and {above, below} <= set(rows) and (name != "roe" or spans_year):
            rows[name] = rows[above] / rows[below]
    return _complete(path, rows, bool(rows["dimension"].str.endswith("Y").all()))


def _complete(path: Path, rows: pd.DataFrame, annual: bool) -> pd.DataFrame:
    if not set(FIELDS) & set(rows):
        raise MissingData(f"{path} carries none of the fields {', '.join(FIELDS)}; add at least one column")
    absent = {
        "lastupdated": pd.Series(pd.NaT, rows.index, dtype="datetime64[s]"),
        **dict.fromkeys((*FIELDS, "equity", "revenue"), pd.Series(np.nan, rows.index)),
        **dict.fromkeys(FLAGS, pd.Series(False, rows.index)),
        "dimension": pd.Series("", rows.index),
    }
    columns = {name: rows.get(name, other) for name, other in absent.items()}
    return pd.DataFrame({name: rows[name] for name in _KEYS} | columns).assign(annual=annual, file=path.name)


def without_meaningless_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Make ratios missing that are over equity that is not positive, or over no revenue.

    A negative debt ratio can only come from negative equity, also where the equity is not given.
    """
    rows = rows.copy()
    leverage = rows[[*SLOTS["leverage"]]]
    rows[[*SLOTS["leverage"]]] = leverage.where(leverage >= 0)
    rows.loc[rows["equity"] <= 0, [*SLOTS["profitability"], *SLOTS["leverage"]]] = np.nan
    rows.loc[rows["revenue"] == 0, [*SLOTS["margin"]]] = np.nan
    return rows
