"""What a search leaves behind and the files that hold it; formats as `ares7.run_files`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ares7.arrays import AnyArray
from ares7.run_files import to_json, write_csv, write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """Everything that one search leaves behind.

    Attributes
    ----------
    kind : str
        The verb that made it.
    config_yaml : str
        The resolved configuration.
    digest : str
        Identifies data, settings, code and points.
    strategy : str
    provenance, metrics : mapping
        As in `ares7.run_files.RunResult`; ``metrics["kind"]`` is ``kind``.
    tables : mapping of file stem to columns
        CSV files.
    arrays : mapping of file stem to array
        ``.npy`` files.
    chosen_yaml : str or None
        Configuration of the chosen point, complete: what a backtest, or live trading, would run.
    """

    kind: Literal["grid", "optimize", "ladder", "overlay ablation", "overlay optimize"]
    config_yaml: str
    digest: str
    strategy: str
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Sequence[Any]]]
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)
    chosen_yaml: str | None = None

    @property
    def label(self) -> str:
        """What the run folder is named after."""
        return f"{self.kind}-{Path(self.strategy).name}"


def write_search_files(folder: Path, result: SearchResult, stamp: dt.datetime) -> None:
    """Write ``config.yaml provenance.json metrics.json``, the tables, the arrays and ``chosen.yaml``."""
    provenance = {
        **result.provenance,
        "stamp": stamp.isoformat(timespec="seconds"),
        "strategy": result.strategy,
        "config_hash": result.digest,
    }
    write_text(folder / "config.yaml", result.config_yaml)
    write_text(folder / "provenance.json", to_json(provenance))
    write_text(folder / "metrics.json", to_json(result.metrics))
    for name, columns in result.tables.items():
        write_csv(folder / f"{name}.csv", columns)
    for name, values in result.arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    if result.chosen_yaml is not None:
        write_text(folder / "chosen.yaml", result.chosen_yaml)
