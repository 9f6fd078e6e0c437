"""What the signals of overlays are measured on: a panel of 20 years, the wavelet score by pandas beside ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ares7.signals.wavelet import trend_score

SESSIONS, NAMES, WEEK = 5_000, 200, 5


def closes(seed: int = 8) -> Any:
    """(5000, 200) closes without a hole: geometric Brownian motion."""
    steps = np.random.default_rng(seed).normal(0.0003, 0.012, (SESSIONS, NAMES))
    return 50.0 * np.exp(np.cumsum(steps, axis=0))


def weekly() -> Any:
    """Every fifth row."""
    return np.arange(WEEK - 1, SESSIONS, WEEK, dtype=np.int64)


def by_pandas(close: Any, rows: Any) -> Any:
    """The default score as one writes it with shifts and a rolling mean, at every session, then every fifth row.

    Correct where there are no holes; its running means differ in their last bits between a panel and its last rows.
    """
    smooth, details = pd.DataFrame(np.log(close)), []
    for level in range(6):
        coarser = (smooth + smooth.shift(2**level)) / 2
        details.append(smooth - coarser)
        smooth = coarser
    noise = (details[0] ** 2 + details[1] ** 2).rolling(63).mean()
    score = (details[3] + details[4] + details[5]) / np.sqrt(noise)
    score.iloc[:65] = np.nan
    return score.to_numpy()[rows]


def difference(close: Any, rows: Any) -> float:
    """Largest difference between the two, over the largest score; infinite where only one has a score."""
    ours, theirs = trend_score(close, rows), by_pandas(close, rows)
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    return float(np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(theirs)))
