"""The points of a search: which parameters they are, which of them are the same, and how one becomes a plan."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares7.arrays import Int1D
from ares7.book import Plan, planned
from ares7.config import Config
from ares7.grid import Grid, require_usable, settings_at
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.progress import progress
from ares7.stages import Memo
from ares7.trials_records import canonical, params_hash
from feeds.backtest import own_code, usable_targets
from feeds.engines import Chosen
from feeds.study import require_margin

SHOWN = 20_000
"""The validation of more points than this shows how far it has come."""


class PointTexts:
    """Canonical JSON of points that share most parameters with one another; what is shared is written once.

    Parameters
    ----------
    base : BookParams
        Points hold its values, as objects, wherever no axis changes them.
    """

    def __init__(self, base: BookParams) -> None:
        self._shared = {name: (value, self._part(base, name)) for name, value in base}

    def text(self, settings: BookParams) -> str:
        """Return `ares7.trials_records.canonical` of the JSON form of ``settings``."""
        parts = []
        for name, value in settings:
            shared, part = self._shared[name]
            parts.append(f"{json.dumps(name)}:{part if value is shared else self._part(settings, name)}")
        return "{" + ",".join(sorted(parts)) + "}"

    def several(self, settings: Iterable[BookParams]) -> list[str]:
        """Return the text of each."""
        return [self.text(one) for one in settings]

    @staticmethod
    def _part(settings: BookParams, name: str) -> str:
        return canonical(settings.model_dump(mode="json", include={name}))[len(json.dumps(name)) + 2 : -1]


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a grid and which of them are the same.

    Attributes
    ----------
    grid : Grid
    chosen : Chosen
        Strategy and base parameters.
    hashes : tuple of D str
        `ares7.trials.params_hash` of each distinct point.
    unique : (D,) int64
        Number of the first point with these parameters.
    place : (P,) int64
        Row of each point among the distinct ones; -1 for a point that was not reached.
    """

    grid: Grid
    chosen: Chosen
    hashes: tuple[str, ...]
    unique: Int1D
    place: Int1D
    texts: PointTexts = field(repr=False)

    def settings(self, row: int) -> BookParams:
        """Return the parameters of a distinct point."""
        own = self.chosen.settings
        found = settings_at(self.grid, int(self.unique[row]), type(own), dict(own), self.chosen.name)
        return found  # type: ignore[return-value]

    def several(self, rows: Int1D) -> list[BookParams]:
        """Return the parameters of distinct points."""
        return [self.settings(row) for row in rows.tolist()]

    def only(self, rows: Int1D) -> Points:
        """Return what is left where only these distinct points were reached."""
        new = np.full(len(self.hashes), -1, dtype=np.int64)
        new[rows] = np.arange(len(rows))
        hashes = tuple(self.hashes[row] for row in rows.tolist())
        return Points(self.grid, self.chosen, hashes, self.unique[rows], new[self.place], self.texts)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the hungriest points of a grid need: inputs beyond prices, rows of warm-up."""

    inputs: frozenset[str]
    warmup: int


def numbered(config: Config, grid: Grid, chosen: Chosen, *, allowed: bool) -> tuple[Points, Needs]:
    """Validate every point of a grid and find the distinct ones.

    Parameters
    ----------
    allowed : bool
        See `ares7.grid.require_usable`.

    Raises
    ------
    ConfigError
    """
    own, name = chosen.settings, chosen.name
    base, model = dict(own), type(own)
    require_usable(grid, model, base, name, allowed=allowed)
    texts = PointTexts(own)
    place = np.empty(len(grid), np.int64)
    unique: list[int] = []
    rows: dict[str, int] = {}
    inputs, warmup = own.requires, 0
    shown = len(grid) > SHOWN
    with progress("points checked", len(grid)) if shown else nullcontext(lambda n: None) as step:
        for point in range(len(grid)):
            settings: Any = settings_at(grid, point, model, base, name)
            digest = params_hash(name, texts.text(settings))
            if digest not in rows:
                rows[digest] = len(unique)
                unique.append(point)
                require_margin(config, settings)
                inputs, warmup = inputs | settings.requires, max(warmup, settings.warmup)
            place[point] = rows[digest]
            step(1)
    found = Points(grid, chosen, tuple(rows), np.array(unique, np.int64), place, texts)
    return found, Needs(inputs, warmup)


def plan_of(strategy: type[Any], name: str) -> Any:
    """Return the strategy's plan function; of one that has only ``weights``, its target rows as a plan."""
    if strategy.plan is not None:

        def planned_out(panel: Panel, params: BookParams, memo: Memo) -> Plan:
            found: Plan = own_code(name, strategy.plan, panel, params, memo)
            return found

        return planned_out

    def written_out(panel: Panel, params: BookParams, memo: Memo) -> Plan:
        targets = own_code(name, strategy.weights, panel, params)
        return planned(panel, usable_targets(panel, targets, params, name))

    return written_out
