"""What a run leaves behind and the files that hold it: columns, number formats, JSON.

Floats are written by ``repr``, so that they read back exactly; CSV dates are ISO session dates.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Dates, Float1D, Float2D, Int1D, Label1D
from ares7.ledger import Fills, OrderKind, Orders, OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Everything that one backtest leaves behind.

    Attributes
    ----------
    config_yaml : str
        The resolved configuration.
    digest : str
        Hash of the settings that change results (`ares7.config.Config.digest`).
    strategy, baseline : str
        Names from the configuration.
    provenance : mapping
        Versions, commit, data hashes, seeds, trials, duration; JSON values.
    metrics : mapping
        The figures; NaN and infinities become null.
    dates : (T,) datetime64[D]
        Sessions from start to end.
    nav, cash, gross, baseline_nav : (T,) float64
        At the close of each session: USD, USD, fraction of NAV, USD.
    target_weights : (T, N) float64
        Fractions of NAV decided at close t or repeated from the last decision; cash is what is missing to 1.
    fills, orders
        The record of `ares7.ledger.Ledger`, whose ``reference`` is ``order_reference``.
    regime_raw, regime_held : (T,) int8
        `ares7.signals.regime.Regime` labels known at close t.
    sleeves : mapping of str to (T,) float64
        Fraction of NAV held in each sleeve at close t, cash included.
    kind : str
        The verb that made it.
    tables : mapping of file stem to columns
        Further CSV files.
    """

    config_yaml: str
    digest: str
    strategy: str
    baseline: str
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    dates: Dates
    nav: Float1D
    cash: Float1D
    gross: Float1D
    baseline_nav: Float1D
    symbols: tuple[str, ...]
    target_weights: Float2D
    fills: Fills
    orders: Orders
    order_reference: Callable[[int], str]
    regime_raw: Label1D
    regime_held: Label1D
    sleeves: Mapping[str, Float1D]
    kind: str = "backtest"
    tables: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the run folder is named after."""
        return self.strategy if self.kind == "backtest" else f"{self.kind}-{Path(self.strategy).name}"


def write_files(folder: Path, result: RunResult, stamp: dt.datetime) -> None:
    """Write every file of docs/guide.md but the report into an existing folder.

    Columns beyond the design: ``orders.csv`` has ``date,symbol,side,quantity,close,kind,status,resolved,
    order_ref`` (date of the decision; total-return close; empty ``resolved`` while an order waits) and
    ``sleeves.csv`` one column a sleeve. Quantities are positive; ``side`` is BUY or SELL.
    """
    provenance = {
        **result.provenance,
        "stamp": stamp.isoformat(timespec="seconds"),
        "strategy": result.strategy,
        "config_hash": result.digest,
    }
    write_text(folder / "config.yaml", result.config_yaml)
    write_text(folder / "provenance.json", to_json(provenance))
    write_text(folder / "metrics.json", to_json(result.metrics))
    days = result.dates.astype("datetime64[D]").astype(str).tolist()
    series = {
        "nav": result.nav,
        "cash": result.cash,
        "gross": result.gross,
        "baseline_nav": result.baseline_nav,
    }
    write_csv(folder / "equity.csv", {"date": days, **{k: v.tolist() for k, v in series.items()}})
    write_csv(folder / "sleeves.csv", {"date": days, **{k: v.tolist() for k, v in result.sleeves.items()}})
    regimes = {"raw": result.regime_raw, "held": result.regime_held}
    write_csv(folder / "regime.csv", {"date": days, **{k: _regime_names(v) for k, v in regimes.items()}})
    references = [result.order_reference(number) for number in range(len(result.orders.decided))]
    write_csv(folder / "trades.csv", _trade_columns(result.fills, references))
    write_csv(folder / "orders.csv", _order_columns(result.orders, references))
    for name, columns in result.tables.items():
        write_csv(folder / f"{name}.csv", columns)
    _write_weights(folder / "target_weights.parquet", result)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends."""
    path.write_text(text, encoding="utf-8", newline="\n")


def to_json(value: Any) -> str:
    """Return JSON with sorted keys; NaN and infinities are null, numpy values are plain ones."""
    return json.dumps(_plain(value), sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path | dt.date):
        return str(value)
    return value


def write_csv(path: Path, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write columns of plain Python values; csv writes floats by repr, which reads back exactly."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _regime_names(labels: Label1D) -> list[str]:
    from ares7.activity import regime_name

    names = {label: regime_name(label) for label in np.unique(labels).tolist()}
    return [names[label] for label in labels.tolist()]


def _side_and_size(quantity: Float1D) -> dict[str, list[Any]]:
    return {"side": np.where(quantity < 0, "SELL", "BUY").tolist(), "quantity": np.abs(quantity).tolist()}


def _symbols(index: AnyArray, symbols: tuple[str, ...]) -> list[str]:
    return [symbols[i] for i in index.tolist()]


def _names(kind: type[IntEnum], values: Int1D) -> list[str]:
    names = {int(member): member.name for member in kind}
    return [names[value] for value in values.tolist()]


def _trade_columns(fills: Fills, references: list[str]) -> dict[str, Iterable[Any]]:
    return {
        "date": fills.date.astype(str).tolist(),
        "symbol": _symbols(fills.symbol, fills.symbols),
        **_side_and_size(fills.quantity),
        "price": fills.price.tolist(),
        "fee": fills.fee.tolist(),
        "order_ref": [references[number] for number in fills.order.tolist()],
    }


def _order_columns(orders: Orders, references: list[str]) -> dict[str, Iterable[Any]]:
    return {
        "date": orders.decided.astype(str).tolist(),
        "symbol": _symbols(orders.symbol, orders.symbols),
        **_side_and_size(orders.quantity),
        "close": orders.close.tolist(),
        "kind": _names(OrderKind, orders.kind),
        "status": _names(OrderStatus, orders.status),
        "resolved": ["" if day == "NaT" else day for day in orders.resolved.astype(str).tolist()],
        "order_ref": references,
    }


def _write_weights(path: Path, result: RunResult) -> None:
    """Write the table by pyarrow alone: importing pandas takes longer than the rest of the run folder."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def column(kind: Any, values: AnyArray) -> Any:
        # From the buffer: pyarrow's own conversion of a numpy array imports pandas.
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])

    columns = [column(pa.float64(), values) for values in np.ascontiguousarray(result.target_weights.T)]
    names = [*result.symbols, "date"]
    dates = column(pa.timestamp("ms"), result.dates.astype("datetime64[s]").astype("datetime64[ms]"))
    # What pandas reads to make the date the index.
    described = {"index_columns": ["date"], "column_indexes": [], "columns": [_described(n) for n in names]}
    schema = pa.table([*columns, dates], names=names)
    parquet.write_table(schema.replace_schema_metadata({"pandas": json.dumps(described)}), path)


def _described(name: str) -> dict[str, Any]:
    kind = ("datetime", "datetime64[ms]") if name == "date" else ("float64", "float64")
    return {"name": name, "field_name": name, "pandas_type": kind[0], "numpy_type": kind[1], "metadata": None}
