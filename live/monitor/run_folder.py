"""Positions and regime at the end of a run folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from ares7.errors import DataError
from ares7.tearsheet_data import REMEDY, read_columns
from live.monitor.values import Holding, RegimeChange, RegimeState


def holdings_of(folder: Path) -> tuple[dt.date | None, tuple[Holding, ...]]:
    """Return the session of the last target weights, and every name that is held or wanted then.

    Shares are counted in total-return units; there is no price, so no weight of what is held.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    columns = read_columns(folder / "trades.csv", ("symbol", "side", "quantity"))
    shares: dict[str, float] = {}
    try:
        for symbol, side, quantity in zip(
            columns["symbol"], columns["side"], columns["quantity"], strict=True
        ):
            shares[symbol] = shares.get(symbol, 0.0) + float(quantity) * (1 if side == "BUY" else -1)
    except ValueError as error:
        raise DataError(f"run folder {folder}: trades.csv: {error}; {REMEDY}") from None
    decided, targets = _targets(folder / "target_weights.parquet")
    held = {name: round(number, 9) for name, number in shares.items() if round(number, 9)}
    names = sorted({*held, *(name for name, weight in targets.items() if weight)})
    return decided, tuple(
        Holding(name, held.get(name, 0.0), target_weight=targets.get(name, 0.0)) for name in names
    )


def _targets(path: Path) -> tuple[dt.date | None, Mapping[str, float]]:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.ParquetFile(path).read()
        last = {name: table[name][-1].as_py() for name in table.column_names} if len(table) else {}
    except (OSError, ArrowException) as error:
        raise DataError(
            f"run folder {path.parent}: {path.name} cannot be read: {' '.join(str(error).split())[:120]}; {REMEDY}"
        ) from None
    day = last.pop("date", None)
    weights = {name: float(weight) for name, weight in last.items() if weight is not None}
    return (None if day is None else dt.date.fromisoformat(str(day)[:10])), weights


def regime_of(folder: Path, recent: int) -> RegimeState | None:
    """Return the regime of the last session and its latest changes; None without a session.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    columns = read_columns(folder / "regime.csv", ("date", "raw", "held"))
    days = [dt.date.fromisoformat(day) for day in columns["date"]]
    held = columns["held"]
    if not days:
        return None
    changes = [
        RegimeChange(days[row], held[row - 1], held[row])
        for row in range(1, len(days))
        if held[row] != held[row - 1]
    ]
    return RegimeState(days[-1], columns["raw"][-1], held[-1], {}, tuple(changes[-recent:]))
