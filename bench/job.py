"""The job that every engine does: a seeded market and a table of month-end targets, numpy only.

Any environment can load it: the engines of other libraries run where this project is not installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SESSIONS = 2520
CASH = 1_000_000.0
COST = 0.001
"""10 bps of traded notional."""
GROSS = 0.98
FIRST, LAST = np.datetime64("2013-01-02"), np.datetime64("2024-12-31")
# A session, of three regimes (calm, trending up; nervous, flat; falling): drift and volatility of the market.
DRIFT = np.array([0.0009, 0.0003, -0.0008])
VOLATILITY = np.array([0.007, 0.012, 0.022])
STAY = np.array([[0.990, 0.008, 0.002], [0.010, 0.980, 0.010], [0.005, 0.025, 0.970]])


@dataclass(frozen=True, slots=True)
class Job:
    """A market and what to hold in it.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        XNYS sessions.
    symbols : tuple of N str
    bars : mapping of open, high, low, close, volume to (T, N) float64
        USD rounded to cents, and shares.
    index, vix : (T,)
        Series of the market at the close.
    rows : (R,) int64
        Month-end sessions, whose close decides.
    targets : (R, N)
        Fraction of NAV; every row sums to 0.98; fills at the next open.
    """

    dates: Any
    symbols: tuple[str, ...]
    bars: dict[str, Any]
    index: Any
    vix: Any
    rows: Any
    targets: Any


def regimes(rng: np.random.Generator, sessions: int) -> Any:
    """(T,) int64 labels of a three-state Markov chain."""
    out = np.zeros(sessions, dtype=np.int64)
    for t, draw in enumerate(rng.random(sessions - 1), start=1):
        out[t] = np.searchsorted(np.cumsum(STAY[out[t - 1]]), draw)
    return np.minimum(out, 2)


def market(symbols: int, seed: int = 21) -> tuple[dict[str, Any], Any, Any]:
    """Bars, index and VIX of a geometric Brownian motion whose drift and volatility follow the regime."""
    rng = np.random.default_rng(seed)
    state = regimes(rng, SESSIONS)
    common = DRIFT[state] + VOLATILITY[state] * rng.standard_normal(SESSIONS)
    beta = rng.uniform(0.5, 1.5, symbols)
    own = rng.uniform(0.008, 0.022, symbols)
    moves = common[:, None] * beta + own * rng.standard_normal((SESSIONS, symbols)) - own**2 / 2
    close = rng.uniform(20.0, 200.0, symbols) * np.exp(np.cumsum(moves, axis=0))
    before = np.vstack([close[:1], close[:-1]])
    opening = before * np.exp(0.3 * own * rng.standard_normal(close.shape))
    reach = np.exp(np.abs(0.4 * own * rng.standard_normal((2, *close.shape))))
    bars = {
        "open": opening,
        "high": np.maximum(opening, close) * reach[0],
        "low": np.minimum(opening, close) / reach[1],
        "close": close,
    }
    bars = {name: np.maximum(np.round(values, 2), 0.05) for name, values in bars.items()}
    bars["volume"] = np.round(rng.uniform(1e5, 1e7, close.shape))
    vix = np.round(100.0 * np.sqrt(252.0) * VOLATILITY[state] * rng.uniform(0.9, 1.4, SESSIONS), 2)
    return bars, np.round(2000.0 * np.exp(np.cumsum(common)), 2), vix


def month_end_targets(close: Any, rows: Any) -> Any:
    """(R, N) equal weights, the fifth with the highest (lowest) half-year return 4 % up (down), sum 0.98."""
    names = close.shape[1]
    fifth = names // 5
    out = np.full((len(rows), names), 1.0 / names)
    for i, t in enumerate(rows):
        order = np.argsort(close[t] / close[max(0, t - 126)], kind="stable")
        out[i, order[-fifth:]] += 0.04
        out[i, order[:fifth]] -= 0.04
    out = np.clip(out, 0.0, None)
    return GROSS * out / out.sum(axis=1, keepdims=True)


def make(symbols: int) -> Job:
    """Return the job with so many symbols; the same on every machine."""
    import exchange_calendars

    known = exchange_calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST)).sessions
    days = known.to_numpy().astype("datetime64[D]")
    dates, months = days[:SESSIONS], days.astype("datetime64[M]")
    rows = np.flatnonzero(months[:SESSIONS] != months[1 : SESSIONS + 1])
    bars, index, vix = market(symbols)
    names = tuple(f"S{i:03d}" for i in range(symbols))
    return Job(dates, names, bars, index, vix, rows, month_end_targets(bars["close"], rows))


def save(job: Job, path: Path) -> None:
    """Write the job for other processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    series = {"dates": job.dates, "index": job.index, "vix": job.vix, "rows": job.rows}
    np.savez(path, symbols=np.array(job.symbols), targets=job.targets, **series, **job.bars)


def load(path: Path) -> Job:
    """Read a job into memory."""
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    bars = {name: held[name] for name in ("open", "high", "low", "close", "volume")}
    symbols = tuple(str(symbol) for symbol in held["symbols"])
    return Job(held["dates"], symbols, bars, held["index"], held["vix"], held["rows"], held["targets"])


def frames(job: Job) -> dict[str, Any]:
    """One DataFrame of OHLCV a symbol, indexed by session: what users of most engines start from."""
    import pandas as pd

    index = pd.DatetimeIndex(job.dates.astype("datetime64[ns]"), name="date")
    names = list(job.bars)
    return {
        symbol: pd.DataFrame(np.column_stack([job.bars[n][:, i] for n in names]), index, columns=names)
        for i, symbol in enumerate(job.symbols)
    }
