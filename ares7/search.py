"""Thousands of points on one market: cut into blocks, spread over an executor, kept as they come.

The executor is anything with the interface of `concurrent.futures.Executor`: threads (the kernels run without
the interpreter's lock), processes, or a Dask client's. What a block gives is written down before the next one is
waited for, so that whatever ends a search leaves the finished blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from ares7.arrays import Float1D
from ares7.batch import Curves, Market, run_plans
from ares7.batch_figures import EquityFigures, equity_figures
from ares7.book import Plan
from ares7.panel import Panel
from ares7.stages import Memo, Remembered

BLOCK_BYTES = 32 * 2**20
"""Room that the curves and own sleeves of one block may take."""
KEPT_STAGES = 32
"""Distinct values of each stage that are kept from one block to the next."""


class PlanOf(Protocol):
    """How a strategy's parameters become a plan."""

    def __call__(self, panel: Panel, params: Any, memo: Memo) -> Plan:
        """Return the plan of a point."""


@dataclass(frozen=True, slots=True)
class Bench:
    """All that evaluating a point needs; one in each process, shared by its threads.

    Attributes
    ----------
    market : Market
    plan : callable
    windows : tuple of slice
        Rows of returns that figures are taken over (`ares7.point_figures.PointWindows.slices`).
    baseline_nav : (S,) USD
    risk_free : float, annual
    """

    market: Market
    plan: PlanOf
    windows: tuple[slice, ...]
    baseline_nav: Float1D
    risk_free: float
    memo: Remembered = field(default_factory=Remembered)


@dataclass(frozen=True, slots=True)
class Block:
    """What some consecutive points gave."""

    first: int
    curves: Curves
    figures: EquityFigures


def evaluate(bench: Bench, first: int, points: Sequence[BaseModel]) -> Block:
    """Run the points whose numbers begin at ``first`` on this thread."""
    plans = [bench.plan(bench.market.panel, params, bench.memo) for params in points]
    curves = run_plans(bench.market, plans)
    bench.memo.trim(KEPT_STAGES)
    return Block(
        first, curves, equity_figures(curves.nav, bench.windows, bench.baseline_nav, bench.risk_free)
    )


def block_points(sessions: int, names: int, count: int, workers: int, *, sleeve_rows: int = 0) -> int:
    """Return how many points make a block.

    Few enough to fit into `BLOCK_BYTES` if none shares a sleeve with another, and to give every worker several;
    at least one.
    """
    room = BLOCK_BYTES // (8 * (sessions + sleeve_rows * names))
    return max(1, min(room, -(-count // (4 * workers))))


def run_search(
    task: Callable[[int, Any], Block],
    blocks: Iterator[tuple[int, Any]],
    executor: Executor,
    *,
    in_flight: int,
    keep: Callable[[Block], None],
) -> None:
    """Run blocks on an executor and keep each as it is finished, in any order.

    Parameters
    ----------
    task : callable
        ``task(first, points)``; whatever it raises ends the search.
    blocks : iterator of (first, points)
    in_flight : int
        Blocks that are handed out at a time; bounds the memory.
    keep : callable
        Writes a block down; called from this thread.
    """
    waiting: set[Future[Block]] = set()
    try:
        for first, points in blocks:
            waiting.add(executor.submit(task, first, points))
            if len(waiting) >= in_flight:
                waiting = _collect(waiting, keep)
        while waiting:
            waiting = _collect(waiting, keep)
    finally:
        for future in waiting:
            future.cancel()


def _collect(waiting: set[Future[Block]], keep: Callable[[Block], None]) -> set[Future[Block]]:
    done, left = wait(waiting, return_when=FIRST_COMPLETED)
    failures = []
    for future in done:
        error = future.exception()
        if error is None:
            keep(future.result())
        else:
            failures.append(error)
    if failures:
        raise failures[0]
    return left
