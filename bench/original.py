"""The original ARES7 engine, written again from its published definition: what the old figures came from.

Not the same job: weights are made anew every day, the weights of a day earn the return of *the same* day
(look-ahead), shares do not drift, nothing costs anything, and numbers are float32. Its equity is not comparable;
its time is what the roadmap's goals refer to.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bench.job import Job

STRENGTH, TOP, BOTTOM = 0.04, 0.20, 0.20


@numba.njit(cache=True)
def _momentum(returns: Any, short: int, long: int) -> Any:
    """(T, N) half the sum of the last ``short`` returns plus half that of the last ``long``."""
    sessions, names = returns.shape
    out = np.zeros((sessions, names), dtype=np.float32)
    half = np.float32(0.5)
    for t in range(long, sessions):
        for k in range(long):
            for j in range(names):
                out[t, j] += half * returns[t - k, j]
        for k in range(short):
            for j in range(names):
                out[t, j] += half * returns[t - k, j]
    return out


@numba.njit(cache=True)
def _z(row: Any) -> Any:
    deviation = row.std()
    if deviation < 1e-8:
        return np.zeros_like(row)
    return ((row - row.mean()) / deviation).astype(np.float32)


@numba.njit(cache=True)
def original(returns: Any, strength: float, top: float, bottom: float) -> Any:
    """(T,) daily returns of the overlay strategy."""
    sessions, names = returns.shape
    quality, momentum = _momentum(returns, 63, 126), _momentum(returns, 126, 252)
    first, last = max(1, int(names * top)), max(1, int(names * bottom))
    out = np.zeros(sessions, dtype=np.float32)
    for t in range(sessions):
        score = np.float32(0.6) * _z(quality[t]) + np.float32(0.4) * _z(momentum[t])
        ranked = np.sort(score)
        weights = np.full(names, np.float32(1.0 / names))
        for j in range(names):
            if score[j] >= ranked[names - first]:
                weights[j] += np.float32(strength)
            elif score[j] <= ranked[last - 1]:
                weights[j] -= np.float32(strength)
            weights[j] = max(weights[j], np.float32(0.0))
        out[t] = (weights / weights.sum() * returns[t]).sum()
    return out


def prepare(job: Job) -> Any:
    """Return the run, from a DataFrame of closes as the original starts."""
    import pandas as pd

    close = pd.DataFrame(job.bars["close"], index=pd.DatetimeIndex(job.dates.astype("datetime64[ns]")))

    def run() -> Any:
        returns = close.pct_change().fillna(0.0).to_numpy(dtype=np.float32)
        return np.cumprod(1.0 + original(returns, STRENGTH, TOP, BOTTOM).astype(np.float64))

    return run
