"""Winsorised z-scores and their legs for a CUDA device: `ares7.signals.cross_section`, rulings 16 and 17.

Order statistics are found by counting how many values of a row are smaller, one thread a value: no sorting, no
shared memory. Sums run along a row in one thread, in column order, so that a run repeats to the bit.
"""

from __future__ import annotations

import math
from typing import Any

from ares7.cuda.device import cuda, kernel, on_device
from ares7.signals.cross_section import FLAT

BOUNDS = 4
"""The two sorted values between which the lower quantile lies, then those of the upper one."""


@kernel
def load(values: Any, base: Any, ratio: bool, among: Any, c: int, raw: Any, count: Any) -> None:
    """Put ``values`` (R, N), or their return since ``base``, into column ``c`` of ``raw``; NaN where not ``among``.

    ``raw`` is (C, R, N); ``count`` (C, R) int64, zero before, takes how many values there are.
    """
    rows, names = values.shape
    for i in range(cuda.grid(1), rows * names, cuda.gridsize(1)):
        r, j = i // names, i % names
        value = values[r, j] / base[r, j] - 1.0 if ratio else values[r, j]
        if among[r, j] and math.isfinite(value):
            raw[c, r, j] = value
            cuda.atomic.add(count, (c, r), 1)
        else:
            raw[c, r, j] = math.nan


@on_device
def _place(count: int, q: float, side: int) -> int:
    """Rank of the sorted value below (0) or above (1) a quantile."""
    below = math.floor((count - 1) * q)
    return below if below + side > count - 1 else below + side


@kernel
def find_bounds(raw: Any, count: Any, low: float, high: float, bounds: Any) -> None:
    """Write the order statistics around quantiles ``low`` and ``high`` into ``bounds`` (C, R, 4)."""
    columns, rows, names = raw.shape
    for i in range(cuda.grid(1), columns * rows * names, cuda.gridsize(1)):
        c, r, j = i // (rows * names), i // names % rows, i % names
        value = raw[c, r, j]
        if math.isnan(value):
            continue
        less, equal = 0, 0
        for k in range(names):
            # A missing value is neither.
            less += 1 if raw[c, r, k] < value else 0
            equal += 1 if raw[c, r, k] == value else 0
        for b in range(BOUNDS):
            place = _place(count[c, r], low if b < 2 else high, b % 2)
            if less <= place < less + equal:
                bounds[c, r, b] = value


@on_device
def _quantile(below: float, above: float, count: int, q: float) -> float:
    """Quantile by numpy's method ``linear``."""
    place = (count - 1) * q
    part, gap = place - math.floor(place), above - below
    return above - gap * (1.0 - part) if part >= 0.5 else below + gap * part


@on_device
def _spread(x: Any) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) of what is there; the latter is infinite where all values are equal."""
    count, total, largest = 0, 0.0, 1.0
    for j in range(x.shape[0]):
        if not math.isnan(x[j]):
            count += 1
            total += x[j]
            largest = abs(x[j]) if abs(x[j]) > largest else largest
    if count == 0:
        return 0.0, math.inf
    mean, squares = total / count, 0.0
    for j in range(x.shape[0]):
        if not math.isnan(x[j]):
            squares += (x[j] - mean) * (x[j] - mean)
    spread = math.sqrt(squares / count)
    return mean, math.inf if spread <= FLAT * largest else spread


@kernel
def standardise(
    raw: Any, count: Any, bounds: Any, low: float, high: float, min_names: int, sign: Any
) -> None:
    """Clip every row of ``raw`` to its quantiles and replace it by ``sign`` (C,) times its z-scores."""
    columns, rows, names = raw.shape
    for i in range(cuda.grid(1), columns * rows, cuda.gridsize(1)):
        c, r = i // rows, i % rows
        x, n, b = raw[c, r], count[c, r], bounds[c, r]
        least, most = _quantile(b[0], b[1], n, low), _quantile(b[2], b[3], n, high)
        for j in range(names):
            if n < min_names:
                x[j] = math.nan
            elif x[j] < least:
                x[j] = least
            elif x[j] > most:
                x[j] = most
        mean, spread = _spread(x)
        for j in range(names):
            x[j] = sign[c] * ((x[j] - mean) / spread)


@on_device
def _slot(z: Any, first: int, fallback: int, r: int, j: int) -> float:
    return float(z[fallback, r, j] if math.isnan(z[first, r, j]) else z[first, r, j])


@on_device
def _mean_of_slots(z: Any, first: Any, fallback: Any, r: int, j: int) -> tuple[float, int]:
    """Mean over the slots that a name has, NaN if none, and how many."""
    total, there = 0.0, 0
    for s in range(first.shape[0]):
        value = _slot(z, first[s], fallback[s], r, j)
        if not math.isnan(value):
            total += value
            there += 1
    return (total / there if there > 0 else math.nan), there


@kernel
def add_leg(
    z: Any, first: Any, fallback: Any, min_slots: int, weight: float, mean: Any, score: Any, filled: Any
) -> None:
    """Add ``weight`` times a leg to ``score`` (R, N); ``filled`` (R,) counts names with ``min_slots`` slots.

    ``first`` and ``fallback`` (S,) are the columns of ``z`` (C, R, N) of each slot; ``mean`` (R, N) is scratch. A
    slot has at least the names of either column, so one with too few has none: it needs no limit of its own.
    """
    rows, names = score.shape
    for r in range(cuda.grid(1), rows, cuda.gridsize(1)):
        filled[r] = 0
        for j in range(names):
            mean[r, j], there = _mean_of_slots(z, first, fallback, r, j)
            filled[r] += 1 if there >= min_slots else 0
        centre, spread = _spread(mean[r])
        for j in range(names):
            if not math.isnan(mean[r, j]):
                score[r, j] += weight * ((mean[r, j] - centre) / spread)
