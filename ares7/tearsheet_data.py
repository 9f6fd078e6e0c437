"""The series of a run folder, read back for the report."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.errors import DataError
from ares7.runs import Run

REMEDY = "make the run again"
REGIMES = ("NEUTRAL", "BULL", "BEAR", "HIGH_VOL")
"""Labels that have a colour, in the order of the ribbon's codes."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """What the report draws.

    Attributes
    ----------
    run : Run
        Settings, provenance and figures.
    dates : (T,) datetime64[D]
    nav, baseline_nav : (T,) float64
        USD at the close.
    held : tuple of T str
        Regime label that was in force at the close.
    sleeves : mapping of str to (T,) float64
        Fraction of NAV at the close, cash included.
    traded, fees : (T,) float64
        Sum of |notional| and of fees of the session's fills, USD.
    """

    run: Run
    dates: Dates
    nav: Float1D
    baseline_nav: Float1D
    held: tuple[str, ...]
    sleeves: Mapping[str, Float1D]
    traded: Float1D
    fees: Float1D

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The figures of ``metrics.json``."""
        return self.run.metrics

    @property
    def names(self) -> tuple[str, str]:
        """Strategy and baseline."""
        strategy = self.metrics.get("strategy") or self.run.provenance.get("strategy") or "strategy"
        return str(strategy), str(self.metrics.get("baseline") or "baseline")

    @property
    def regime_labels(self) -> tuple[str, ...]:
        """The known labels, then any other that the run holds."""
        return (*REGIMES, *sorted(set(self.held) - set(REGIMES)))

    @property
    def windows(self) -> list[Mapping[str, Any]]:
        """Out-of-sample windows."""
        return [window for window in self.metrics.get("windows") or [] if isinstance(window, Mapping)]

    @property
    def rolling_sessions(self) -> int:
        """Returns in a rolling window."""
        return int((self.run.config.get("metrics") or {}).get("rolling_sessions", 252))

    @property
    def risk_free(self) -> float:
        """Annual rate of the Sharpe ratios."""
        return float((self.run.config.get("metrics") or {}).get("risk_free", 0.0))


def read_equity(
    folder: Path, *, required: tuple[str, ...] = ("nav", "baseline_nav")
) -> tuple[Dates, dict[str, Float1D]]:
    """Dates and curves of ``equity.csv``: its columns that end in ``nav``, (T,) USD each.

    Raises
    ------
    DataError
        The file is missing or damaged, lacks a required curve, or holds no session.
    """
    dates, columns = read_curves(folder / "equity.csv", required=required)
    return dates, {k: values for k, values in columns.items() if k.endswith("nav")}


def read_curves(path: Path, *, required: tuple[str, ...] = ()) -> tuple[Dates, dict[str, Float1D]]:
    """Dates and all other columns of a CSV file, (T,) each, in the order of the file.

    Raises
    ------
    DataError
        The file is missing or damaged, lacks a required column, or holds no session.
    """
    columns = read_columns(path, ("date", *required))
    dates = _dates(path, columns.pop("date"))
    if not len(dates):
        raise DataError(f"run folder {path.parent}: {path.name} holds no session; {REMEDY}")
    return dates, {k: _floats(path, k, values) for k, values in columns.items()}


def read_report_data(run: Run) -> ReportData:
    """Read the files of a run folder that the report of a backtest shows.

    Raises
    ------
    DataError
        Naming the file that is missing, damaged or of another length than ``equity.csv``.
    """
    folder = run.folder
    dates, equity = read_equity(folder)
    sleeves = read_columns(folder / "sleeves.csv", ("date",))
    regime = read_columns(folder / "regime.csv", ("date", "held"))
    for name, columns in (("sleeves.csv", sleeves), ("regime.csv", regime)):
        if list(columns["date"]) != dates.astype(str).tolist():
            raise DataError(f"run folder {folder}: {name} and equity.csv differ in their dates; {REMEDY}")
    traded, fees = _by_session(folder / "trades.csv", dates)
    return ReportData(
        run=run,
        dates=dates,
        nav=equity["nav"],
        baseline_nav=equity["baseline_nav"],
        held=regime["held"],
        sleeves={
            k: _floats(folder / "sleeves.csv", k, values) for k, values in sleeves.items() if k != "date"
        },
        traded=traded,
        fees=fees,
    )


def read_columns(path: Path, needed: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Columns of a CSV file of a run folder as text.

    Raises
    ------
    DataError
        The file is missing or damaged, or lacks a needed column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise DataError(f"run folder {path.parent}: {path.name} is missing; {REMEDY}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"run folder {path.parent}: {path.name} cannot be read: {error}; {REMEDY}") from None
    header = rows[0] if rows else []
    absent = [name for name in needed if name not in header]
    ragged = next((i for i, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if absent or ragged:
        problem = f"has no column {absent[0]!r}" if absent else f"line {ragged} has another number of values"
        raise DataError(f"run folder {path.parent}: {path.name} {problem}; {REMEDY}")
    values = list(zip(*rows[1:], strict=True)) or [()] * len(header)
    return dict(zip(header, values, strict=True))


def _floats(path: Path, column: str, values: tuple[str, ...]) -> Float1D:
    try:
        return np.array(values, dtype=np.float64)
    except ValueError as error:
        raise DataError(
            f"run folder {path.parent}: {path.name}, column {column}: {error}; {REMEDY}"
        ) from None


def _dates(path: Path, values: tuple[str, ...]) -> Dates:
    try:
        return np.array(values, dtype="datetime64[D]")
    except ValueError as error:
        raise DataError(f"run folder {path.parent}: {path.name}, column date: {error}; {REMEDY}") from None


def _by_session(path: Path, dates: Dates) -> tuple[Float1D, Float1D]:
    """Sum |notional| and fees of all fills, a session."""
    columns = read_columns(path, ("date", "quantity", "price", "fee"))
    days = _dates(path, columns["date"])
    row = np.searchsorted(dates, days)
    if len(days) and (row.max() >= len(dates) or np.any(dates[row] != days)):
        raise DataError(f"run folder {path.parent}: trades.csv has a date that equity.csv has not; {REMEDY}")
    quantity, price, fee = (_floats(path, name, columns[name]) for name in ("quantity", "price", "fee"))
    size = len(dates)
    traded = np.bincount(row, np.abs(quantity) * price, size)
    # bincount of no fills at all is an integer array.
    return traded.astype(np.float64), np.bincount(row, fee, size).astype(np.float64)
