"""The plain loop: the same accounting in the most obvious numba code, sales first. No holes, refusals or records."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bench.job import CASH, COST, Job


@numba.njit(cache=True)
def plain_loop(opening: Any, close: Any, rows: Any, targets: Any, towards_held: bool) -> Any:
    """Whole shares sized at the close of a decision, filled at the next open; returns (T,) equity.

    ``towards_held`` rounds the *change* towards 0, as Backtrader's ``order_target_percent`` does; otherwise the
    *target* is rounded down, as this project does.
    """
    sessions, names = close.shape
    equity = np.zeros(sessions)
    held, change = np.zeros(names), np.zeros(names)
    cash, r, due = CASH, 0, False
    for t in range(sessions):
        if due:
            for j in np.argsort(change):
                if change[j] != 0.0:
                    traded = change[j] * opening[t, j]
                    cash -= traded + abs(traded) * COST
                    held[j] += change[j]
            due = False
        nav = cash
        for j in range(names):
            nav += held[j] * close[t, j]
        equity[t] = nav
        if r < len(rows) and rows[r] == t:
            for j in range(names):
                if towards_held and targets[r, j] > 0.0:
                    gap = targets[r, j] * nav - held[j] * close[t, j]
                    change[j] = np.sign(gap) * np.floor(abs(gap) / close[t, j])
                else:
                    change[j] = np.floor(targets[r, j] * nav / close[t, j]) - held[j]
            due = True
            r += 1
    return equity


def prepare(job: Job, towards_held: bool) -> Any:
    """Return the run."""
    bars = job.bars
    return lambda: plain_loop(bars["open"], bars["close"], job.rows, job.targets, towards_held)
