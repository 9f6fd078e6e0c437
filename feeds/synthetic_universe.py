"""Who is in the synthetic market: names, sectors, sensitivities, listings, gaps, index membership.

Everything here is drawn before, and independently of, any return, so that neither a listing nor a delisting
nor an entry into the index says anything about what follows.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool2D, Float1D, Int1D

SECTORS = (
    "Communication Services",
    "Consumer Discretionary",
    "Consumer Staples",
    "Energy",
    "Financials",
    "Health Care",
    "Industrials",
    "Information Technology",
    "Materials",
    "Real Estate",
    "Utilities",
)
LATE_SHARE = 0.15
DELISTED_SHARE = 0.12
GAP_SHARE = 0.04
GAPS_A_NAME = 3
MEMBER_SHARE = 0.9
JOINER_SHARE, LEAVER_SHARE = 0.15, 0.15


def stream(seed: int, part: str) -> np.random.Generator:
    """Return the generator of one part of the market, so that parts do not disturb each other's draws."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


@dataclass(frozen=True, slots=True)
class Universe:
    """The stocks of a synthetic market.

    Attributes
    ----------
    names : tuple of N str
        Sorted.
    sector : (N,) int64
        Index into `SECTORS`.
    beta : (N,) float64
        Sensitivity to the market, constant; mean about 1.
    idio_vol, dividend_yield : (N,) float64
        A year, fractions.
    first, last : (N,) int64
        Rows of the first and the last bar.
    listed : (T, N) bool
        From the first to the last bar.
    bar : (T, N) bool
        Listed and not in a gap.
    members : tuple of (name index, first row, last row)
        Index membership, rows inclusive; last row -1 means still a member.
    """

    names: tuple[str, ...]
    sector: Int1D
    beta: Float1D
    idio_vol: Float1D
    dividend_yield: Float1D
    first: Int1D
    last: Int1D
    listed: Bool2D
    bar: Bool2D
    members: tuple[tuple[int, int, int], ...]


def draw_universe(seed: int, names: int, sessions: int) -> Universe:
    """Draw ``names`` stocks over ``sessions`` rows.

    Idiosyncratic volatility is about 20 to 37 % a year and correlated .7 with beta.
    """
    rng = stream(seed, "universe")
    risk, own = rng.standard_normal((2, names))
    beta = np.clip(1.0 + 0.28 * (0.7 * risk + 0.714 * own), 0.4, 1.7)
    idio_vol = 0.27 * np.exp(0.22 * np.clip(risk, -1.5, 1.5))
    pays = rng.random(names) < 0.7
    dividend_yield = np.where(pays, rng.uniform(0.005, 0.045, names), 0.0)
    sector = rng.integers(0, len(SECTORS), names)
    first, last = _spans(rng, names, sessions)
    rows = np.arange(sessions)[:, None]
    listed = (rows >= first) & (rows <= last)
    halted = _gaps(rng, first, last, sessions)
    width = max(3, len(str(names)))
    return Universe(
        names=tuple(f"S{i:0{width}d}" for i in range(1, names + 1)),
        sector=sector,
        beta=beta,
        idio_vol=idio_vol,
        dividend_yield=dividend_yield,
        first=first,
        last=last,
        listed=listed,
        bar=listed & ~halted,
        members=_members(rng, first, last, halted),
    )


def _some(rng: np.random.Generator, names: int, share: float) -> Int1D:
    """Pick a fixed share of the names, at least one."""
    return rng.permutation(names)[: max(1, round(share * names))]


def _spans(rng: np.random.Generator, names: int, sessions: int) -> tuple[Int1D, Int1D]:
    """First and last rows; every name lives for at least a twentieth of the time."""
    first, last = np.zeros(names, dtype=np.int64), np.full(names, sessions - 1, dtype=np.int64)
    late = _some(rng, names, LATE_SHARE)
    first[late] = rng.integers(sessions // 20, sessions * 8 // 10, len(late))
    gone = _some(rng, names, DELISTED_SHARE)
    earliest = np.maximum(first[gone] + sessions // 20, sessions // 8)
    last[gone] = rng.integers(earliest, np.maximum(earliest + 1, sessions * 97 // 100))
    return first, last


def _gaps(rng: np.random.Generator, first: Int1D, last: Int1D, sessions: int) -> Bool2D:
    """(T, N) bool: short trading halts, 1 to 3 sessions, strictly inside a name's life."""
    halted = np.zeros((sessions, len(first)), dtype=bool)
    for name in _some(rng, len(first), GAP_SHARE):
        for length in rng.integers(1, 4, GAPS_A_NAME):
            start = int(rng.integers(first[name] + 1, last[name] - 3))
            halted[start : start + length, name] = True
    return halted


def _members(
    rng: np.random.Generator, first: Int1D, last: Int1D, halted: Bool2D
) -> tuple[tuple[int, int, int], ...]:
    """Membership intervals: most names, some join later, some leave, half of those come back.

    One name that always trades is a member throughout, so that the universe is never empty.
    """
    sessions, names = len(halted), len(first)
    ever = rng.permutation(names)[: max(1, round(MEMBER_SHARE * names))]
    joins_later = rng.random(names) < JOINER_SHARE
    wait = np.where(joins_later | (first > 0), rng.integers(1, 252, names), 0)
    leaves = rng.random(names) < LEAVER_SHARE
    always = int(np.argmax((first == 0) & (last == sessions - 1) & ~halted.any(axis=0)))
    intervals = [(always, 0, -1)]
    for i in np.setdiff1d(ever, [always]).tolist():
        stop = int(last[i])
        start = min(int(first[i] + wait[i]), stop)
        if leaves[i] and stop - start > 200:
            left = int(rng.integers(start + 60, stop - 120))
            intervals.append((i, start, left))
            start = left + 60
            if rng.random() < 0.5:
                continue
        intervals.append((i, start, -1 if stop == sessions - 1 else stop))
    return tuple(sorted(intervals))
