"""One call of the daily job or of a step of it: with what it works, what it stages and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.config import Config
from ares7.overlay.params import OverlayParams
from ares7.provenance import code_digest, versions
from ares7.stages import Remembered
from feeds.engines import Chosen
from live.daily.acting_session import Acting
from live.daily.market import Market, load_market
from live.daily.outputs import Outputs, csv_bytes

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One call: what is to be done, with what, and where it is written and told.

    Attributes
    ----------
    config : Config
    chosen : Chosen
        The strategy, with the overlays of the job where it takes any.
    overlay : OverlayParams
        Engines and settings of the job.
    acting : Acting
    outputs : Outputs
    root : Path
        Folder of the project.
    plain, demo : bool
    accept_undated : bool
        A base that does not say its date is taken for the session's.
    listeners : list of callable
        Get every line that a log should have.
    """

    config: Config
    chosen: Chosen
    overlay: OverlayParams
    acting: Acting
    outputs: Outputs
    root: Path
    plain: bool = False
    demo: bool = False
    accept_undated: bool = True
    listeners: list[Say] = field(default_factory=list)

    @cached_property
    def market(self) -> Market:
        """Data up to the session, loaded once."""
        return load_market(self.config, self.acting)

    @cached_property
    def memo(self) -> Remembered:
        """Stages that were computed, for all steps."""
        return Remembered()

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines with a weight."""
        return tuple(name for name in self.overlay.engines if getattr(self.overlay.weights, name) > 0)

    def say(self, text: str) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(text)

    def again(self, *step: str) -> str:
        """Remedy of a file that is missing or of another session."""
        demo = " --demo" if self.demo else ""
        return (
            f"run 'python run.py overlay {' '.join(step)} --date {self.acting.as_of}{demo}' or "
            f"'python run.py daily --date {self.acting.as_of}{demo}'"
        )

    def sidecar(self, kind: str, mode: str, **content: Any) -> dict[str, Any]:
        """Fields that every sidecar has, and ``content``. No clock: the same inputs give the same bytes."""
        return {
            "kind": kind,
            "as_of": self.acting.as_of,
            "effective": self.acting.effective,
            "mode": "demo" if self.demo else mode,
            "plain": self.plain,
            "config_hash": self.config.digest(),
            "versions": versions() | {"code": code_digest(self.root)},
            "warnings": [],
            **content,
        }


@dataclass(frozen=True, slots=True)
class Made:
    """What a step staged.

    Attributes
    ----------
    name : str
        Of the CSV.
    sidecar : mapping
    """

    name: str
    sidecar: Mapping[str, Any]

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Of its sidecar."""
        found: Mapping[str, Any] = self.sidecar["statistics"]
        return found


def statistics(values: Float1D) -> dict[str, float | int | None]:
    """Count, extremes, mean, standard deviation (ddof 0) and sum of absolute values; null of nothing."""
    if len(values) == 0:
        return {"symbols": 0, "min": None, "max": None, "mean": None, "std": None, "sum_abs": 0.0}
    found = {"min": values.min(), "max": values.max(), "mean": values.mean(), "std": values.std()}
    sums = {"sum_abs": float(np.abs(values).sum())}
    return {"symbols": len(values), **{k: float(v) for k, v in found.items()}, **sums}


def shown_range(found: Mapping[str, Any]) -> str:
    """``[smallest, largest]`` for a log."""
    if not found["symbols"]:
        return "[none]"
    return f"[{found['min']:+.6f}, {found['max']:+.6f}]"


def staged(job: Job, name: str, columns: Mapping[str, Sequence[Any]], sidecar: Mapping[str, Any]) -> Made:
    """Stage a CSV and its sidecar, and tell its warnings."""
    for text in sidecar["warnings"]:
        job.say(f"WARNING {text}")
    job.outputs.stage(name, csv_bytes(columns), sidecar)
    return Made(name, sidecar)
