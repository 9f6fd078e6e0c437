"""Quality-momentum scores on a CUDA device, equal to the CPU's to 1e-12 (rulings 16 and 17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D
from ares7.book import month_end_rows
from ares7.cuda.device import cuda, launch_for, require_device, require_room
from ares7.cuda.score_kernel import BOUNDS, add_leg, find_bounds, load, standardise
from ares7.panel import Panel

Slot = tuple[str, str | None, float]
"""Column, fallback column, sign."""


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """Scores at R month ends.

    Attributes
    ----------
    rows : (R,) int64
    eligible : (R, N) bool
        Close at t and at t minus the longest period, member at t, a stock.
    score : (R, N)
        0 is neutral.
    coverage : (R,) fraction
        Eligible names with at least ``min_slots`` slots.
    """

    rows: Int1D
    eligible: Bool2D
    score: Float2D
    coverage: Float1D


class DeviceScores:
    """Month ends of one panel on the device, for scores with any parameters.

    Only month ends are sent, each field and each earlier close once. Threads may share it; they take turns.

    Parameters
    ----------
    panel : Panel

    Raises
    ------
    ServiceUnavailable
        There is no device.
    """

    def __init__(self, panel: Panel) -> None:
        require_device()
        self.panel = panel
        self._ends = month_end_rows(panel)
        self._sent: dict[tuple[str, int], Any] = {}
        self._lock = Lock()

    def scores(
        self,
        *,
        slots: Sequence[Slot],
        quality_weight: float,
        momentum_weight: float,
        periods: Sequence[int],
        skip: int,
        tail: float,
        min_names: int,
        min_slots: int,
    ) -> ScoreRows:
        """Score every name at every month end with enough history.

        Parameters
        ----------
        slots : sequence of (column, fallback column or None, sign)
            Quality; not read where ``quality_weight`` is 0.
        periods, skip : sessions
            Momentum.
        tail : float
            Values are clipped to this quantile and to 1 minus it.
        min_names : int
            A column or slot with fewer names is missing.
        min_slots : int
            For the coverage.

        Raises
        ------
        MissingData
            The panel has no such column.
        ConfigError
            The month ends do not fit into the device's memory.
        """
        quality = list(slots) if quality_weight > 0 else []
        with self._lock:
            work = _Columns(self, max(periods), quality, tuple(periods), skip)
            work.standardise(tail, min_names)
            covered = work.add_leg(work.slots, quality_weight, min_slots) if quality else 0
            work.add_leg(work.momenta, momentum_weight, 1)
            score = work.score.copy_to_host()
        coverage = np.zeros(len(work.rows)) + covered / np.maximum(work.eligible.sum(axis=1), 1)
        return ScoreRows(work.rows, work.eligible, score, coverage)

    def sent(self, name: str, back: int) -> Any:
        """(M, N) values of a field ``back`` sessions before each month end; NaN before row 0."""
        key = (name, back)
        if key not in self._sent:
            values = self.panel.field(name)[np.maximum(self._ends - back, 0)]
            values[self._ends < back] = np.nan
            require_room(values.nbytes, f"{name} at the month ends")
            self._sent[key] = cuda.to_device(np.ascontiguousarray(values))
        return self._sent[key]


class _Columns:
    """Source columns of one computation and what is made of them."""

    def __init__(
        self, owner: DeviceScores, longest: int, quality: list[Slot], periods: tuple[int, ...], skip: int
    ) -> None:
        panel = owner.panel
        close, self.rows = panel.fields["close"], month_end_rows(panel, longest + 1)
        self.eligible = np.isfinite(close[self.rows]) & np.isfinite(close[self.rows - longest])
        self.eligible &= panel.member[self.rows] & panel.is_stock
        sources: list[tuple[str, int, int | None]] = []
        signs: list[float] = []
        self.slots: list[tuple[int, int]] = []
        for column, fallback, sign in quality:
            names = [name for name in (column, fallback) if name is not None]
            self.slots.append((len(sources), len(sources) + len(names) - 1))
            sources += [(name, 0, None) for name in names]
            signs += [sign] * len(names)
        self.momenta = [(len(sources) + c, len(sources) + c) for c in range(len(periods))]
        sources += [("close", skip, period) for period in periods]
        self.sign = cuda.to_device(np.array(signs + [1.0] * len(periods)))
        count, shape = len(sources), self.eligible.shape
        require_room(8 * (count + 3) * shape[0] * shape[1], "the scores")
        self.z = cuda.device_array((count, *shape))
        self.count = cuda.to_device(np.zeros((count, shape[0]), dtype=np.int64))
        self.score = cuda.to_device(np.zeros(shape))
        self._mean = cuda.device_array(shape)
        among, first = cuda.to_device(self.eligible), len(owner._ends) - shape[0]
        for c, (name, back, since) in enumerate(sources):
            values = owner.sent(name, back)[first:]
            base = values if since is None else owner.sent("close", since)[first:]
            load[launch_for(self.eligible.size)](
                values, base, since is not None, among, c, self.z, self.count
            )

    def standardise(self, tail: float, min_names: int) -> None:
        """Turn the columns into winsorised z-scores."""
        columns, rows, names = self.z.shape
        bounds = cuda.to_device(np.zeros((columns, rows, BOUNDS)))
        limits = float(tail), 1.0 - float(tail)
        find_bounds[launch_for(columns * rows * names)](self.z, self.count, *limits, bounds)
        standardise[launch_for(columns * rows)](self.z, self.count, bounds, *limits, min_names, self.sign)

    def add_leg(self, slots: list[tuple[int, int]], weight: float, min_slots: int) -> Int1D:
        """Add a leg to the score; returns (R,) names with enough slots."""
        first, fallback = (cuda.to_device(np.array(part)) for part in zip(*slots, strict=True))
        rows = len(self.rows)
        filled = cuda.device_array(rows, np.int64)
        add_leg[launch_for(rows)](
            self.z, first, fallback, min_slots, float(weight), self._mean, self.score, filled
        )
        return np.asarray(filled.copy_to_host())
