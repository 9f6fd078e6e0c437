"""Simulated daily series of honest strategies: fat tails, volatility clusters, costs, the market's own calendar."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FIRST = np.datetime64("2010-01-04")
TURN_OF_MONTH = 5e-4
"""Extra return on the last session of a month and the first three of the next: Ogden (1990), about 5 bp."""


def sessions(rows: int) -> np.ndarray:
    """Weekdays less ten holidays a year."""
    days = np.busday_offset(FIRST, np.arange(rows * 27 // 26 + 40), roll="forward")
    years = np.unique(days.astype("datetime64[Y]"))
    offsets = (0, 17, 48, 108, 145, 184, 245, 330, 359)
    holidays = np.busday_offset(
        (years[:, None].astype("datetime64[D]") + np.array(offsets)).ravel(), 0, "forward"
    )
    return days[~np.isin(days, holidays)][:rows].astype("datetime64[D]")


def clustered(rng: np.random.Generator, count: int, rows: int, tails: float = 5.0) -> np.ndarray:
    """(count, rows) GARCH(1, 1) noise with Student's t innovations and unit variance."""
    shock = rng.standard_t(tails, (rows, count)) * np.sqrt((tails - 2.0) / tails)
    variance, out = np.ones(count), np.empty((rows, count))
    for t in range(rows):
        out[t] = np.sqrt(variance) * shock[t]
        variance = 0.02 + 0.08 * out[t] ** 2 + 0.90 * variance
    return np.ascontiguousarray(out.T)


def month_turns(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First sessions of a month; last session and first three."""
    month = days.astype("datetime64[M]")
    first = np.append(False, month[1:] != month[:-1])
    turn = first.copy()
    for shift in (1, 2):
        turn[shift:] |= first[:-shift]
    turn[:-1] |= first[1:]
    return first, turn


def honest(
    seed: int, count: int, rows: int = 2520, tails: float = 5.0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Dates and returns of honest books: Sharpe ratio 0 to 1.2, volatility 5 to 25 %, monthly costs of 0 to 15 bp.

    At a volatility of 16 % weekdays differ by 2 bp (s.d.), and the turn of the month adds 5 bp times a market
    exposure of 0 to 1; both grow with the volatility.
    """
    rng = np.random.default_rng(seed)
    days = sessions(rows)
    first, turn = month_turns(days)
    weekday = (days.astype(np.int64) + 3) % 7
    noise = clustered(rng, count, rows, tails)
    for row in noise:
        yearly = rng.uniform(0.05, 0.25)
        daily, size = yearly / np.sqrt(252), yearly / 0.16
        returns = daily * row + daily * rng.uniform(0, 1.2) / np.sqrt(252)
        returns += size * (rng.normal(0, 2e-4, 5)[weekday] + rng.uniform() * TURN_OF_MONTH * turn)
        yield days, np.maximum(returns - rng.uniform(0, 15e-4) * first, -0.5)
