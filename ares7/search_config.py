"""Settings of searches: which points, how they are judged, which one is chosen."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ares7.overlay.params import Engine
from ares7.selection import WALK_FORWARD, SelectionConfig


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FoldsConfig(_Section):
    """Purged cross-validation, plain and combinatorial, of the rows before the earliest OOS window."""

    folds: int = Field(default=5, ge=2, le=100)
    purge: int = Field(default=21, ge=0, le=260)
    """Sessions left out between train and test rows: how far a decision reaches (a month)."""
    embargo: int = Field(default=5, ge=0, le=260)
    """Further sessions left out behind test rows."""
    groups: int = Field(default=8, ge=3, le=16)
    """Groups of the combinatorial form."""
    test_groups: int = Field(default=2, ge=1, le=8)


class WalkForwardConfig(_Section):
    """Re-optimisation every 1 January."""

    train_years: int = Field(default=5, ge=1, le=40)
    test_years: int = Field(default=1, ge=1, le=10)
    anchored: bool = False
    """True: every train window begins with the data, instead of rolling."""
    purge: int = Field(default=1, ge=0, le=260)
    embargo: int = Field(default=0, ge=0, le=260)
    first: int | None = Field(default=None, ge=1900, le=2200)
    """First and last test year; null: all that the data allow."""
    last: int | None = Field(default=None, ge=1900, le=2200)
    selection: SelectionConfig = WALK_FORWARD


class BootstrapConfig(_Section):
    """Stationary bootstrap of intervals and of the tests against the baseline."""

    draws: int = Field(default=1000, ge=100, le=100_000)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    seed: int = Field(default=7, ge=0)


class OptimizeConfig(_Section):
    """Sleeve weights per regime."""

    method: Literal["cvar", "max_sharpe", "min_variance", "risk_parity"] = "cvar"
    cap: float = Field(default=1.0, gt=0, le=1)
    """Highest fraction of the book in one sleeve."""
    alpha: float = Field(default=0.95, gt=0.5, lt=1)
    """Confidence level of CVaR."""
    min_sessions: int = Field(default=60, ge=10)
    """A regime with fewer train sessions keeps the mix of the preset."""


class StudyWindow(_Section):
    """Both dates inclusive."""

    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _ordered(self) -> StudyWindow:
        if self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self


class OverlayStudyConfig(_Section):
    """What ``overlay ablation`` and ``overlay optimize`` compare, and when: the original optimiser's windows."""

    train: StudyWindow = StudyWindow(start=dt.date(2016, 1, 1), end=dt.date(2019, 12, 31))
    validation: StudyWindow = StudyWindow(start=dt.date(2020, 1, 1), end=dt.date(2021, 12, 31))
    test: StudyWindow = StudyWindow(start=dt.date(2022, 1, 1), end=dt.date(2024, 12, 31))
    engines: tuple[Engine, ...] = Field(default=("wavelet", "pead", "momentum", "macd"), min_length=1)
    """Run alone by the ablation, beside those of the blend; buyback too where the data have it."""

    @model_validator(mode="after")
    def _one_after_the_other(self) -> OverlayStudyConfig:
        if not self.train.end < self.validation.start <= self.validation.end < self.test.start:
            raise ValueError(
                "train, validation and test must follow each other without a shared day; got "
                + ", ".join(f"{name} {w.start} to {w.end}" for name, w in self.windows.items())
            )
        if len(set(self.engines)) != len(self.engines):
            raise ValueError(f"an engine is named twice in {list(self.engines)}")
        return self

    @property
    def windows(self) -> dict[str, StudyWindow]:
        """By name, in order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class SearchConfig(_Section):
    """Everything that ``grid``, ``walkforward`` and ``optimize`` read.

    A key that is no setting of this section is an axis of the grid: ``search.quality_momentum.top_frac: [.1, .2]``
    is short for ``search.grid: {quality_momentum.top_frac: [.1, .2]}``.
    """

    preset: str | None = None
    """A grid that the strategy names; read unless ``grid`` has axes. Null: its first one."""
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Dotted field of the strategy's parameters: values."""
    normalised: tuple[str, ...] = ()
    """Dotted prefixes whose axes are rescaled to sum to 1."""
    selection: SelectionConfig = SelectionConfig()
    folds: FoldsConfig = FoldsConfig()
    walkforward: WalkForwardConfig = WalkForwardConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    optimize: OptimizeConfig = OptimizeConfig()
    overlay_study: OverlayStudyConfig = OverlayStudyConfig()
    pbo_blocks: int = Field(default=16, ge=4, le=20)
    """Blocks of the combinatorially symmetric cross-validation; an even number."""
    workers: int = Field(default=2, ge=1, le=1024)
    """Threads; processes with --workers."""
    ledger: Path | None = None
    """Every point ever evaluated; null: trials.sqlite in runs.folder."""

    @model_validator(mode="before")
    @classmethod
    def _axes(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = {name: item for name, item in value.items() if name in cls.model_fields}
        grid = known.get("grid")
        named = [
            *(grid.items() if isinstance(grid, dict) else ()),
            *(i for i in value.items() if i[0] not in known),
        ]
        axes = {name: values for key, item in named for name, values in _flat(key, item).items()}
        if axes:
            known["grid"] = {name: _values(item) for name, item in axes.items()}
        return known

    @model_validator(mode="after")
    def _even_blocks(self) -> SearchConfig:
        if self.pbo_blocks % 2:
            raise ValueError(f"pbo_blocks is {self.pbo_blocks}; half of them train, so it must be even")
        return self


def _flat(name: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {name: item}
    if not item:
        return {name: ()}
    return {
        key: value for inner, child in item.items() for key, value in _flat(f"{name}.{inner}", child).items()
    }


def _values(item: Any) -> Any:
    """``0.1,0.2`` as --set gives it, a list, or one value."""
    if isinstance(item, str):
        import yaml

        try:
            return tuple(yaml.safe_load(part) for part in item.split(",") if part.strip())
        except yaml.YAMLError:
            raise ValueError(
                f"the values {item!r} are not valid YAML; give a list, for example [0.1, 0.2]"
            ) from None
    return tuple(item) if isinstance(item, list | tuple) else (item,)
