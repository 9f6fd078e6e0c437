"""Random closes with every irregularity that a filter's window meets."""

from __future__ import annotations

import numpy as np


def closes(seed: int, rows: int = 220, names: int = 8) -> np.ndarray:
    """Geometric walks: one whole, one late, one that leaves, three with holes of 1 to 6, one flat, one never there."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, names)), axis=0))
    close[: rows // 4, 1] = np.nan
    close[-rows // 5 :, 2] = np.nan
    for column in (3, 4, 5):
        for row in rng.integers(0, rows, 5):
            close[row : row + rng.integers(1, 7), column] = np.nan
    close[:, 6] = 20.0
    close[:, 7] = np.nan
    return close
