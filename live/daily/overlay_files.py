"""Names, columns and strict reading of the production files, those of the original system included.

Every file is a CSV, beside which our own have a JSON sidecar (`live.daily.outputs`). A file says its date by a column
``date`` or by its sidecar; the original's say none and are called undated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.errors import DataError, MissingData, StaleData
from live.daily.acting_session import Acting
from live.daily.outputs import read_sidecar, sha256

WEIGHTS_COLUMNS = ("date", "symbol", "weight_base", "tilt_final", "weight_final")


def tilt_name(engine: str, *, demo: bool = False) -> str:
    """File of one engine's latest tilts. No pattern of a production name finds a demo file."""
    return f"{engine}_overlay_{'demo' if demo else 'latest'}.csv"


def blend_name(stamp: str, *, demo: bool = False) -> str:
    """File of the blend of one session, ``YYYYMMDD``."""
    return f"wavelet_pead_overlay_{'demo' if demo else 'prod'}_{stamp}.csv"


def weights_name(stamp: str, *, demo: bool = False) -> str:
    """File of the final weights of one session, ``YYYYMMDD``."""
    return f"ares7_{'demo' if demo else 'final'}_weights_{stamp}.csv"


@dataclass(frozen=True, slots=True)
class Named:
    """One number a symbol, as a file gives them.

    Attributes
    ----------
    path : Path
    symbols : tuple of R str
        Distinct, in the file's order.
    values : (R,) float64
        Finite.
    as_of : datetime64[D] or None
        None for a file that does not say its date.
    sha256 : str
    sidecar : mapping
        Empty without one.
    """

    path: Path
    symbols: tuple[str, ...]
    values: Float1D
    as_of: np.datetime64 | None
    sha256: str
    sidecar: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_symbol(self) -> dict[str, float]:
        """Value of each symbol."""
        return dict(zip(self.symbols, self.values.tolist(), strict=True))


def read_tilts(path: Path, columns: Sequence[str], acting: Acting, remedy: str) -> Named:
    """Read an overlay file of the session.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Names that the column of tilts may have, the preferred one first.
    acting : Acting
    remedy : str
        What makes the file.

    Raises
    ------
    MissingData
        No file, or none of the columns.
    StaleData
        It is dated before the session.
    DataError
        It is dated after it or with several dates, names a symbol twice, holds what is no finite number, or does
        not belong to its sidecar.
    """
    if not path.exists():
        raise MissingData(f"overlay file {path} does not exist; {remedy}")
    sidecar = read_sidecar(path)
    days, symbols, values = _columns(path, columns)
    _require_distinct(path, symbols)
    _require_finite(path, symbols, values, "tilt")
    as_of = _only_day(path, days) if days is not None else _day_of(sidecar)
    _require_session(path, as_of, acting, remedy)
    return Named(path, symbols, values, as_of, sha256(path), sidecar or {})


def read_base(path: Path, acting: Acting, *, plain: bool = False) -> Named:
    """Read a file of base weights, fractions of NAV.

    Of a file with dates, the rows of the latest one up to the session are used.

    Parameters
    ----------
    plain : bool
        Neither negative weights nor their sum are looked at.

    Raises
    ------
    MissingData, StaleData, DataError
        As `read_tilts`; also for a negative weight, and for weights that sum to more than 1.
    """
    if not path.exists():
        raise MissingData(f"base weights {path} do not exist; correct daily.base")
    sidecar = read_sidecar(path)
    days, symbols, values = _columns(path, ("weight",))
    as_of = _day_of(sidecar)
    if days is not None:
        as_of = _latest_day(path, days, acting)
        keep = np.flatnonzero(days == as_of)
        symbols, values = tuple(symbols[k] for k in keep), values[keep]
    _require_distinct(path, symbols)
    _require_finite(path, symbols, values, "weight")
    _require_session(path, as_of, acting, "write the weights of that session")
    if not plain:
        _require_long_only(path, symbols, values)
    return Named(path, symbols, values, as_of, sha256(path), sidecar or {})


def _columns(path: Path, columns: Sequence[str]) -> tuple[Dates | None, tuple[str, ...], Float1D]:
    # Imported here: pandas takes longer to import than a small file to read.
    from feeds.tables import read_table

    frame = read_table(path, ("symbol",), dates=("date",), numbers=tuple(columns))
    column = next((name for name in columns if name in frame), None)
    if column is None:
        wanted = " or ".join(columns)
        raise MissingData(f"{path} lacks the column {wanted}; add or rename it")
    days = frame["date"].to_numpy().astype("datetime64[D]") if "date" in frame else None
    if days is not None and np.isnat(days).any():
        raise DataError(f"{path}: data row {int(np.isnat(days).argmax()) + 1} has no date; complete it")
    symbols = tuple(frame["symbol"])
    if "" in symbols:
        raise DataError(f"{path}: data row {symbols.index('') + 1} has no symbol; complete or remove it")
    return days, symbols, np.ascontiguousarray(frame[column].to_numpy(), dtype=np.float64)


def _require_distinct(path: Path, symbols: tuple[str, ...]) -> None:
    twice = sorted(symbol for symbol, count in Counter(symbols).items() if count > 1)
    if twice:
        raise DataError(
            f"{path} names {len(twice)} symbols twice ({', '.join(twice[:5])}); keep one row of each"
        )


def _require_finite(path: Path, symbols: tuple[str, ...], values: Float1D, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{path}: the {what} of {symbols[bad[0]]} is {values[bad[0]]} ({len(bad)} such rows); write a number or "
            "remove the row"
        )


def _require_long_only(path: Path, symbols: tuple[str, ...], weights: Float1D) -> None:
    negative = np.flatnonzero(weights < 0)
    if len(negative):
        raise DataError(
            f"{path}: the weight of {symbols[negative[0]]} is {weights[negative[0]]} ({len(negative)} negative "
            "weights); base weights are fractions of NAV of at least 0"
        )
    if weights.sum() > 1 + 1e-6:
        raise DataError(
            f"{path}: the weights sum to {weights.sum():.6f}, above 1; write fractions of NAV, not percent, and "
            "no more than all of it"
        )


def _only_day(path: Path, days: Dates) -> np.datetime64:
    distinct = np.unique(days)
    if len(distinct) > 1:
        raise DataError(
            f"{path} holds several dates ({distinct[0]} to {distinct[-1]}); an overlay file is of one session"
        )
    day: np.datetime64 = distinct[0]
    return day


def _latest_day(path: Path, days: Dates, acting: Acting) -> np.datetime64:
    if days.max() > acting.today:
        raise DataError(f"{path} holds the date {days.max()}, which is in the future; correct it")
    known = days[days <= acting.as_of]
    if len(known) == 0:
        raise DataError(
            f"{path} holds no date up to {acting.as_of}; the first is {days.min()}; add the weights of {acting.as_of}"
        )
    day: np.datetime64 = known.max()
    return day


def _day_of(sidecar: Mapping[str, Any] | None) -> np.datetime64 | None:
    return np.datetime64(sidecar["as_of"], "D") if sidecar and sidecar.get("as_of") else None


def _require_session(path: Path, day: np.datetime64 | None, acting: Acting, remedy: str) -> None:
    if day is None or day == acting.as_of:
        return
    if day > acting.as_of:
        raise DataError(
            f"{path} is of {day}, in the future of session {acting.as_of}; {remedy}, or act on {day}"
        )
    raise StaleData(f"{path} is stale: it is of {day}, and the session is {acting.as_of}; {remedy}")
